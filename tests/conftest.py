"""Fixtures of the whole suite live in tests/support; nothing is imported from here."""

pytest_plugins = ["tests.support.servers", "tests.support.database", "tests.support.issuer", "tests.support.logs"]


def pytest_collection_modifyitems(items):
    """Long stories begin first, so that two workers end together; the rest stays in its random order."""
    items.sort(key=lambda item: "tests/flows/test_city" not in item.nodeid)
