"""Manifests, compose file and image: whole, consistent with the code, and without rights nobody needs."""

import json
import re
import shutil
import subprocess
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import kubernetes_validate
import pytest
import yaml

from deploy.backup.reconciling import Told
from deploy.certificates import SERVERS
from deploy.local.clients import SERVICES
from deploy.local.programs import DEPLOY, beside_python
from deploy.local.secrets import OPERATOR, SERVICE_KEYS
from deploy.monitoring.looking import Inside
from deploy.streams import BrokerSettings
from shared.kit.settings import KitSettings
from tests.deploy.kubernetes.manifests import (
    BASE,
    COMPOSE,
    PORTS,
    PRODUCTION,
    RESOURCES,
    containers,
    documents,
    of_kind,
    pods,
)


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
    # What the manifests do not name can be told all the same.
    assert {"secretRef": {"name": f"wugan-{service}-settings", "optional": True}} in container["envFrom"]
    assert COMPOSE["services"][service]["env_file"] == [{"path": f"./secrets/{service}.env", "required": False}]
    own = {f"WUGAN_PASSWORD_{service.upper()}", f"WUGAN_NATS_PASSWORD_{service.upper()}"}
    text = yaml.safe_dump(COMPOSE["services"][service])
    assert set(re.findall(r"WUGAN_(?:NATS_)?PASSWORD_\w+", text)) == own
    secrets = {each["valueFrom"]["secretKeyRef"]["name"] for each in container["env"] if "valueFrom" in each}
    keys = {f"WUGAN_{name.upper()}" for name in SERVICE_KEYS[service]}
    assert secrets == {f"wugan-{service}", *(["wugan-keys"] if keys else [])}
    every = {f"WUGAN_{name.upper()}" for names in SERVICE_KEYS.values() for name in names}
    assert cluster & every == host & every == known & every == keys
    assert not SERVICE_KEYS["scoring"]


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
    assert outside["podSelector"]["matchExpressions"][0]["values"] == ["ingest", "recognition", "notify"]
    sources = policies["services"]["spec"]["ingress"][0]["from"]
    assert sources[0]["podSelector"]["matchExpressions"][0]["values"] == ["gateway", "exporter", *PORTS]


def reached(source: str, target: str, port: int) -> bool:
    """Whether the policies let pods of one name open a port of another's."""

    def of(selector: dict[str, Any], name: str) -> bool:
        labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "wugan"}
        return selector.get("matchLabels", {}).items() <= labels.items() and all(
            labels.get(each["key"]) in each["values"] for each in selector.get("matchExpressions", ())
        )

    def opens(way: str, end: str, here: str, there: str) -> bool:
        return any(
            port in {each["port"] for each in rule.get("ports", ())}
            and any("podSelector" in peer and of(peer["podSelector"], there) for peer in rule.get(end, ()))
            for policy in of_kind("NetworkPolicy").values()
            if of(policy["spec"]["podSelector"], here)
            for rule in policy["spec"].get(way, ())
        )

    return opens("egress", "to", source, target) and opens("ingress", "from", target, source)


@pytest.mark.parametrize("asking", [*SERVICES, "exporter"])
def test_whoever_asks_his_peers_gets_tokens_without_leaving_the_inside(asking):
    shared = of_kind("ConfigMap")["wugan"]["data"]
    for told in (shared, COMPOSE["services"][asking]["environment"]):
        issuer, asked = urlsplit(told["WUGAN_ISSUER_URL"]), urlsplit(told["WUGAN_TOKEN_URL"])
        assert issuer.scheme == "https" or told["WUGAN_ISSUER_URL"] == "${WUGAN_ISSUER_URL:?}"
        assert (asked.hostname, asked.port, asked.path) == ("recognition", PORTS["recognition"], "/oauth/token")
    for service, port in PORTS.items():
        assert told[f"WUGAN_{service.upper()}_URL"] == shared[f"WUGAN_{service.upper()}_URL"]
        assert reached(asking, service, port)
    assert not reached(asking, "gateway", 8443)
    assert not reached("gateway", "exporter", 9090)


def test_the_exporter_is_told_whom_to_ask_and_nothing_more():
    wanted = {f"WUGAN_{name.upper()}" for name in Inside.model_fields}
    assert set(COMPOSE["services"]["exporter"]["environment"]) == wanted
    pod = of_kind("Deployment")["exporter"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert wanted <= {each["name"] for each in container["env"]} | set(of_kind("ConfigMap")["wugan"]["data"])
    assert "--inside" in container["args"]
    # In a cluster others tell of backup and reconciliation.
    words = COMPOSE["services"]["exporter"]["command"]
    assert container["args"] == [each for each in words if not each.startswith("--notes")]
    assert {each["secret"]["secretName"] for each in pod["volumes"] if "secret" in each} == {"wugan-operator"}
    # Of the servers' certificates it sees no key.
    (shown,) = [each["projected"]["sources"] for each in pod["volumes"] if "projected" in each]
    files = {item["path"]: item["key"] for each in shown for item in (each.get("secret") or each["configMap"])["items"]}
    assert files == {"nats.crt": "tls.crt", "gateway.crt": "tls.crt", "inside.crt": "inside.crt"}
    mounted = [each for each in COMPOSE["services"]["exporter"]["volumes"] if ":/certificates" in each]
    assert set(mounted) == {f"./certificates/{each}.crt:/certificates/{each}.crt:ro" for each in ("inside", *SERVERS)}
    assert "--certificates=/certificates" in words


def test_streams_are_made_by_the_operator_and_by_nobody_else():
    wanted = {f"WUGAN_{name.upper()}" for name in BrokerSettings.model_fields}
    (container,) = of_kind("Job")["streams"]["spec"]["template"]["spec"]["containers"]
    told = {each["name"]: each for each in container["env"]}
    assert wanted == set(told) - {"OPERATOR_PASSWORD"}
    assert told["OPERATOR_PASSWORD"]["valueFrom"]["secretKeyRef"] == {"name": "wugan-nats-users", "key": OPERATOR}
    assert told["WUGAN_NATS_URL"]["value"].startswith(f"tls://{OPERATOR}:$(OPERATOR_PASSWORD)@")
    assert list(told).index("OPERATOR_PASSWORD") < list(told).index("WUGAN_NATS_URL")  # else it is not put in
    host = COMPOSE["services"]["streams"]
    assert set(host["environment"]) == wanted - {"WUGAN_STREAM_REPLICAS"}
    assert host["command"] == container["args"] == ["deploy.cli", "streams"]
    for service in SERVICES:
        waits = COMPOSE["services"][service]["depends_on"]
        assert waits["streams"] == {"condition": "service_completed_successfully"}
        assert "OPERATOR" not in yaml.safe_dump([COMPOSE["services"][service], of_kind("Deployment")[service]])


def test_what_was_said_is_held_against_what_was_heard_every_night_by_each_services_own_role():
    cron = of_kind("CronJob")["reconcile"]["spec"]
    hour = int(cron["schedule"].split()[1])
    assert (cron["timeZone"], hour < 6, cron["jobTemplate"]["spec"]["backoffLimit"]) == ("Asia/Shanghai", True, 0)
    (container,) = cron["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    told = {each["name"]: each for each in container["env"]}
    wanted = {f"WUGAN_{name.upper()}" for name in Told.model_fields} - {"WUGAN_DATABASE_URL"}
    assert set(told) - {"OPERATOR_PASSWORD", "COLUMNS"} == wanted
    for service in SERVICES:
        place = {"name": f"wugan-{service}", "key": "database-url"}
        assert told[f"WUGAN_DATABASE_URL_{service.upper()}"]["valueFrom"]["secretKeyRef"] == place
    (made,) = of_kind("Job")["streams"]["spec"]["template"]["spec"]["containers"]
    broker = [each for each in made["env"] if each["name"] != "WUGAN_STREAM_REPLICAS"]
    assert [told[each["name"]] for each in broker] == broker
    assert list(told).index("OPERATOR_PASSWORD") < list(told).index("WUGAN_NATS_URL")  # else it is not put in
    assert container["volumeMounts"] == made["volumeMounts"]
    assert container["args"] == ["deploy.cli", "reconcile"]


def test_streams_are_rebuilt_by_the_broker_s_operator_and_each_service_s_role_when_somebody_asks_for_it():
    asked = of_kind("CronJob")["rebuild"]["spec"]
    assert asked["suspend"] is True
    pod = asked["jobTemplate"]["spec"]["template"]["spec"]
    (anew,), (said_again,) = pod["initContainers"], pod["containers"]
    (made,) = of_kind("Job")["streams"]["spec"]["template"]["spec"]["containers"]
    assert anew == made | {"args": [*made["args"], "--anew"]}
    assert said_again["args"] == ["deploy.cli", "replay"]
    (nightly,) = of_kind("CronJob")["reconcile"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert said_again["env"] == [each for each in nightly["env"] if "DATABASE" in each["name"]]


def test_the_reconciliation_reaches_databases_and_broker_and_nobody_else():
    policies = of_kind("NetworkPolicy")
    ends = {"postgres": {"cnpg.io/cluster": "wugan-postgres"}, "nats": {"app.kubernetes.io/name": "nats"}}
    selector = policies["reconcile"]["spec"]["podSelector"]["matchExpressions"][0]
    assert sorted(selector["values"]) == sorted(of_kind("CronJob"))
    egress = policies["reconcile"]["spec"]["egress"]
    assert [rule["to"] for rule in egress] == [
        [{"podSelector": {"matchLabels": ends[end]}}] for end in ("nats", "postgres")
    ]
    for end, labels in ends.items():
        spec = policies[end]["spec"]
        assert spec["podSelector"] == {"matchLabels": labels}
        assert set(of_kind("CronJob")) < set(
            spec["ingress"][0]["from"][0]["podSelector"]["matchExpressions"][0]["values"]
        )


@pytest.mark.parametrize(("service", "setting"), [("ingest", "RAW_URL"), ("recognition", "FILES_URL")])
def test_files_that_outlive_a_pod_lie_where_every_pod_of_the_service_finds_them(service, setting):
    pod = of_kind("Deployment")[service]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    told = {each["name"]: each.get("value") for each in container["env"]}
    assert told[f"WUGAN_{service.upper()}_{setting}"] == "file:///files"
    (name,) = [each["name"] for each in container["volumeMounts"] if each["mountPath"] == "/files"]
    (volume,) = [each for each in pod["volumes"] if each["name"] == name]
    claim = of_kind("PersistentVolumeClaim")[volume["persistentVolumeClaim"]["claimName"]]
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    # Nothing asks for a store whose client library is not installed.
    assert not [path for path, each in RESOURCES if "s3://" in json.dumps(each) and path.name != "postgres.yaml"]


def test_the_sql_is_handed_over_in_a_folder_whose_mode_is_anothers(tmp_path, monkeypatch):
    def refused(*_, **__):
        raise PermissionError(1, "Operation not permitted")

    for name in ("chmod", "utime", "chown"):
        monkeypatch.setattr(f"os.{name}", refused)
    container = of_kind("Job")["bootstrap"]["spec"]["template"]["spec"]["initContainers"][0]
    script = container["command"][-1].replace("/sql", str(tmp_path))
    exec(script, {})
    sql = {path.name for path in (DEPLOY / "postgres").iterdir()}
    assert {path.name for path in tmp_path.iterdir()} == sql >= {"bootstrap.sql", "service.sql"}


def test_scaling_follows_what_waits_and_stops_at_the_shards():
    scaled = of_kind("ScaledObject")
    assert set(scaled) == set(SERVICES)
    for service, each in scaled.items():
        assert each["spec"]["scaleTargetRef"]["name"] == service
        assert 2 <= each["spec"]["minReplicaCount"] <= each["spec"]["maxReplicaCount"] <= 16
        queries = [one["metadata"]["query"] for one in each["spec"]["triggers"] if one["type"] == "prometheus"]
        assert all(f'bus_consumer_pending{{consumer=~"{service}-.*"}}' in query for query in queries)
        assert queries or service == "ingest"
    # A number of its own would fight with scaling's at every apply.
    named = {each["metadata"]["name"] for _, each in RESOURCES if "replicas" in each.get("spec", {})}
    assert named == {"gateway", "exporter"}


def test_the_broker_has_the_same_users_in_a_cluster_as_on_one_machine(tmp_path):
    values = documents(DEPLOY / "kubernetes" / "nats-values.yaml")[0]
    config = values["config"]
    assert config["jetstream"]["merge"]["sync_interval"] == "always"
    assert config["merge"]["accounts"]["WUGAN"]["jetstream"] == "enabled"
    # As the chart writes it: JSON, of which includes are made words of the server's own language.
    written = re.sub(r'".*\$include": "(.*)",?', r"include \1;", json.dumps(config["merge"], indent=2))
    (mount,) = [each["value"]["mountPath"] for each in values["container"]["patch"]]
    (tmp_path / "nats-config").mkdir()
    (tmp_path / Path(mount).name).mkdir()
    shutil.copyfile(DEPLOY / "nats" / "users.conf", tmp_path / Path(mount).name / "users.conf")
    (tmp_path / "nats-config" / "nats.conf").write_text(written, encoding="utf-8")
    words = [beside_python("nats-server"), "-t", "--config", str(tmp_path / "nats-config" / "nats.conf")]
    told = dict.fromkeys(values["container"]["env"], "p1")
    said = subprocess.run(words, env=told, check=False, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    assert set(told) == {f"WUGAN_NATS_PASSWORD_{each.upper()}" for each in (*SERVICES, OPERATOR)}


def test_every_server_of_the_cluster_finds_its_own_name_in_the_certificate():
    cluster = documents(DEPLOY / "kubernetes" / "nats-values.yaml")[0]["config"]["cluster"]
    assert cluster["replicas"] == 3
    text = (DEPLOY / "kubernetes" / "README.md").read_text(encoding="utf-8").replace("\\\n", " ")
    (command,) = re.findall(r"^\$ wugan certificates (.+)$", text, re.MULTILINE)
    wanted = {"nats", *(f"nats-{number}.nats-headless" for number in range(cluster["replicas"]))}
    assert wanted <= set(re.findall(r"--host (\S+)", command))


def test_services_ask_every_server_whether_it_writes_before_it_acknowledges():
    config = documents(DEPLOY / "kubernetes" / "nats-values.yaml")[0]["config"]
    assert config["monitor"]["enabled"] is True
    servers = [f"http://nats-{number}.nats-headless:8222" for number in range(config["cluster"]["replicas"])]
    assert of_kind("ConfigMap")["wugan"]["data"]["WUGAN_NATS_MONITOR_URLS"].split(",") == servers
    policies = of_kind("NetworkPolicy")
    nats = [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "nats"}}}]
    (rule,) = [each for each in policies["services"]["spec"]["egress"] if each["to"] == nats]
    assert {each["port"] for each in rule["ports"]} == {4222, 8222}
    (entry,) = policies["nats"]["spec"]["ingress"]
    assert "ports" not in entry
    assert set(SERVICES) <= set(entry["from"][0]["podSelector"]["matchExpressions"][0]["values"])
    for service in SERVICES:
        assert COMPOSE["services"][service]["environment"]["WUGAN_NATS_MONITOR_URLS"] == "http://nats:8222"


SPECS = {
    "ScaledObject": {
        "scaleTargetRef", "pollingInterval", "cooldownPeriod", "minReplicaCount", "maxReplicaCount", "advanced", "triggers",
    },
    "Cluster": {
        "instances", "imageName", "primaryUpdateStrategy", "enableSuperuserAccess", "bootstrap", "postgresql", "plugins",
        "affinity", "resources", "storage", "walStorage",
    },
    "ObjectStore": {"configuration", "retentionPolicy"},
    "ScheduledBackup": {"cluster", "schedule", "method", "pluginConfiguration"},
    "PodMonitor": {"selector", "podMetricsEndpoints"},
    "PrometheusRule": {"groups"},
}  # fmt: skip
"""What we say to operators, whose schemas no package brings: another word is a slip until somebody has looked it up."""


def merged(base: Any, patch: Any) -> Any:
    """What kustomize makes of a patch: maps are merged; none of ours changes a list."""
    assert not isinstance(patch, list)
    if not isinstance(patch, dict):
        return patch
    return {**base, **{key: merged(base.get(key, {}), each) for key, each in patch.items()}}


def test_whoever_takes_a_manifest_would_take_it_as_the_installation_makes_it():
    applied = {
        (each["kind"], each["metadata"]["name"]): each
        for path, each in RESOURCES
        if path.parent != PRODUCTION and each["kind"] != "Kustomization"
    }
    for patch in documents(PRODUCTION / "kustomization.yaml")[0]["patches"]:
        for each in documents(PRODUCTION / patch["path"]):
            key = (each["kind"], each["metadata"]["name"])
            applied[key] = merged(applied[key], each)
    for (kind, _), each in applied.items():
        if kind in SPECS:
            assert each["spec"].keys() <= SPECS[kind], kind
        else:
            kubernetes_validate.validate(each, "1.36", strict=True)
    assert applied["ScaledObject", "recognition"]["spec"]["minReplicaCount"] == 4
