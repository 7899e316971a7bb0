"""One TOML file a program: read, checked whole, and turned into the domain's programs when the process starts."""

import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from services.recognition.domain.enrolments import Status
from services.recognition.domain.programs import (
    ArrearsRule,
    Effect,
    EndingEvent,
    Family,
    Program,
    ProgramVersion,
    Rhythm,
    StopTiming,
    SuspensionReason,
    Unit,
)
from services.recognition.domain.sandbox import SyntheticPerson, synthetic_id
from shared.contracts.vocabulary import Answer, Channel, Claim

FOLDER = Path(__file__).parent

Slug = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,39}$")]
Text = Annotated[str, Field(min_length=1, max_length=400)]


def _synthetic(text: str) -> str:
    plain = synthetic_id(text)
    if plain is None:
        msg = "an id of a sandbox begins with 000000 and has a birth date and a right check digit"
        raise ValueError(msg)
    return plain


class ProgramFileError(ValueError):
    """A declaration that cannot be used; its message names the file and the key."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class VersionFile(_Strict):
    """The rule from a day on."""

    from_on: Annotated[date, Field(alias="from")]
    reference: Text
    cycle_months: Annotated[int, Field(ge=1, le=36)]
    warning_days: Annotated[int, Field(ge=1, le=180)]
    claims: Annotated[tuple[Claim, ...], Field(min_length=1)]
    stop: StopTiming
    stops: dict[EndingEvent, StopTiming] = {}
    refund_days: Annotated[int, Field(ge=1, le=365)]
    events: Annotated[dict[EndingEvent, Effect], Field(min_length=1)]
    arrears: Annotated[dict[SuspensionReason, ArrearsRule], Field(min_length=1)]

    @model_validator(mode="after")
    def _timed(self) -> Self:
        if strange := sorted(set(self.stops) - set(self.events)):
            msg = f"stops: {strange[0]} is none of this version's events"
            raise ValueError(msg)
        return self


class CertificateExample(_Strict):
    """A certificate and what the program hears on a day."""

    says: Text
    today: date
    answer: Answer
    as_of: date | None = None
    cap_months: int | None = None
    valid_until: date | None = None
    under_review: bool = False
    max_age_days: int | None = None


class EventExample(_Strict):
    """An event, what it does, and the first day not paid."""

    says: Text
    event: EndingEvent
    on: date
    effect: Effect
    stops_from: date | None = None


class ArrearsExample(_Strict):
    """A suspension that ended and what is paid back for it."""

    says: Text
    reason: SuspensionReason
    suspended_from: date
    passed_on: date
    amount_fen: Annotated[int, Field(ge=0)]
    arrears_fen: Annotated[int, Field(ge=0)]
    requested_on: date | None = None
    increase_on: date | None = None
    increased_fen: int | None = None


Example = CertificateExample | EventExample | ArrearsExample


class PersonFile(_Strict):
    """A synthetic person of a sandbox."""

    says: Text
    citizen_id: Annotated[str, AfterValidator(_synthetic)]
    status: Status = Status.ACTIVE
    under_review: bool = False
    seen_days_ago: Annotated[int | None, Field(ge=0, le=3660)] = None
    channel: Channel = Channel.DATA
    amount_fen: Annotated[int, Field(ge=1)]


class ProgramFile(_Strict):
    """A program as its file declares it."""

    label: Text
    owner: Slug
    family: Family
    unit: Unit
    paid: Rhythm
    told: Annotated[tuple[Slug, ...], Field(min_length=1)]
    excludes: tuple[Slug, ...]
    reference: Text
    sandbox: Literal[True, False] = False
    version: Annotated[tuple[VersionFile, ...], Field(min_length=1)]
    example: Annotated[tuple[Example, ...], Field(min_length=1)]
    person: tuple[PersonFile, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        days = [version.from_on for version in self.version]
        if days != sorted(set(days)):
            msg = "versions must come in order, each from a day of its own"
            raise ValueError(msg)
        if bool(self.person) is not self.sandbox:
            msg = "person: a sandbox has synthetic people, and nothing else has"
            raise ValueError(msg)
        if self.owner not in self.told:
            msg = "told: the owner must be among those who are told"
            raise ValueError(msg)
        return self


def read_file(path: Path) -> ProgramFile:
    """One declaration, checked.

    Raises:
        ProgramFileError: no TOML, an unknown or missing key, a value of the wrong kind.
    """
    try:
        return ProgramFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        msg = f"{path.name}: {error}"
        raise ProgramFileError(msg) from error
    except ValidationError as error:
        places = [f"{'.'.join(map(str, each['loc'])) or 'file'}: {each['msg']}" for each in error.errors()]
        msg = f"{path.name}: {'; '.join(places)}"
        raise ProgramFileError(msg) from error


def to_program(code: str, declared: ProgramFile) -> Program:
    """The domain's program of a declaration."""
    kept: dict[str, Any] = {name: getattr(declared, name) for name in _SAME}
    versions = tuple(ProgramVersion(**dict(version)) for version in declared.version)
    people = tuple(SyntheticPerson(**dict(person)) for person in declared.person)
    return Program(code=code, versions=versions, people=people, **kept)


_SAME = ("label", "owner", "family", "unit", "paid", "told", "excludes", "reference", "sandbox")


def load(folder: Path = FOLDER) -> Mapping[str, Program]:
    """Every program declared in `folder`, by code.

    Raises:
        ProgramFileError: a file is wrong, or two files disagree on what excludes what.
    """
    found = {path.stem: to_program(path.stem, read_file(path)) for path in sorted(folder.glob("*.toml"))}
    if not found:
        msg = f"{folder} holds no program"
        raise ProgramFileError(msg)
    for program in found.values():
        for other in program.excludes:
            if other not in found or program.code not in found[other].excludes:
                msg = f"{program.code}.toml: excludes: {other} must be a program that excludes {program.code} too"
                raise ProgramFileError(msg)
    return found
