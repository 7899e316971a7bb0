"""Who is watched in a cluster and on a host, and that nobody is killed for what he was seen to need."""

import json
import re

import pytest

from deploy.local.clients import SERVICES
from deploy.local.programs import DEPLOY, ROOT
from tests.deploy.kubernetes.manifests import COMPOSE, PORTS, documents, of_kind

UNITS = {"g": 1024, "Gi": 1024, "m": 1, "Mi": 1}
BENCHED = {"ingest": "Ingest", "scoring": "Scoring", "recognition": "Whole programs and pay lists"}
"""The section of the benchmarks that measures a service's memory."""


def test_prometheus_has_somebody_to_ask_on_a_host_and_in_a_cluster():
    config = documents(DEPLOY / "monitoring" / "prometheus" / "prometheus.yml")[0]
    (whom,) = config["alerting"]["alertmanagers"][0]["file_sd_configs"][0]["files"]
    assert whom in (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    jobs = {each["job_name"]: each["static_configs"] for each in config["scrape_configs"]}
    targets = {target for configs in jobs.values() for each in configs for target in each["targets"]}
    assert targets == {*(f"{service}:{port}" for service, port in PORTS.items()), "exporter:9090"}
    assert {target.split(":")[0] for target in targets} <= set(COMPOSE["services"])
    assert "./monitoring/prometheus:/etc/prometheus:ro" in COMPOSE["services"]["prometheus"]["volumes"]
    monitors = of_kind("PodMonitor")
    database = monitors.pop("wugan-postgres")
    assert set(monitors) == set(jobs)
    for name, each in monitors.items():
        (endpoint,) = each["spec"]["podMetricsEndpoints"]
        assert {"targetLabel": "job", "replacement": name} in endpoint["relabelings"]
        chosen = each["spec"]["selector"]
        (expression,) = chosen.get("matchExpressions", [{"values": [*chosen.get("matchLabels", {}).values()]}])
        for pod in expression["values"]:
            spec = of_kind("Deployment")[pod]["spec"]["template"]["spec"]
            assert endpoint["port"] in {port["name"] for one in spec["containers"] for port in one["ports"]}
    # Archive and backups are told by the database's own pods, which somebody must be let in to ask.
    instances = of_kind("NetworkPolicy")["postgres"]["spec"]
    assert database["spec"]["selector"] == instances["podSelector"]
    assert [each["port"] for each in database["spec"]["podMetricsEndpoints"]] == ["metrics"]
    prometheus = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]
    assert {"from": prometheus, "ports": [{"protocol": "TCP", "port": 9187}]} in instances["ingress"]
    part_of = {"app.kubernetes.io/part-of": "wugan"}
    nats = documents(DEPLOY / "kubernetes" / "nats-values.yaml")[0]["promExporter"]["podMonitor"]
    assert nats == {"enabled": True, "merge": {"metadata": {"labels": part_of}}}
    assert all(each["metadata"]["labels"] == part_of for each in (database, *monitors.values()))
    rules = documents(DEPLOY / "monitoring" / "prometheus" / "rules.yml")[0]
    assert of_kind("PrometheusRule")["wugan"]["spec"] == rules


def peaks(service: str) -> list[float]:
    """MiB a process of a service was measured at: with the whole city, and in its own benchmarks."""
    city = json.loads((ROOT / "docs/city.json").read_text(encoding="utf-8"))
    figures = json.loads((ROOT / "docs/benchmarks.json").read_text(encoding="utf-8"))["figures"]
    found = [each["ours"] for each in figures if each["section"] == BENCHED.get(service) and "memory" in each["name"]]
    assert found or service not in BENCHED
    return found + [each["peaks_mib"][service] for each in city.values()]


def mebibytes(text: str) -> float:
    number, unit = re.findall(r"^(\d+)([A-Za-z]+)$", text)[0]
    return float(number) * UNITS[unit]


@pytest.mark.parametrize("service", SERVICES)
def test_nobody_is_killed_for_what_he_was_seen_to_need(service):
    most = max(peaks(service))
    (container,) = of_kind("Deployment")[service]["spec"]["template"]["spec"]["containers"]
    for allowed in (container["resources"]["limits"]["memory"], COMPOSE["services"][service]["mem_limit"]):
        assert mebibytes(allowed) >= 1.2 * most
