"""Manifests, compose file and image: whole, consistent with the code, and without rights nobody needs."""

import re
import zipfile
from importlib import import_module
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from hatchling.builders.wheel import WheelBuilder

from deploy.installing import environment
from deploy.local.clients import SERVICES
from deploy.local.programs import DEPLOY, ROOT
from deploy.local.secrets import OPERATOR
from deploy.local.services import MEMORY
from shared.kit.settings import KitSettings

BASE = DEPLOY / "kubernetes" / "base"
PRODUCTION = DEPLOY / "kubernetes" / "overlays" / "production"
PORTS = dict(zip(("ingest", "scoring", "grid", "recognition", "notify"), range(8001, 8006), strict=True))


def documents(path: Path) -> list[dict[str, Any]]:
    return [each for each in yaml.safe_load_all(path.read_text(encoding="utf-8")) if each]


RESOURCES = [(path, each) for path in sorted(BASE.glob("*.yaml")) + sorted(PRODUCTION.glob("*.yaml"))
             + [DEPLOY / "kubernetes" / "postgres.yaml"] for each in documents(path)]  # fmt: skip
COMPOSE = documents(DEPLOY / "compose.yaml")[0]


def of_kind(kind: str) -> dict[str, dict[str, Any]]:
    return {each["metadata"]["name"]: each for path, each in RESOURCES if each["kind"] == kind and path.parent == BASE}


def pods() -> list[dict[str, Any]]:
    return [each["spec"]["template"] for kind in ("Deployment", "Job") for each in of_kind(kind).values()]


def containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]]


def test_kustomizations_name_every_file_and_only_files_that_are_there():
    base = documents(BASE / "kustomization.yaml")[0]
    assert sorted(base["resources"]) == sorted(
        path.name for path in BASE.glob("*.yaml") if path.stem != "kustomization"
    )
    overlay = documents(PRODUCTION / "kustomization.yaml")[0]
    named = {*overlay["resources"], *(each["path"] for each in overlay["patches"])}
    assert named == {"../../base", *(path.name for path in PRODUCTION.glob("*.yaml") if path.stem != "kustomization")}
    known = {
        (each["kind"], each["metadata"]["name"])
        for path, each in RESOURCES
        if path.parent == BASE and "metadata" in each
    }
    for patch in overlay["patches"]:
        for each in documents(PRODUCTION / patch["path"]):
            assert (each["kind"], each["metadata"]["name"]) in known
    images = {container["image"] for pod in pods() for container in containers(pod)}
    assert {image for image in images if "/" not in image} == {each["name"] for each in overlay["images"]}


def test_names_are_single():
    seen = [
        (each["kind"], each["metadata"]["name"])
        for path, each in RESOURCES
        if path.parent == BASE and "metadata" in each
    ]
    assert len(seen) == len(set(seen))


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_probed_limited_spread_and_not_drained_away(service):
    spec = of_kind("Deployment")[service]["spec"]
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    assert container["args"] == [f"services.{service}", "serve"]
    assert pod["initContainers"][0]["args"] == [f"services.{service}", "migrate"]
    paths = {name: container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "readiness", "liveness")}
    assert paths == {"startup": "/readyz", "readiness": "/readyz", "liveness": "/livez"}
    assert spec["replicas"] >= 2
    assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    # What a service allows its last requests and consumers, and then some.
    allowed = int(of_kind("ConfigMap")["wugan"]["data"]["WUGAN_SHUTDOWN_SECONDS"])
    assert pod["terminationGracePeriodSeconds"] >= allowed + 20 + container["lifecycle"]["preStop"]["sleep"]["seconds"]
    labels = spec["template"]["metadata"]["labels"]
    for found in (spec, of_kind("PodDisruptionBudget")[service]["spec"]):
        assert found["selector"]["matchLabels"].items() <= labels.items()
    exposed = of_kind("Service")[service]["spec"]
    assert exposed["selector"].items() <= labels.items()
    assert exposed["ports"][0]["port"] == container["ports"][0]["containerPort"] == PORTS[service]
    assert pod["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"].items() <= labels.items()


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_told_what_its_settings_want_and_nothing_they_do_not_know(service):
    kind: type[KitSettings] = import_module(f"services.{service}.app").SERVICE.settings
    known = {str(field.validation_alias or f"WUGAN_{name.upper()}") for name, field in kind.model_fields.items()}
    required = {f"WUGAN_{name.upper()}" for name, field in kind.model_fields.items() if field.is_required()}
    container = of_kind("Deployment")[service]["spec"]["template"]["spec"]["containers"][0]
    shared = set(of_kind("ConfigMap")["wugan"]["data"])
    cluster = {each["name"] for each in container["env"]} | shared
    host = set(COMPOSE["services"][service]["environment"])
    for told in (cluster, host):
        assert required <= told
        assert told <= known, told - known
    own = {f"WUGAN_PASSWORD_{service.upper()}", f"WUGAN_NATS_PASSWORD_{service.upper()}"}
    text = yaml.safe_dump(COMPOSE["services"][service])
    assert set(re.findall(r"WUGAN_(?:NATS_)?PASSWORD_\w+", text)) == own
    secrets = {each["valueFrom"]["secretKeyRef"]["name"] for each in container["env"] if "valueFrom" in each}
    assert secrets == {f"wugan-{service}", "wugan-keys"}


@pytest.mark.parametrize("pod", pods(), ids=lambda pod: pod["metadata"]["labels"]["app.kubernetes.io/name"])
def test_nothing_runs_with_rights(pod):
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
    assert pod["spec"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["spec"]["automountServiceAccountToken"] is False
    for container in containers(pod):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        }  # fmt: skip
        assert set(container["resources"]) == {"requests", "limits"}
        assert "memory" in container["resources"]["limits"]
        assert "latest" not in container["image"]
    volumes = {each["name"] for each in pod["spec"]["volumes"]}
    assert {mount["name"] for each in containers(pod) for mount in each["volumeMounts"]} == volumes


def test_everything_is_closed_that_is_not_opened():
    policies = of_kind("NetworkPolicy")
    assert policies["nobody"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    outside = policies["outside"]["spec"]
    assert outside["podSelector"]["matchExpressions"][0]["values"] == ["ingest", "notify"]
    sources = policies["services"]["spec"]["ingress"][0]["from"]
    assert sources[0]["podSelector"]["matchExpressions"][0]["values"] == ["gateway", *PORTS]


def test_scaling_follows_what_waits_and_stops_at_the_shards():
    scaled = of_kind("ScaledObject")
    assert set(scaled) == set(SERVICES)
    for service, each in scaled.items():
        assert each["spec"]["scaleTargetRef"]["name"] == service
        assert 2 <= each["spec"]["minReplicaCount"] <= each["spec"]["maxReplicaCount"] <= 16
        queries = [one["metadata"]["query"] for one in each["spec"]["triggers"] if one["type"] == "prometheus"]
        assert all(f'bus_consumer_pending{{consumer=~"{service}-.*"}}' in query for query in queries)
        assert queries or service == "ingest"


def test_the_broker_has_the_same_users_in_a_cluster_as_on_one_machine():
    values = documents(DEPLOY / "kubernetes" / "nats-values.yaml")[0]["config"]
    plain = (DEPLOY / "nats" / "nats-server.conf").read_text(encoding="utf-8")
    users = {each["user"]: each for each in values["merge"]["accounts"]["WUGAN"]["users"]}
    assert set(users) == {*SERVICES, OPERATOR}
    for service in SERVICES:
        block = plain.split(f"user: {service}\n", 1)[1].split("subscribe:", 1)
        publish, deny = (re.findall(r'"([^"]+)"', part) for part in block[0].split("deny:", 1))
        assert users[service]["permissions"]["publish"] == {"allow": publish, "deny": deny}
        heard = re.findall(r'"([^"]+)"', block[1].split("\n", 1)[0])
        assert users[service]["permissions"]["subscribe"]["allow"] == heard
    assert values["jetstream"]["merge"]["sync_interval"] == "always"
    assert values["cluster"]["replicas"] == 3


def test_compose_is_closed_and_whole():
    services = COMPOSE["services"]
    assert {name for name, each in services.items() if "ports" in each} == {"gateway"}
    assert COMPOSE["networks"]["inside"]["internal"] is True
    for name, each in services.items():
        assert set(each.get("depends_on", ())) <= set(services)
        assert set(each["networks"]) <= set(COMPOSE["networks"])
        assert set(each.get("secrets", ())) <= set(COMPOSE["secrets"])
        for volume in each.get("volumes", ()):
            source = volume.split(":", 1)[0]
            assert source in COMPOSE["volumes"] or source.startswith("./"), volume
            if source.startswith("./") and not source.startswith("./certificates"):
                assert (DEPLOY / source).is_dir()
        if name.partition("-")[0] in SERVICES or name in {"gateway", "nats"}:
            assert each["read_only"] is True
            assert each["cap_drop"] == ["ALL"]


def test_what_compose_asks_for_is_what_the_commands_make(tmp_path):
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    asked = set(re.findall(r"\$\{(\w+):\?\}", text))
    made = environment(tmp_path)
    assert asked - {"WUGAN_ISSUER_URL"} == set(made)
    assert environment(tmp_path) == made
    files = {each["file"] for each in COMPOSE["secrets"].values() if each["file"].startswith("./secrets/")}
    assert all((tmp_path / each.removeprefix("./secrets/")).exists() for each in files)
    assert "demo" not in (tmp_path / "clients.json").read_text(encoding="utf-8")


def test_the_image_is_built_of_checked_files_and_runs_without_root():
    lines = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    assert lines.count("\nFROM ") == 2
    assert "--require-hashes" in lines
    assert all(f"{name}={value}" in lines for name, value in MEMORY.items())
    assert lines.rindex("\nUSER 10001:10001") > lines.rindex("\nCOPY ")
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copied = {word for words in re.findall(r"^COPY (?!--from)(.+) \S+$", lines, re.MULTILINE) for word in words.split()}
    assert {f"!{each}" for each in copied} <= set(ignored)
    for secret in ("deploy/.env", "deploy/secrets", "deploy/certificates"):
        assert ignored.index(secret) > ignored.index("!deploy")


def test_the_wheel_holds_what_runs(tmp_path):
    (built,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    names = set(zipfile.ZipFile(built).namelist())
    for folder, pattern in (
        ("services", "**/*.toml"),
        ("services", "**/*.sql"),
        ("deploy", "postgres/*"),
        ("deploy", "nats/*"),
        ("deploy", "gateway/*"),
    ):
        wanted = {str(path.relative_to(ROOT)) for path in (ROOT / folder).glob(pattern) if path.is_file()}
        assert wanted
        assert wanted <= names
    assert not [name for name in names if name.startswith(("tests/", "docs/"))]


def test_kubernetes_would_take_every_manifest_of_its_own():
    theirs = {"Kustomization", "ScaledObject", "Cluster", "ObjectStore", "ScheduledBackup"}
    patches = {PRODUCTION / "settings.yaml", PRODUCTION / "recognition.yaml"}
    checked = [each for path, each in RESOURCES if each["kind"] not in theirs and path not in patches]
    for each in checked:
        kubernetes_validate.validate(each, "1.36", strict=True)
    assert len(checked) > 30
