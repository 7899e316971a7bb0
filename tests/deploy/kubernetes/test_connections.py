"""All processes that may ever run at once fit the connections their database has: in a cluster and on a host."""

import re
from functools import cache
from typing import Any

import yaml

from deploy.local.clients import SERVICES
from deploy.local.connections import FULL, LEAST, OTHERS, share
from deploy.local.programs import DEPLOY
from shared.kit.settings import KitSettings
from tests.support.settings import settings_for

KUBERNETES = DEPLOY / "kubernetes"
OF_OTHERS = 30
"""The operator of the database and its metrics, `reconcile`, `bootstrap`, three for superusers, a person with psql."""
SETTINGS = "WUGAN_DB_POOL_SIZE", "WUGAN_DB_QUICK_SIZE"


@cache
def resources() -> list[dict[str, Any]]:
    paths = [KUBERNETES / "postgres.yaml", *KUBERNETES.glob("base/*.yaml"), *KUBERNETES.glob("overlays/*/*.yaml")]
    return [
        each for path in paths for each in yaml.load_all(path.read_text(encoding="utf-8"), yaml.CSafeLoader) if each
    ]


def of_kind(kind: str) -> dict[str, list[dict[str, Any]]]:
    """By name, an overlay's patches after what they change."""
    found: dict[str, list[dict[str, Any]]] = {}
    for each in resources():
        if each["kind"] == kind:
            found.setdefault(each["metadata"]["name"], []).append(each)
    return found


def pods_at_most(service: str) -> int:
    """What scaling allows, or what an overlay asks for, and what a roll-out adds."""
    allowed = [each["spec"].get("maxReplicaCount", 0) for each in of_kind("ScaledObject")[service]]
    specs = [each["spec"] for each in of_kind("Deployment")[service]]
    surges = [each["strategy"]["rollingUpdate"]["maxSurge"] for each in specs if "strategy" in each]
    highest: int = max(allowed + [each.get("replicas", 0) for each in specs]) + max(surges)
    return highest


def test_in_a_cluster_the_highest_scale_fits_the_database():
    told: dict[str, str] = {}
    for each in of_kind("ConfigMap")["wugan"]:
        told |= each["data"]
    for deployments in of_kind("Deployment").values():
        assert not any(name in yaml.safe_dump(deployments) for name in SETTINGS), "then it must be counted here"
    a_process = sum(int(told[name]) for name in SETTINGS)
    (cluster,) = of_kind("Cluster")["wugan-postgres"]
    room = int(cluster["spec"]["postgresql"]["parameters"]["max_connections"])
    pods = sum(pods_at_most(service) for service in SERVICES)
    assert pods * a_process + OF_OTHERS <= room
    readme = (KUBERNETES / "README.md").read_text(encoding="utf-8")
    assert f"{pods} pods of {a_process} connections" in readme
    assert f"{OF_OTHERS} for others, {pods * a_process + OF_OTHERS} of {room}" in readme
    kit = settings_for(KitSettings, **{name.removeprefix("WUGAN_").lower(): told[name] for name in SETTINGS})
    assert 2 * kit.messages_at_once <= kit.db_pool_size


def test_on_a_host_each_service_may_take_its_fill():
    conf = (DEPLOY / "postgres" / "postgresql.conf").read_text(encoding="utf-8")
    said = {key: int(value) for key, value in re.findall(r"^(\w*_connections) = (\d+)", conf, re.MULTILINE)}
    room = said["max_connections"] - said["superuser_reserved_connections"]
    assert share(room, len(SERVICES)) == {}
    several = share(room, 3 * len(SERVICES))
    assert 3 * len(SERVICES) * sum(map(int, several.values())) + OTHERS <= room
    compose = yaml.load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"), yaml.CSafeLoader)["services"]
    processes = [name for name, each in compose.items() if "WUGAN_DATABASE_URL" in each.get("environment", {})]
    assert len(processes) * sum(FULL.values()) + OTHERS <= room


def test_what_a_process_takes_where_there_is_room_is_what_its_settings_say():
    kit = settings_for(KitSettings)
    assert {name: getattr(kit, name.removeprefix("WUGAN_").lower()) for name in SETTINGS} == FULL
    assert kit.messages_at_once == 8
    least = settings_for(KitSettings, db_pool_size=LEAST["WUGAN_DB_POOL_SIZE"])
    assert least.messages_at_once == 3
