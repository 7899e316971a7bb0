"""Fixtures of the whole suite live in tests/support; nothing is imported from here."""

import gc

# Collecting makes objects that stay to the end, so that looking for garbage among them finds none.
gc.disable()

from hypothesis import HealthCheck, settings  # noqa: E402

# How long an example takes says how busy the machine is, not how right the code.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")

pytest_plugins = ["tests.support.servers", "tests.support.database", "tests.support.issuer", "tests.support.logs",
                  "tests.support.rewriting"]  # fmt: skip

_LONG = ("flows/test_city", "bench/test_sections", "flows/", "jobs/test_killed", "local/test_stack",
         "bench/", "test_year", "test_cluster", "backup/", "test_wrong_tokens", "notify/test_villages")  # fmt: skip


def pytest_collection_modifyitems(items):
    """Long stories begin first, so that all workers end together; the rest stays in its random order.

    Within a story, what asks for its end comes after what needs it running.
    """
    items.sort(key=lambda item: (next((place for place, name in enumerate(_LONG) if name in item.nodeid), len(_LONG)),
                                 "ended" in item.fixturenames))  # fmt: skip


def pytest_collection_finish():
    """What collecting has loaded stays to the end: looking through it again and again is a tenth of the suite's work."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()
