"""Which port is whose."""

from deploy.local.clients import SERVICES
from deploy.local.ports import plan


def test_the_ports_are_those_of_the_design():
    ports = plan(8000, SERVICES, {})
    assert ports.gateway == 8000
    assert ports.services == {
        "ingest": (8001,),
        "scoring": (8002,),
        "grid": (8003,),
        "recognition": (8004,),
        "notify": (8005,),
    }


def test_no_port_is_given_twice_with_many_workers():
    for base in (0, 9000):
        given = [port for _, port in plan(base, SERVICES, dict.fromkeys(SERVICES, 16)).named()]
        assert len(given) == len(set(given)) == 5 + 5 * 16


def test_further_processes_of_a_service_stand_ten_higher():
    assert plan(8000, SERVICES, {"scoring": 3}).services["scoring"] == (8002, 8012, 8022)
