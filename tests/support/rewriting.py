"""Before workers start, rewrites the asserts of changed tests once; else each of them does it for every test of the suite.

pytest keeps what it rewrote beside the tests, but workers begin with the same file at the same time.
"""

import multiprocessing
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from _pytest.assertion import rewrite

TESTS = Path(__file__).parents[1]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config) -> None:
    """Only where there are workers: a run alone rewrites what it collects."""
    if not sys.dont_write_bytecode and rewrite.assertstate_key in config.stash:
        paths, share = _rewritten(TESTS), os.cpu_count() or 1
        fork = multiprocessing.get_context("fork")
        helpers = [fork.Process(target=rewrite_all, args=(config, paths[begin::share])) for begin in range(share)]
        for each in helpers:
            each.start()
        for each in helpers:
            each.join()


def rewrite_all(config: pytest.Config, paths: Sequence[Path]) -> None:
    """Put beside each of these files what pytest would when it imports it."""
    for path in paths:
        kept = rewrite.get_cache_dir(path) / f"{path.stem}{rewrite.PYC_TAIL}"
        if rewrite._read_pyc(path, kept) is None:
            kept.parent.mkdir(exist_ok=True)
            digest, code = rewrite._rewrite_test(path, config)
            rewrite._write_pyc(config.stash[rewrite.assertstate_key], code, digest, kept)


def _rewritten(root: Path) -> list[Path]:
    return sorted(path for name in ("test_*.py", "conftest.py") for path in root.rglob(name))
