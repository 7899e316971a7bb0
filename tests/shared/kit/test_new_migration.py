"""`make migrate`: the next migration stands on the newest one, and alembic takes it."""

import re
import shutil
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from tests.support.new_migration import ROOT, new_migration
from tests.support.record import SERVICES


def scripts(root: Path, service: str) -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(root / "services" / service / "migrations"))
    return ScriptDirectory.from_config(config)


@pytest.mark.parametrize("service", SERVICES)
def test_it_is_numbered_after_the_head_and_becomes_the_head(tmp_path, service):
    shutil.copytree(ROOT / "services" / service / "migrations", tmp_path / "services" / service / "migrations")
    before = scripts(tmp_path, service).get_current_head() or ""
    for text, name in (("Keep hints a month, not a year", "keep_hints_a_month"), ("And index them.", "and_index_them")):
        path = new_migration(service, text, tmp_path)
        number = int(before.rpartition("_")[2]) + 1
        assert path.name == f"{number:04}_{name}.py"
        after = scripts(tmp_path, service)
        assert after.get_heads() == [f"{service}_{number:04}"]
        assert after.get_revision("head").down_revision == before
        assert after.get_revision("head").doc == text.rstrip(".") + "."
        before = after.get_heads()[0]


@pytest.mark.parametrize(("service", "text"), [("nobody", "Do it."), ("ingest", ""), ("ingest", "。")])
def test_without_a_service_and_a_word_nothing_is_written(tmp_path, service, text):
    with pytest.raises(ValueError, match="make migrate"):
        new_migration(service, text, tmp_path)


def test_the_makefile_calls_modules_that_are_there():
    called = re.findall(r"-m ((?:tests|deploy)\.[\w.]+)", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert "tests.support.new_migration" in called
    for name in called:
        path = ROOT / name.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), name
