"""Fixtures of the whole suite live in tests/support; nothing is imported from here."""

pytest_plugins = ["tests.support.servers", "tests.support.database", "tests.support.issuer"]
