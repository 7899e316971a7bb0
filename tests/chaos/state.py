"""What is known of a series of runs, kept in a folder so that a series of the same code may be gone on with."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.digest import Table


@dataclass(slots=True)
class Undisturbed:
    """What the city decides, as undisturbed runs agreed.

    Attributes:
        seconds: of a run.
        accuracy: how right its answers were.
        texts_twice: texts the outside world was sent more than once, word for word.
        tables: digests of the columns in which they agreed.
        ends: what they came to beside them.
        unlike: tables of which they had unlike numbers of rows, which are compared with nothing.
    """

    seconds: float
    accuracy: Mapping[str, Any]
    texts_twice: int
    tables: Mapping[str, Table]
    ends: Mapping[str, Table]
    unlike: Sequence[str] = ()


@dataclass(slots=True)
class Row:
    """One disturbed run.

    Attributes:
        recovery: from the end of the fault until all that was said by then was heard, seconds.
        lost: rows a table has fewer than undisturbed, all tables together; `doubled`: more.
        differs: what is different, in words.
    """

    fault: str
    where: str
    recovery: float | None = None
    seconds: float = 0.0
    parked: int = 0
    lost: int = 0
    doubled: int = 0
    differs: list[str] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Whether it ended otherwise than an undisturbed run."""
        return bool(self.differs or self.lost or self.doubled)


@dataclass(slots=True)
class Series:
    """Undisturbed runs, and disturbed ones; `rows` holds every run of a fault, a failed one beside its repetition.

    `code` says which version was run: what another version did says nothing about this one.
    """

    folder: Path
    seed: int
    lasting: float
    code: str
    undisturbed: Undisturbed | None = None
    rows: dict[str, list[Row]] = field(default_factory=dict)

    @property
    def secrets(self) -> Path:
        """Keys of the first run: with them people have the same pseudonyms in all."""
        return self.folder / "secrets"

    @property
    def _file(self) -> Path:
        return self.folder / "series.json"

    def save(self) -> None:
        """Keep what is known so far."""
        known = {
            "seed": self.seed,
            "lasting": self.lasting,
            "code": self.code,
            "undisturbed": self.undisturbed and asdict(self.undisturbed),
            "rows": [asdict(row) for rows in self.rows.values() for row in rows],
        }
        self._file.write_text(json.dumps(known, ensure_ascii=False, indent=1), encoding="utf-8")

    def forget(self) -> None:
        """The series is over: the next one begins anew."""
        self._file.unlink()

    def load(self) -> None:
        """Go on with what the folder holds of the same series of the same code."""
        if not self._file.exists():
            return
        known = json.loads(self._file.read_text(encoding="utf-8"))
        same = (known["seed"], known["lasting"], known.get("code")) == (self.seed, self.lasting, self.code)
        if not same or not self.code or not known["undisturbed"]:
            return
        tables, ends = (
            {name: Table(**each) for name, each in known["undisturbed"].pop(which).items()}
            for which in ("tables", "ends")
        )
        self.undisturbed = Undisturbed(**known["undisturbed"], tables=tables, ends=ends)
        self.rows = {}
        for each in known["rows"]:
            self.rows.setdefault(each["fault"], []).append(Row(**each))
