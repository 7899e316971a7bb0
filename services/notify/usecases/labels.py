"""Labels of programs: recognition's files have them, notify repeats them in its texts."""

from collections.abc import Mapping

from services.notify.store import labels as store
from services.notify.usecases.deps import Deps
from shared.kit.db import ReadTx, WriteTx


async def remember(tx: ReadTx, deps: Deps) -> None:
    """Know what was told before this process began."""
    deps.labels.update(await store.list_all(tx))


async def keep(tx: WriteTx, deps: Deps, told: Mapping[str, str]) -> None:
    """Keep what recognition says now; a program it no longer has keeps its label for old messages."""
    new = {code: label for code, label in told.items() if deps.labels.get(code) != label}
    if new:
        await store.keep(tx, new)
        tx.after_commit.append(lambda: deps.labels.update(new))
