"""Refusals in the usage log: one by one while they are few, as a number where they are a flood."""

from dataclasses import dataclass, field, replace

from services.recognition.domain.limits import Buckets, Policy
from services.recognition.store import lookups
from services.recognition.store.lookups import Asker
from shared.kit.clock import wall
from shared.kit.db import Database

OF_ONE = Policy(rate=0.1, burst=30, day=0)
"""Rows a second for one caller: enough to see who tries what; the rest adds nothing but their number."""
OF_ALL = Policy(rate=5.0, burst=1000, day=0)
"""For everybody together, so that no number of addresses fills the log: 432,000 rows a day at most."""
_MOST_HELD = 1000
_EVERYBODY = "-"


def denied(code: str, times: int = 1) -> str:
    """What the usage log says of a refusal, or of several under one row."""
    return f"denied:{code}" if times == 1 else f"denied:{code}*{times}"


@dataclass(slots=True)
class _Held:
    """Refusals that got no row of their own: the last of them, and how many there were."""

    who: Asker
    times: int


@dataclass(slots=True)
class Refusals:
    """Writes down whom nobody limits: callers without a name, and those who go on beyond their limit."""

    database: Database
    of_one: Policy = OF_ONE
    of_all: Policy = OF_ALL
    _one: Buckets = field(init=False)
    _all: Buckets = field(init=False)
    _held: dict[tuple[str, str, str], _Held] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._one, self._all = Buckets(self.of_one), Buckets(self.of_all)

    async def note(self, caller: str, who: Asker, code: str) -> None:
        """Keep a refusal before it leaves: as a row, or counted for later.

        Args:
            caller: whose share of the log it takes: a client, or the address of somebody unknown.
            who: what the row says of him.
            code: of the problem.
        """
        now = wall()
        if self._one.take(caller, now) or self._all.take(_EVERYBODY, now):
            self._hold(caller, who, code)
            return
        await lookups.log_refusal(self.database, who, denied(code))

    def _hold(self, caller: str, who: Asker, code: str) -> None:
        key = (caller, who.action, code)
        if key not in self._held and len(self._held) >= _MOST_HELD:
            key, who = (_EVERYBODY, who.action, code), replace(who, user=_EVERYBODY)
        held = self._held.setdefault(key, _Held(who, 0))
        held.who, held.times = who, held.times + 1

    async def flush(self) -> int:
        """Write the numbers down; how many refusals they stand for."""
        written = 0
        for key in list(self._held):
            one = self._held.pop(key)
            try:
                await lookups.log_refusal(self.database, one.who, denied(key[2], one.times))
            except BaseException:
                self._held.setdefault(key, _Held(one.who, 0)).times += one.times
                raise
            written += one.times
        return written
