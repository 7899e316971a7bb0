"""What `make setup` does before it installs: a Python that fits, and a virtual environment that is of it and whole."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.programs import ROOT

_PYTHON = """#!/bin/sh
# A Python that says it is {version}, in which {missing} is missing; `-m venv` makes one that installs nothing.
case "$*" in
    "-m pip"*) exit 0 ;;
    "-m venv --clear"*) for folder; do :; done; rm -rf "$folder"; mkdir -p "$folder/bin"; touch "$folder/made-by-{name}"
        sed "s/import ensurepip/nothing/" "$0" > "$folder/bin/python"; chmod +x "$folder/bin/python" ;;
    *"import {missing}"*) exit 1 ;;
    -c*) exec {real} -c "import sys; sys.version_info = {version}; $2" ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("requirements.lock", "pyproject.toml"):
        (tmp_path / name).touch()
    return tmp_path


def python(checkout: Path, name: str, version: tuple[int, ...], *, missing: str = "nothing") -> Path:
    path = checkout / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_PYTHON.format(name=path.name, version=version, missing=missing, real=sys.executable))
    path.chmod(0o755)
    return path


def setup(checkout: Path, python: Path | str) -> tuple[int, str]:
    done = subprocess.run(
        ["make", "setup", f"PYTHON={python}"],
        cwd=checkout, env=dict(os.environ), capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stderr


def made_by(checkout: Path) -> list[str]:
    return [each.name for each in (checkout / ".venv").glob("made-by-*")]


@pytest.mark.parametrize("version", [(3, 10, 12), None])
def test_a_python_that_is_too_old_or_absent_is_told_in_one_sentence(checkout, version):
    named = python(checkout, "python3", version) if version else "no-such-python"
    code, said = setup(checkout, named)
    assert code != 0
    assert "Python 3.11 or newer" in said
    assert "make PYTHON=python3.11" in said
    assert not (checkout / ".venv").exists()


def test_a_debian_without_the_venv_package_is_told_which(checkout):
    code, said = setup(checkout, python(checkout, "python3", (3, 11, 2), missing="ensurepip"))
    assert code != 0
    assert "apt install python3-venv" in said
    assert not (checkout / ".venv").exists()


def test_an_environment_of_another_python_is_made_anew_and_one_of_this_is_kept(checkout):
    python(checkout, ".venv/bin/python", (3, 10, 12))
    (checkout / ".venv" / "made-by-python3.10").touch()
    newer = python(checkout, "python3.11", (3, 11, 9))
    assert setup(checkout, newer) == (0, "")
    assert made_by(checkout) == ["made-by-python3.11"]
    (checkout / ".venv" / ".installed").unlink()
    (checkout / ".venv" / "made-by-python3.11").rename(checkout / ".venv" / "made-by-kept")
    assert setup(checkout, newer) == (0, "")
    assert made_by(checkout) == ["made-by-kept"]


def test_an_environment_without_pip_is_made_anew(checkout):
    python(checkout, ".venv/bin/python", (3, 11, 9), missing="pip")
    assert setup(checkout, python(checkout, "python3", (3, 11, 9))) == (0, "")
    assert made_by(checkout) == ["made-by-python3"]
