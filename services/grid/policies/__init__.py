"""Numbers of the grid's work: dated TOML files, validated whole at start."""

import tomllib
from collections.abc import Sequence
from datetime import date
from importlib import resources
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Shape = TypeVar("Shape", bound=BaseModel)


class PolicyError(Exception):
    """A policy file that cannot be used; the sentence names file and key."""


class Policy(BaseModel):
    """One dated version of the rules of visits and cases.

    Attributes:
        since: first day it holds.
        reference: the rule it rests on.
        working_days: how long each rung has to act: member, leader, assistant, town.
        remind_working_days: before the deadline of a task its member is reminded each morning.
        case_working_days: until a case must be concluded.
        visits_per_day: what a member can do in a day, beside his own work.
        tasks_per_member: open tasks above which neighbours in the village help.
        unreachable_attempts: knocks on different days before a leader may document a person as unreachable.
        place_metres: how far from the grid's centre a visit may be before it is looked at.
        photo_distance: of 256 bits, how many may differ between two copies of one photo; chosen by measurement.
        photo_days: how long a photo is kept, sealed.
        photo_mark_days: how long a photo is known again after it came.
        photo_wait_days: how long a report waits for the photo it announced.
        anomaly_least: sightings in a month below which a member's reports are not judged.
        anomaly_minute_share: share of sightings within a minute of another's from which on it is odd.
        anomaly_place_share: share of sightings at one spot from which on it is odd.
        anomaly_helper_share: share of sightings with one and the same helper from which on it is odd.
        anomaly_visits: how many visits of an odd member are repeated by somebody else.
        sample_percent: share of sightings another member repeats.
        weak_sample_percent: share of people certified by weak evidence alone who are visited all the same.
        oldest_from: age from which people whom data certify are visited all the same.
        oldest_months: unless somebody was at their door for so long.
        morning_hour: hour of a working day, in Asia/Shanghai, at which its work is told.
        reorder_days: after so many days the order of open visits is asked for again.
        report_due_day: day of the next month by which a village's report is signed.
        report_red_after: days after that until its light is red.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    since: Annotated[date, Field(alias="from")]
    reference: Annotated[str, Field(min_length=4)]
    working_days: Annotated[tuple[int, int, int, int], Field(description="member, leader, assistant, town")]
    remind_working_days: Annotated[int, Field(ge=1, le=30)]
    case_working_days: Annotated[int, Field(ge=1, le=60)]
    visits_per_day: Annotated[int, Field(ge=1, le=100)]
    tasks_per_member: Annotated[int, Field(ge=1, le=1000)]
    unreachable_attempts: Annotated[int, Field(ge=1, le=20)]
    place_metres: Annotated[int, Field(ge=100)]
    photo_distance: Annotated[int, Field(ge=0, le=128)]
    photo_days: Annotated[int, Field(ge=1, le=365)]
    photo_mark_days: Annotated[int, Field(ge=1, le=3650)]
    photo_wait_days: Annotated[int, Field(ge=1, le=60)]
    anomaly_least: Annotated[int, Field(ge=2)]
    anomaly_minute_share: Annotated[float, Field(gt=0, le=1)]
    anomaly_place_share: Annotated[float, Field(gt=0, le=1)]
    anomaly_helper_share: Annotated[float, Field(gt=0, le=1)]
    anomaly_visits: Annotated[int, Field(ge=1, le=20)]
    sample_percent: Annotated[float, Field(ge=0, le=100)]
    weak_sample_percent: Annotated[float, Field(ge=0, le=100)]
    oldest_from: Annotated[int, Field(ge=80, le=130)]
    oldest_months: Annotated[int, Field(ge=1, le=60)]
    morning_hour: Annotated[int, Field(ge=0, le=23)]
    reorder_days: Annotated[int, Field(ge=1, le=365)]
    report_due_day: Annotated[int, Field(ge=1, le=28)]
    report_red_after: Annotated[int, Field(ge=1, le=60)]


class PolicyFile(BaseModel):
    """A policy file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: Annotated[str, Field(min_length=2)]
    version: Annotated[tuple[Policy, ...], Field(min_length=1)]


class Policies:
    """The versions, newest last."""

    def __init__(self, versions: Sequence[Policy]) -> None:
        self._versions = sorted(versions, key=lambda version: version.since)

    def on(self, day: date) -> Policy:
        """The version in force on `day`; before the first one, the first."""
        return max(
            (version for version in self._versions if version.since <= day),
            key=lambda version: version.since,
            default=self._versions[0],
        )


def read(name: str, shape: type[Shape]) -> Shape:
    """A policy file of this folder, checked.

    Raises:
        PolicyError: it does not parse or does not have the documented shape.
    """
    try:
        text = (resources.files(__package__) / name).read_text(encoding="utf-8")
        return shape.model_validate(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        msg = f"services/grid/policies/{name}: {error}"
        raise PolicyError(msg) from error


def load() -> Policies:
    """The rules of visits and cases.

    Raises:
        PolicyError: the file cannot be used.
    """
    return Policies(read("visits.toml", PolicyFile).version)
