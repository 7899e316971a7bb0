"""One tiny city for all tests of this room, and the people of a larger one without files."""

from pathlib import Path

import pytest

from deploy.demo.city.city import City, make_city
from deploy.demo.city.generate import generate
from deploy.demo.city.manifest import Manifest

TINY = 0.0005


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return generate(TINY, 7, tmp_path_factory.mktemp("city") / "tiny")


@pytest.fixture(scope="session")
def hundredth() -> City:
    return make_city(0.01, 7)


@pytest.fixture
def root(tiny: Manifest) -> Path:
    return tiny.root
