"""Which port is whose."""

import socket
from pathlib import Path

from deploy.local.clients import SERVICES
from deploy.local.ports import HOST, plan
from deploy.local.probes import free_ports


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


def test_free_ports_are_not_those_of_outgoing_connections_and_never_given_again():
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    given = [port for _ in range(20) for _, port in plan(0, SERVICES, {}).named()]
    assert max(given) < lowest
    assert len(given) == len(set(given))


def test_a_port_somebody_listens_on_is_not_given():
    (port,) = free_ports(HOST, 1)
    with socket.socket() as taken:
        taken.bind((HOST, port + 1))
        taken.listen()
        assert port + 1 not in free_ports(HOST, 3)
