"""Compose file and image: whole, closed, and asking for what the commands make."""

import re

import yaml

from deploy.installing import environment
from deploy.local.clients import SERVICES
from deploy.local.programs import DEPLOY, ROOT
from deploy.local.services import MEMORY

COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))


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
