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
    "not_a_beneficiary", "name_mismatch", "no_citizen_id",
]  # fmt: skip


class SourceError(Exception):
    """A declaration that cannot be used; its sentence names the file and the key."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Codes(_Strict):
    counts: list[Text] = []
    not_counted: list[Text] = []
    kinds: dict[Text, EvidenceKind] = {}


class _Example(_Strict):
    row: dict[Text, str]
    verdict: Literal["accepted", "duplicate", "out_of_window", "quarantined"]
    reason: Reason | None = None
    kind: EvidenceKind | None = None
    occurred_on: date | None = None


class _Hint(_Strict):
    sex: Headers
    age: Headers


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
    columns: dict[Text, Headers]
    hint: _Hint | None = None
    codes: dict[Text, _Codes] = {}
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
    for name in ("citizen_id", "occurred_on", *said.codes):
        if name not in said.columns:
            msg = f"{where}: columns.{name}: needed, but no header is named"
            raise SourceError(msg)
    if said.hint and not said.id_may_be_blank:
        msg = f"{where}{_line_of(text, ('hint',))}: hint: only where id_may_be_blank"
        raise SourceError(msg)
    fields = said.model_dump(
        exclude={"example", "columns", "hint", "codes", "polarity", "strength", "kind", "identity"}
    )
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
                not_counted=frozenset(rule.not_counted),
                kinds={value: str(kind) for value, kind in rule.kinds.items()},
            )
            for name, rule in said.codes.items()
        },
        examples=tuple(Example(**each.model_dump()) for each in said.example),
    )


def _line_of(text: str, place: tuple[int | str, ...]) -> str:
    """`:line` of the innermost key of `place` that is written in the file, or nothing."""
    for key in reversed([part for part in place if isinstance(part, str)]):
        written = re.compile(rf"^\s*(\[+[^\]]*\b)?{re.escape(key)}\b")
        for number, line in enumerate(text.splitlines(), 1):
            if written.match(line):
                return f":{number}"
    return ""


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
