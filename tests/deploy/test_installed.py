"""What is installed from the wheel runs where there is no checkout: in production there is none."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[2]
_LOOK = """
import gc, pkgutil, sys
gc.disable()  # nothing is thrown away while loading
from importlib import import_module
root, site = sys.argv[1:]
sys.path[:] = [site, *(path for path in sys.path if path and path != root)]
seen = []
for name in ("services", "shared", "deploy"):
    package = import_module(name)
    assert package.__file__.startswith(site), package.__file__
    for found in pkgutil.walk_packages(package.__path__, f"{name}."):
        if not found.name.endswith(("__main__", "migrations.env")) and ".versions." not in found.name:
            seen.append(import_module(found.name).__name__)
from shared.kit.schema import head
print(len(seen), *(head(name) for name in ("ingest", "scoring", "grid", "recognition", "notify")))
assert not [name for name in sys.modules if name.split(".")[0] == "tests"]
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> str:
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path_factory.mktemp("built")), versions=["standard"])
    return wheel


def test_the_wheel_holds_what_runs(built):
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


def test_every_module_of_the_wheel_loads_without_the_checkout(built, tmp_path):
    site = tmp_path / "site"
    zipfile.ZipFile(built).extractall(site)
    done = subprocess.run(
        [sys.executable, "-c", _LOOK, str(ROOT), str(site)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    count, *heads = done.stdout.split()
    assert int(count) > 400
    assert len(heads) == 5
