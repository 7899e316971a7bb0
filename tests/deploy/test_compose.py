"""Compose file and image: whole, closed, and asking for what the commands make."""

import re

import yaml

from deploy.backup.reconciling import Told
from deploy.installing import environment
from deploy.local.clients import SERVICES
from deploy.local.programs import DEPLOY, ROOT
from deploy.local.services import MEMORY

COMPOSE = yaml.load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"), yaml.CSafeLoader)


def test_compose_is_closed_and_whole():
    services = COMPOSE["services"]
    assert {name for name, each in services.items() if "ports" in each} == {"gateway"}
    assert COMPOSE["networks"]["inside"]["internal"] is True
    for name, each in services.items():
        assert set(each.get("depends_on", ())) <= set(services)
        assert set(each["networks"]) <= set(COMPOSE["networks"])
        named = {one["source"] if isinstance(one, dict) else one for one in each.get("secrets", ())}
        assert named <= set(COMPOSE["secrets"])
        for volume in each.get("volumes", ()):
            source = volume.split(":", 1)[0]
            assert source in COMPOSE["volumes"] or source.startswith("./"), volume
            if source.startswith("./") and not source.startswith("./certificates"):
                assert (DEPLOY / source).is_dir()
        if name.partition("-")[0] in SERVICES or name in {"gateway", "nats"}:
            assert each["read_only"] is True
            assert each["cap_drop"] == ["ALL"]


def test_on_a_host_everything_is_archived_and_held_against_what_was_heard_and_the_exporter_tells():
    backup, reconcile, exporter = (COMPOSE["services"][each] for each in ("backup", "reconcile", "exporter"))
    assert {"--follow", "--data=/data", "--to=/backups"} < set(backup["command"])
    assert backup["secrets"] == [{"source": "keys", "target": "/data/secrets/keys.json"}]
    assert COMPOSE["secrets"]["keys"]["file"] == "./secrets/keys.json"
    # Whose files outlive a process, where the archiver looks for them.
    kept = {f"{each}-data:/data/services/{each}:ro" for each in ("ingest", "recognition")}
    assert kept <= set(backup["volumes"])
    wanted = {f"WUGAN_{name.upper()}" for name in Told.model_fields} - {"WUGAN_DATABASE_URL"}
    assert set(reconcile["environment"]) - {"COLUMNS"} == wanted
    assert set(reconcile["depends_on"]) == set(SERVICES)
    assert "--notes=/var/lib/wugan" in exporter["command"]
    for each in (backup, reconcile, exporter):
        assert any(volume.startswith("notes:/var/lib/wugan") for volume in each["volumes"])
    text = " ".join([*backup["command"], *reconcile["entrypoint"]])
    assert text.count("/var/lib/wugan/") == 2


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
    assert lines.count("\nFROM ") == 3
    assert "--require-hashes" in lines
    assert all(f"{name}={value}" in lines for name, value in MEMORY.items())
    for stage in lines.split("\nFROM ")[2:]:
        assert stage.rindex("\nUSER 10001:10001") > stage.rindex("\nCOPY ")
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copied = {word for words in re.findall(r"^COPY (?!--from)(.+) \S+$", lines, re.MULTILINE) for word in words.split()}
    assert {f"!{each}" for each in copied} <= set(ignored)
    for secret in ("deploy/.env", "deploy/secrets", "deploy/certificates"):
        assert ignored.index(secret) > ignored.index("!deploy")
