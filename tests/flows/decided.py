"""What a run of a city decides, whatever happens on the way: every table but for its ids, instants and sealed bytes."""

import re
from collections.abc import Mapping

from tests.chaos.digest import Table, digest, tables

_BY_CHANCE = re.compile(
    r".*(_at|_id|_ids)|at|id|jti|seq|sealed|body|batch|batch_no|person_no|fingerprint|digest|revision|tries|.*_key|.*_hash"
)
"""Columns that differ between two undisturbed runs: what is drawn, told by the clock, or numbered in order of arrival."""

_OF_A_MOMENT: Mapping[str, frozenset[str]] = {
    # Whoever was certified before his death record was weighed was so for a moment.
    "recognition.standing": frozenset({"announced_until", "as_of", "reasons"}),
    "grid.recipients": frozenset({"active_since"}),
    "notify.do_not_write": frozenset({"since"}),
    "notify.death_record": frozenset({"since"}),
    "scoring.assessment": frozenset({"evidence_class"}),
}

_ON_THE_WAY = frozenset({"recognition.assertion", "scoring.origin"})
"""Tokens asked for again after a broken answer; sources numbered in the order in which they were first heard."""


async def tables_of(url: str) -> Mapping[str, Table]:
    """The digest of every table's rows over the columns that the city decides."""
    wanted = {
        name: [each for each in columns if not _BY_CHANCE.fullmatch(each) and each not in _OF_A_MOMENT.get(name, ())]
        for name, columns in (await tables(url)).items()
        if name not in _ON_THE_WAY
    }
    return await digest(url, wanted)
