"""What makes a report worth a second look: nothing here refuses it, a leader looks."""

from dataclasses import dataclass
from math import asin, cos, radians, sin, sqrt

from services.grid.domain.tasks import SIGHTINGS
from services.grid.domain.visits import Visit
from shared.contracts.vocabulary import VisitResult

_EARTH_METRES = 6_371_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """Something the person does for the camera, known only when the visit begins."""

    prompt_id: int
    text: str


_GESTURES = ("举起右手", "举起左手", "摸一下耳朵", "点两下头", "双手合十", "竖起大拇指", "指一下自己", "挥一挥手")


_PROMPTS = len(_GESTURES) * 100


def prompt_for(*draws: int) -> Prompt:
    """The prompt the last of these random numbers stands for: a gesture and two digits to say aloud.

    The numbers before it are those of earlier prompts of the task: none comes again while there is another one.
    """
    used: set[int] = set()
    number = 0
    for draw in draws:
        number = draw % _PROMPTS
        used = used if len(used) < _PROMPTS else set()
        while number in used:
            number = (number + 1) % _PROMPTS
        used.add(number)
    return Prompt(prompt_id=number, text=f"请{_GESTURES[number // 100]},并念出数字{number % 100:02}")


def metres(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Distance between two places given as longitude and latitude."""
    lon1, lat1, lon2, lat2 = (radians(value) for value in (*one, *other))
    half = sin((lat2 - lat1) / 2) ** 2 + cos(lat1) * cos(lat2) * sin((lon2 - lon1) / 2) ** 2
    return 2 * _EARTH_METRES * asin(sqrt(half))


ABOUT_PROMPT = frozenset({"no_prompt", "other_prompt", "prompt_not_answered", "no_proof"})
"""Flags that depend on how many sightings of the task came before."""


def prompt_flags(visit: Visit, *, expected: Prompt) -> list[str]:
    """Why the prompt of a sighting speaks against it; a card or a photo does not stand in for one."""
    found: list[str] = []
    if visit.result not in SIGHTINGS:
        return found
    if visit.prompt_id is None:
        found.append("no_prompt")
    elif visit.prompt_id != expected.prompt_id:
        found.append("other_prompt")
    if visit.prompt_id is not None and not visit.prompt_answered:
        found.append("prompt_not_answered")
    if not (visit.photo or visit.id_card_read or (visit.prompt_id == expected.prompt_id and visit.prompt_answered)):
        found.append("no_proof")
    return found


def place_flags(visit: Visit, *, grid_place: tuple[float, float] | None, place_metres: int) -> list[str]:
    """Why the place of a sighting speaks against it.

    Whoever saw a person at his door says where he was, whatever he read there; by video the person is elsewhere.
    """
    if visit.result not in SIGHTINGS or grid_place is None:
        return []
    if visit.place is None:
        return ["no_place"] if visit.result is VisitResult.SEEN_ALIVE else []
    return ["far_from_grid"] if metres(visit.place, grid_place) > place_metres else []
