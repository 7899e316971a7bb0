"""The manifest of a generated city: which files there are, in the order in which they should be uploaded."""

import json
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

MANIFEST = "city.json"
TRUTH = "truth/truth.parquet"
LEDGER = "truth/ledger.parquet"

Kind = Literal["grids", "roster", "source"]


def read_manifest(path: Path) -> "Manifest":
    """The manifest of a city folder, or of its city.json.

    Raises:
        NotACityError: there is none, or it is not one of ours.
    """
    file = path / MANIFEST if path.is_dir() else path
    try:
        fields: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        files = tuple(
            CityFile(**{**entry, "delivered_on": date.fromisoformat(entry["delivered_on"])})
            for entry in fields.pop("files")
        )
        return Manifest(root=file.parent, **{**fields, "today": date.fromisoformat(fields["today"]), "files": files})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotACityError(path) from error


def write_manifest(manifest: "Manifest") -> None:
    """Write city.json into the folder of the city."""
    fields = asdict(manifest)
    root: Path = fields.pop("root")
    text = json.dumps(fields, ensure_ascii=False, indent=1, default=str)
    (root / MANIFEST).write_text(text + "\n", encoding="utf-8")


class NotACityError(ValueError):
    """A folder without a readable city.json."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} holds no generated city; make one with: wugan city generate --out {path}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CityFile:
    """One file: its path below the city folder, what it is, and how it is written.

    `code` is a program of a roster, a source of a delivery, or `grids`; `encoding` is empty where the form has none.
    """

    path: str
    kind: Kind
    code: str
    department: str
    rows: int
    delivered_on: date
    format: str
    encoding: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A generated city. `people` counts beneficiaries, `records` the rows of source files, `grids` the grids."""

    root: Path
    scale: float
    seed: int
    today: date
    people: int
    enrolments: int
    records: int
    monthly_fen: int
    grids: int
    files: tuple[CityFile, ...]

    def of(self, kind: Kind) -> tuple[CityFile, ...]:
        """Files of a kind, in upload order."""
        return tuple(file for file in self.files if file.kind == kind)

    def locate(self, file: CityFile) -> Path:
        """Where a file lies."""
        return self.root / file.path
