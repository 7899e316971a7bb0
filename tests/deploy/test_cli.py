"""The command line says what it can do, quickly."""

import subprocess
import sys
from datetime import date

import pytest
import typer
from typer.testing import CliRunner

from deploy.cli import app
from deploy.demo.city.manifest import MANIFEST, Manifest, write_manifest
from deploy.local import ask
from deploy.local.clients import INSTALLED
from deploy.local.secrets import load_or_make
from deploy.workers import parse_workers


def test_help_names_every_command():
    said = CliRunner().invoke(app, ["--help"]).stdout
    assert all(name in said for name in ("up", "migrate", "city", "demo", "accuracy", "reconcile"))


def test_help_loads_no_service_and_nothing_heavy():
    code = "import sys, deploy.cli; print([m for m in sys.modules if m.split('.')[0] in ('services', 'polars', 'pyarrow', 'numpy', 'fastapi', 'sqlalchemy')])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("words", "environment", "sentence"),
    [
        ("city someone --out {empty}", {}, "wugan city: {empty} holds no generated city; make one with"),
        ("city someone --out {gone}", {}, "wugan city: {gone} holds no generated city; make one with"),
        ("city someone --out {broken}", {}, "wugan city: {broken} holds no generated city; make one with"),
        ("city show --out {broken}", {}, "wugan city: {broken} holds no generated city; make one with"),
        ("accuracy --city {broken} --data {empty}", {}, "wugan: {broken} holds no generated city; make one with"),
        ("audit verify --data {empty}", {}, "demo-auditor.pem is not there: start the stack with that --data first"),
        ("status --data {empty}", {}, "start the stack with that --data first, say --data var/demo/stack, or another"),
        ("dead-letters list --data {empty}", {}, "demo-operator.pem is not there: start the stack with that --data"),
        ("dead-letters redrive --data {kept} --client-id bank", {}, "bank.pem is not there: start the stack with"),
        ("demo --data {demo}", {}, "cannot be read: remove {demo}/city-0.01-2023, and the demo makes it anew."),
        ("demo --data {demo} --seed 5", {}, "is gone: remove {demo}/city-0.01-5, and the demo makes it anew."),
        ("demo --data {empty}", {"WUGAN_NATS_URL": "nats://h"}, "unset WUGAN_NATS_URL and it starts one of its own."),
        ("demo --data {empty}", {"WUGAN_DATABASE_URL": "x://h"}, "wugan: WUGAN_DATABASE_URL is no address of"),
        ("up --data {kept} --fresh", {"WUGAN_DATABASE_URL": "x://h"}, "wugan: WUGAN_DATABASE_URL is no address of"),
        ("migrate --data {empty}", {"WUGAN_DATABASE_URL": "x://h"}, "wugan: WUGAN_DATABASE_URL is no address of"),
        ("up --data {installed}", {}, "was set up without the demo's clients"),
        ("backup --data {kept} --to {empty}", {"WUGAN_DATABASE_URL": "x://h"}, "wugan: WUGAN_DATABASE_URL is no addr"),
    ],
)
def test_trouble_is_one_sentence_and_exit_code_1(tmp_path, monkeypatch, words, environment, sentence):
    for name in ("WUGAN_DATABASE_URL", "WUGAN_NATS_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "var" / "demo" / "stack").mkdir(parents=True)
    places = {name: tmp_path / name for name in ("empty", "gone", "broken", "demo", "kept", "installed")}
    places["empty"].mkdir()
    _write(places["broken"] / MANIFEST, "null")
    _write(places["demo"] / "city-0.01-2023" / MANIFEST, "{")
    write_manifest(_nobody(places["demo"] / "city-0.01-5"))
    _write(places["kept"] / "wugan.json", "{}")
    (places["kept"] / "secrets").mkdir()
    load_or_make(places["kept"] / "secrets")
    _write(places["installed"] / "wugan.json", "{}")
    (places["installed"] / "secrets").mkdir()
    load_or_make(places["installed"] / "secrets", INSTALLED)
    said = CliRunner().invoke(app, words.format(**places).split())
    assert said.exit_code == 1
    assert isinstance(said.exception, SystemExit)
    assert sentence.format(**places) in said.stderr
    assert said.stderr.count("\n") == 1
    assert (places["kept"] / "secrets" / "keys.json").exists()


@pytest.mark.parametrize(
    ("words", "user"),
    [("demo-officer", "officer-zhao"), ("demo-officer --user officer-sun", "officer-sun"), ("demo-partner", None)],
)
def test_a_token_of_officers_names_a_person(monkeypatch, words, user):
    monkeypatch.setattr(ask, "token", lambda *_, user, **_places: str(user))
    assert CliRunner().invoke(app, ["token", *words.split()]).stdout == f"{user}\n"


def _write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _nobody(root):
    root.mkdir(parents=True)
    return Manifest(
        root=root, scale=0.01, seed=5, today=date(2023, 11, 1), people=0, enrolments=0, records=0, monthly_fen=0,
        grids=0, files=(),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "counts"),
    [
        ([], {}),
        (["scoring=4"], {"scoring": 4}),
        (["2", "scoring=4"], {"ingest": 2, "scoring": 4, "grid": 2, "recognition": 2, "notify": 2}),
        (["scoring=4", "2"], {"ingest": 2, "scoring": 4, "grid": 2, "recognition": 2, "notify": 2}),
    ],
)
def test_workers_are_given_for_all_or_for_one(words, counts):
    assert parse_workers(words) == counts


@pytest.mark.parametrize("word", ["", "0", "17", "x", "billing=2", "scoring=", "scoring=-1"])
def test_other_words_for_workers_are_refused(word):
    with pytest.raises(typer.BadParameter):
        parse_workers([word])
