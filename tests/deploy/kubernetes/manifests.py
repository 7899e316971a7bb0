"""The manifests and the compose file, read."""

from pathlib import Path
from typing import Any

import yaml

from deploy.local.programs import DEPLOY

BASE = DEPLOY / "kubernetes" / "base"
PRODUCTION = DEPLOY / "kubernetes" / "overlays" / "production"
PORTS = dict(zip(("ingest", "scoring", "grid", "recognition", "notify"), range(8001, 8006), strict=True))


def documents(path: Path) -> list[dict[str, Any]]:
    return [each for each in yaml.load_all(path.read_text(encoding="utf-8"), yaml.CSafeLoader) if each]


RESOURCES = [(path, each) for path in sorted(BASE.glob("*.yaml")) + sorted(PRODUCTION.glob("*.yaml"))
             + [DEPLOY / "kubernetes" / "postgres.yaml"] for each in documents(path)]  # fmt: skip
COMPOSE = documents(DEPLOY / "compose.yaml")[0]


def of_kind(kind: str) -> dict[str, dict[str, Any]]:
    return {each["metadata"]["name"]: each for path, each in RESOURCES if each["kind"] == kind and path.parent == BASE}


def pods() -> list[dict[str, Any]]:
    jobs = [each["spec"]["jobTemplate"] for each in of_kind("CronJob").values()]
    alike = [*of_kind("Deployment").values(), *of_kind("Job").values(), *jobs]
    return [each["spec"]["template"] for each in alike]


def containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]]
