"""Numbers of the procedure: dated TOML files, read and checked whole when the process starts."""

import tomllib
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

FOLDER = Path(__file__).parent


class PolicyError(ValueError):
    """A policy file that cannot be used; its message names file and key."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class ObjectionRule(_Strict):
    """How long an answer to an objection may take.

    Attributes:
        working_days: until the answer is due.
        working_days_of: the same for programs with a rule of their own.
        review_days: calendar days after a dismissal in which a review may be asked for.
    """

    working_days: Annotated[int, Field(ge=1, le=60)]
    working_days_of: Mapping[str, Annotated[int, Field(ge=1, le=60)]] = {}
    review_days: Annotated[int, Field(ge=1, le=365)]

    def days_for(self, program: str | None) -> int:
        """Working days until the answer is due."""
        return self.working_days_of.get(program or "", self.working_days)


class FaceRule(_Strict):
    """What a face must show, and how often one may try.

    Attributes:
        least_score: 0 to 100.
        session_seconds: life of a session.
        sessions_a_day: sessions one person may open in twenty-four hours.
    """

    least_score: Annotated[float, Field(ge=0, le=100)]
    session_seconds: Annotated[int, Field(ge=30, le=3600)]
    sessions_a_day: Annotated[int, Field(ge=1, le=100)]


class PeerRule(_Strict):
    """What certifications of other offices are worth.

    Attributes:
        video_months: longest validity of one made by video; a picture is weaker than a meeting.
    """

    video_months: Annotated[int, Field(ge=1, le=36)]


class Policy(_Strict):
    """The procedure from a day on.

    Attributes:
        notice_channels: channels on which a notice must have been delivered or tried before a stop.
        overdue_grace_days: days between the first look for a person and the proposal to suspend him as overdue.
        run_days: days after a run by which the next one is expected; a later one gives everybody grace by as much.
        request_days: days within which a request still under way is not made anew.
        instalment_days: days before an instalment is due on which the family hears of it.
        kept_first: ranks of programs for double receipt.
    """

    since: Annotated[date, Field(alias="from")]
    reference: Annotated[str, Field(min_length=4)]
    notice_channels: Annotated[int, Field(ge=1, le=5)]
    overdue_grace_days: Annotated[int, Field(ge=0, le=365)]
    run_days: Annotated[int, Field(ge=1, le=366)]
    request_days: Annotated[int, Field(ge=1, le=365)]
    instalment_days: Annotated[int, Field(ge=1, le=28)]
    kept_first: tuple[tuple[str, ...], ...]
    objection: ObjectionRule
    face: FaceRule
    peer: PeerRule


class PolicyFile(_Strict):
    """A policy file."""

    label: Annotated[str, Field(min_length=2)]
    version: Annotated[tuple[Policy, ...], Field(min_length=1)]


class Policies:
    """The versions, oldest first."""

    def __init__(self, versions: Sequence[Policy]) -> None:
        self._versions = sorted(versions, key=lambda version: version.since)

    def on(self, day: date) -> Policy:
        """The version in force on a day; before the first one, the first."""
        chosen = self._versions[0]
        for version in self._versions[1:]:
            if version.since <= day:
                chosen = version
        return chosen


def load(folder: Path = FOLDER) -> Policies:
    """Every policy file of `folder`.

    Raises:
        PolicyError: a file does not parse or does not have the documented shape.
    """
    versions: list[Policy] = []
    for path in sorted(folder.glob("*.toml")):
        try:
            versions.extend(PolicyFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8"))).version)
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError) as error:
            msg = f"{path.name}: {error}"
            raise PolicyError(msg) from error
    if not versions:
        msg = f"{folder} holds no policy"
        raise PolicyError(msg)
    return Policies(versions)
