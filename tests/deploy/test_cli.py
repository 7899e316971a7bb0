"""The command line says what it can do, quickly."""

import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from deploy.cli import app, parse_workers


def test_help_names_every_command():
    said = CliRunner().invoke(app, ["--help"]).stdout
    assert all(name in said for name in ("up", "migrate", "city", "demo", "accuracy"))


def test_help_loads_no_service_and_nothing_heavy():
    code = "import sys, deploy.cli; print([m for m in sys.modules if m.split('.')[0] in ('services', 'polars', 'pyarrow', 'numpy', 'fastapi', 'sqlalchemy')])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


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
