"""What tests of TLS share."""

from pathlib import Path

import pytest

from deploy import certificates
from deploy.local.ports import HOST


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates as an operator makes them, and those of somebody else."""
    folder = tmp_path_factory.mktemp("certificates")
    certificates.make(folder, ["localhost", HOST], ["bank", "court"])
    certificates.make(folder / "strangers", ["localhost", HOST], ["bank"])
    return folder
