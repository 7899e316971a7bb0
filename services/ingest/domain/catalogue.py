"""What a source is: who delivers it, what a row of it says, and which rows count."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

OCCURRED_ON, CITIZEN_ID, NAME, SEX, AGE = "occurred_on", "citizen_id", "name", "sex", "age"
UNEVEN = "\x1funeven"
"""Column that tells of the rows of a text which have more or fewer cells than its first line; no header is so named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRule:
    """The values of one deciding column.

    Attributes:
        counts: values whose rows count, with the source's own kind.
        weaker: values whose rows count with that kind, too, but tell less surely that it was the person: never `full`.
        not_counted: values whose rows the source's own rule leaves out (a telephone call is no visit).
        kinds: values that say something else than the source's own kind.
    """

    counts: frozenset[str] = frozenset()
    weaker: frozenset[str] = frozenset()
    not_counted: frozenset[str] = frozenset()
    kinds: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A row as it comes, and what must become of it."""

    row: Mapping[str, str]
    verdict: str
    reason: str | None
    kind: str | None
    occurred_on: date | None
    identity: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One of the data sources.

    Attributes:
        kind: what an accepted row says unless a code says otherwise (EvidenceKind).
        identity: `id_only`, or `full` where by their nature its rows hold no name and a reader checked card and face;
            a matching name makes `full` anywhere.
        identification: how and by what rule such a reader tells who somebody is.
        several_people: a row may name several people, as a visit to a household does.
        columns: accepted headers by canonical column, in order of preference.
        codes: rules of deciding columns.
        dates: by kind, the column that holds its own day where a file has it (released, not admitted).
        id_may_be_blank: a row without an id is no fault, and it or one with a wrong id a hint (funeral homes).
        hint: accepted headers of `sex` and `age`, which with the name tell whom a row without an id may mean.
    """

    code: str
    label: str
    department: str
    polarity: str
    strength: str
    kind: str
    identity: str
    why: str
    reference: str
    frequency: str
    latency_days: int
    retention_months: int
    id_may_be_blank: bool
    several_people: bool = False
    columns: Mapping[str, tuple[str, ...]]
    hint: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    codes: Mapping[str, CodeRule]
    dates: Mapping[str, str] = field(default_factory=dict)
    identification: str = ""
    examples: tuple[Example, ...]

    @property
    def identified_by_reader(self) -> bool:
        """Whether a row tells for certain whom it means without a name in it."""
        return self.identity == "full" and NAME not in self.columns

    @property
    def headers(self) -> list[str]:
        """All accepted headers."""
        return [each for aliases in (*self.columns.values(), *self.hint.values()) for each in aliases]

    def matched_columns(self, headers: list[str]) -> dict[str, str]:
        """Header to canonical name for the columns this source needs; spaces in headers do not matter."""
        clean = {header.replace(" ", "").replace("\ufeff", "").lower(): header for header in reversed(headers)}
        found: dict[str, str] = {}
        for canonical, aliases in (*self.columns.items(), *self.hint.items()):
            for alias in aliases:
                if (header := clean.get(alias.lower())) is not None:
                    found[header] = canonical
                    break
        return found

    def missing_columns(self, headers: list[str]) -> list[str]:
        """Canonical columns no header stands for; a name, days of other kinds and what hints need may be missing."""
        found = set(self.matched_columns(headers).values())
        # The day of the source's own kind stands for that of any row, but no other kind's does.
        dated = {OCCURRED_ON} if self.dates.get(self.kind) in found else set()
        return [name for name in self.columns if name not in {NAME, *self.dates.values(), *dated, *found}]


def facts(source: Source) -> dict[str, Any]:
    """The part of a source that may be shown to anybody who may see the catalogue."""
    return {
        "code": source.code,
        "label": source.label,
        "department": source.department,
        "polarity": source.polarity,
        "strength": source.strength,
        "kind": source.kind,
        "frequency": source.frequency,
        "latency_days": source.latency_days,
        "reference": source.reference,
        "why": source.why,
        "columns": {name: list(aliases) for name, aliases in (*source.columns.items(), *source.hint.items())},
    }


def tally(sources: Collection[Source]) -> dict[str, int]:
    """How many there are, of how many departments, and of which polarity and strength."""
    told = Counter(word for source in sources for word in (source.polarity, source.strength))
    return {"sources": len(sources), "departments": len({source.department for source in sources}), **told}
