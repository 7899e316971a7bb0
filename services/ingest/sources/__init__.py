"""The catalogue: one TOML a source, found by looking into this folder, checked whole before anything is taken in."""

import re
import tomllib
from collections.abc import Mapping
from datetime import date
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.ingest.domain.catalogue import CodeRule, Example, Source
from shared.contracts.vocabulary import EvidenceKind, Identity, Polarity, Strength

Text = Annotated[str, Field(min_length=1)]
Headers = Annotated[list[Text], Field(min_length=1)]
Reason = Literal[
    "missing_field", "bad_citizen_id", "bad_check_digit", "impossible_date", "future_date", "wrong_code", "not_counted",
    "not_a_beneficiary", "name_mismatch", "no_citizen_id", "uneven_row",
]  # fmt: skip


_PLAIN = {
    "label", "department", "why", "reference", "frequency", "latency_days", "retention_months", "id_may_be_blank",
    "several_people",
}  # fmt: skip


class SourceError(Exception):
    """A declaration that cannot be used; its sentence names the file and the key."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Codes(_Strict):
    counts: list[Text] = []
    weaker: list[Text] = []
    not_counted: list[Text] = []
    kinds: dict[Text, EvidenceKind] = {}


class _Example(_Strict):
    row: dict[Text, str]
    verdict: Literal["accepted", "duplicate", "out_of_window", "quarantined"]
    reason: Reason | None = None
    kind: EvidenceKind | None = None
    occurred_on: date | None = None
    identity: Identity | None = None


class _Hint(_Strict):
    sex: Headers
    age: Headers


class _Identification(_Strict):
    how: Text
    reference: Text


class _SourceFile(_Strict):
    label: Text
    department: Annotated[str, Field(pattern=r"^[a-z_]+$")]
    polarity: Polarity
    strength: Strength
    kind: EvidenceKind
    identity: Identity
    why: Text
    reference: Text
    frequency: Literal["event", "daily", "weekly", "monthly", "quarterly", "half_yearly", "yearly"]
    latency_days: Annotated[int, Field(ge=0, le=400)]
    retention_months: Annotated[int, Field(ge=1, le=120)]
    id_may_be_blank: bool = False
    several_people: bool = False
    columns: dict[Text, Headers]
    hint: _Hint | None = None
    codes: dict[Text, _Codes] = {}
    dates: dict[EvidenceKind, Text] = {}
    identification: _Identification | None = None
    example: Annotated[list[_Example], Field(min_length=1)]


def parse_source(code: str, text: str, *, where: str) -> Source:
    """One declaration.

    Raises:
        SourceError: not TOML, an unknown or missing key, a value out of place.
    """
    try:
        said = _SourceFile.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        msg = f"{where}: {error}"
        raise SourceError(msg) from error
    except ValidationError as error:
        # A misspelt key is both unknown and missing; the unknown one is what the author sees.
        first = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
        key = ".".join(str(part) for part in first["loc"])
        msg = f"{where}{_line_of(text, first['loc'])}: {key}: {first['msg']}"
        raise SourceError(msg) from error
    needed: dict[str, tuple[str, ...]] = dict.fromkeys(("citizen_id", "occurred_on"), ("columns",))
    needed |= {name: (name,) for name in said.codes} | {name: ("dates", kind) for kind, name in said.dates.items()}
    for name, place in needed.items():
        if name not in said.columns:
            msg = f"{where}{_line_of(text, place)}: columns.{name}: needed, but no header is named"
            raise SourceError(msg)
    if said.hint and not said.id_may_be_blank:
        msg = f"{where}{_line_of(text, ('hint',))}: hint: only where id_may_be_blank"
        raise SourceError(msg)
    if (said.identification is not None) != (said.identity == Identity.FULL and "name" not in said.columns):
        msg = (
            f"{where}{_line_of(text, ('identity',))}: identity: `full` needs a name to compare in [columns], or "
            "[identification] with `how` a reader tells who it is without one, and the `reference`; not both"
        )
        raise SourceError(msg)
    fields = said.model_dump(include=_PLAIN)
    return Source(
        code=code,
        **fields,
        polarity=str(said.polarity),
        strength=str(said.strength),
        kind=str(said.kind),
        identity=str(said.identity),
        columns={name: tuple(headers) for name, headers in said.columns.items()},
        hint={name: tuple(headers) for name, headers in said.hint.model_dump().items()} if said.hint else {},
        codes={
            name: CodeRule(
                counts=frozenset(rule.counts),
                weaker=frozenset(rule.weaker),
                not_counted=frozenset(rule.not_counted),
                kinds={value: str(kind) for value, kind in rule.kinds.items()},
            )
            for name, rule in said.codes.items()
        },
        dates={str(kind): column for kind, column in said.dates.items()},
        identification=f"{said.identification.how} ({said.identification.reference})" if said.identification else "",
        examples=tuple(Example(**each.model_dump()) for each in said.example),
    )


def _line_of(text: str, place: tuple[int | str, ...]) -> str:
    """`:line` of the key at a place in the file; where it is missing, of the table that should hold it."""
    lines, at = text.splitlines(), 0
    for part in place:
        found = _element(lines, at, part) if isinstance(part, int) else _key(lines, at, part)
        if found is None:
            break
        at = found
    return f":{at + 1}"


def _element(lines: list[str], at: int, number: int) -> int | None:
    """Line of the header of an element of an array of tables; the values of any other array have no line."""
    headers = [each for each in range(at, len(lines)) if lines[each].strip() == lines[at].strip()]
    return headers[number] if lines[at].startswith("[[") and number < len(headers) else None


def _key(lines: list[str], at: int, name: str) -> int | None:
    """Line of a key of the table that begins at a line, or of the header of a table of that name."""
    key, header = (re.compile(form.format(re.escape(name))) for form in (r'\s*"?{}"?\s*=', r"\[+(?:.*\.)?\s*{}\s*\]"))
    for number in range(at, len(lines)):
        if number > at and lines[number].startswith("["):
            break
        if key.match(lines[number]):
            return number
    return next((number for number in range(at, len(lines)) if header.match(lines[number])), None)


def load_sources(folder: Traversable | None = None) -> Mapping[str, Source]:
    """Every source by code.

    Raises:
        SourceError: one of the declarations cannot be used.
    """
    found: dict[str, Source] = {}
    for path in sorted((folder or files(__package__)).iterdir(), key=lambda each: each.name):
        if path.name.endswith(".toml"):
            code = path.name.removesuffix(".toml")
            found[code] = parse_source(code, path.read_text(encoding="utf-8"), where=f"sources/{path.name}")
    return found
