"""Fixture: a token issuer of the test's own."""

import pytest

from tests.support.tokens import Issuer


@pytest.fixture(scope="session")
def issuer() -> Issuer:
    """Signs tokens that `issuer.guard()` trusts: `issuer.headers("ingest.upload", role="department")`."""
    return Issuer()
