"""What a person at the terminal is told when something cannot be done."""

import re

import pytest
from typer.testing import CliRunner

from deploy.backup import taking
from deploy.backup.place import Place
from deploy.backup.taking import origin
from deploy.cli import app
from deploy.local.clients import SERVICES, service_cards
from deploy.local.database import parse_url
from deploy.local.programs import postgres_program
from deploy.local.secrets import load_or_make


def asked(capfd: pytest.CaptureFixture[str], *words: object) -> tuple[int, str]:
    answer = CliRunner().invoke(app, [str(word) for word in words])
    out, err = capfd.readouterr()
    return answer.exit_code, answer.output + out + err


def test_a_restore_says_what_is_missing(tmp_path, capfd):
    backups, data = tmp_path / "backups", tmp_path / "stack"
    assert "no folder of backups" in asked(capfd, "restore", "--from", backups, "--data", data)[1]
    Place(backups).open()
    code, said = asked(capfd, "restore", "--from", backups, "--data", data, "--at", "2026-11-26T21:00:00")
    assert (code, "+08:00" in said) == (1, True)
    assert "is no moment" in asked(capfd, "restore", "--from", backups, "--data", data, "--at", "yesterday")[1]
    assert "those there are none" in asked(capfd, "restore", "--from", backups, "--data", data)[1]


def test_a_backup_or_replay_without_a_running_stack_is_told(tmp_path, capfd, monkeypatch):
    monkeypatch.delenv("WUGAN_DATABASE_URL", raising=False)
    data = tmp_path / "stack"
    (data / "secrets").mkdir(parents=True)
    load_or_make(data / "secrets")
    code, said = asked(capfd, "backup", "--to", tmp_path / "backups", "--data", data)
    assert (code, "start the stack first" in said) == (1, True)
    assert "start the stack first" in asked(capfd, "replay", "--data", data)[1]
    monkeypatch.delenv("WUGAN_NATS_URL", raising=False)
    code, said = asked(capfd, "reconcile", "--data", data)
    assert (code, "start the stack first" in said) == (1, True)
    # Where every service names its own database, nothing else is needed: no folder, no keys.
    for each in SERVICES:
        monkeypatch.setenv(f"WUGAN_DATABASE_URL_{each.upper()}", "postgresql://admin:secret@127.0.0.1:1/wugan")
    assert "Connect call failed" in asked(capfd, "replay", "--data", tmp_path / "nowhere")[1]
    assert "There is no service weather" in asked(capfd, "replay", "weather", "--data", data)[1]


def test_what_is_replayed_lies_in_the_database_the_environment_names(tmp_path, monkeypatch):
    (tmp_path / "secrets").mkdir()
    listed = load_or_make(tmp_path / "secrets", service_cards()).clients_file.read_bytes()
    monkeypatch.setenv("WUGAN_DATABASE_URL", "postgresql://admin:secret@db.example:5432/bozhou")
    assert origin(tmp_path).database == "bozhou"
    monkeypatch.setenv("WUGAN_DATABASE_URL", "postgresql://admin:secret@db.example:5432/postgres")
    assert origin(tmp_path).database == "wugan"
    assert (tmp_path / "secrets" / "clients.json").read_bytes() == listed


def test_a_server_that_asks_for_tls_is_reached_as_its_url_says_by_programs_that_can(tmp_path, monkeypatch):
    installed = tmp_path / "pg_basebackup"
    installed.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    far, _ = parse_url("postgresql://admin:secret@db.example:5432/wugan?sslmode=verify-full&sslrootcert=/inside.crt")
    told = taking._environment(far)
    assert (told["PGSSLMODE"], told["PGSSLROOTCERT"], told["PGHOST"]) == ("verify-full", "/inside.crt", "db.example")
    assert far.program("pg_basebackup") == str(installed)
    near, _ = parse_url("postgresql://admin:secret@127.0.0.1:5432/wugan")
    assert near.program("pg_basebackup") == postgres_program("pg_basebackup")


def test_an_installation_is_told_its_secrets_and_gets_certificates(tmp_path, capfd):
    code, said = asked(capfd, "secrets", "--to", tmp_path / "secrets")
    assert code == 0
    assert "WUGAN_SUBJECT_KEY=" in said
    assert asked(capfd, "secrets", "--to", tmp_path / "secrets")[1] == said
    # A key that was put before the others is there whenever it is printed again: else what it sealed is lost.
    rotated = asked(capfd, "secrets", "--to", tmp_path / "secrets", "--rotate-vault")[1]
    before, after = (re.findall("WUGAN_VAULT_KEYS=(.+)", each)[0] for each in (said, rotated))
    assert re.fullmatch(f"k2:[0-9a-f]{{64}},{before}", after)
    assert asked(capfd, "secrets", "--to", tmp_path / "secrets")[1] == rotated == said.replace(before, after)
    code, said = asked(capfd, "certificates", "--to", tmp_path / "tls", "--host", "localhost", "--partner", "hrss")
    assert (code, "partner-hrss.crt was issued" in said) == (0, True)
    assert "is good for two months more" in asked(capfd, "certificates", "--to", tmp_path / "tls", "--host", "localhost",
                                                  "--partner", "hrss")[1]  # fmt: skip
    assert asked(capfd, "status", "--data", tmp_path)[0] == 1
