"""The question of the house about up to a thousand people at once: by columns up to the words, few of which differ."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import numpy as np
import orjson
import polars as pl

from services.recognition.domain.lists import BAD_ID, normalise_many
from services.recognition.domain.programs import Program
from services.recognition.store import bulk, lookups
from services.recognition.store.bulk import ANSWERS, CHANNELS, Rule, days
from services.recognition.store.lookups import Asker, Fetch
from services.recognition.usecases import wording
from services.recognition.usecases.deps import Deps
from services.recognition.usecases.recognise import BAD_ID_SENTENCE, Known, Speaker
from services.recognition.usecases.refusals import denied
from shared.contracts.vocabulary import Answer
from shared.kit.clock import day_of

_BAD_ITEM = orjson.dumps(
    {
        "problem": {
            "type": f"urn:wugan:problem:{BAD_ID}",
            "title": "Not a citizen id",
            "status": 422,
            "code": BAD_ID,
            "detail": BAD_ID_SENTENCE,
        }
    }
).decode()
_RECOGNISED = ANSWERS.index(Answer.RECOGNISED)
_PERSON, _REFERENCE = "<person>", "<reference>"
_KIND = (("answer", 60), ("channel", 50), ("as_of", 25), ("until", 0))
"""What makes answers differ, and where its bits stand in the number of a kind."""


async def check_many(
    deps: Deps,
    fetch: Fetch,
    asker: Asker,
    program: Program,
    citizen_ids: Sequence[str],
    max_age_days: int | None,
) -> bytes:
    """What one program hears of many people: a JSON array in their order, a problem in the place of what is no id."""
    ids = normalise_many(pl.Series(citizen_ids, dtype=pl.String))
    known = ids.is_not_null()
    today = day_of(asker.at)
    version = program.in_force(today)
    rule = Rule(program=program.code, cycle_months=version.cycle_months, today=today)
    seen = await bulk.look_and_log(fetch, asker, rule, deps.subjects.many(ids.filter(known)), max_age_days)
    if bad := len(ids) - int(known.sum()):
        await lookups.log_usage_by(fetch, asker, subject=None, answer=denied(BAD_ID, bad))
    said = _said(deps, asker.client_id, Speaker(deps, asker, program, version), seen)
    return f"[{','.join([next(said) if good else _BAD_ITEM for good in known.to_list()])}]".encode()


def _said(deps: Deps, client_id: str, speaker: Speaker, seen: np.ndarray) -> Iterator[str]:
    """Answers as JSON: worded once for each kind of answer, then only filled in with who is meant."""
    recognised = seen["answer"] == _RECOGNISED
    references = iter(wording.references(deps, client_id, seen[recognised]))
    persons = wording.persons(deps, client_id, seen["subject"]).to_list()
    kinds = sum(seen[name].astype(np.int64) << place for name, place in _KIND)
    _, firsts, places = np.unique(kinds, return_index=True, return_inverse=True)
    worded = [_worded(speaker, seen[first]) for first in firsts]
    for person, place in zip(persons, places.tolist(), strict=True):
        before, between, after = worded[place]
        reference = next(references) if between else ""
        yield f"{before}{person}{between}{reference}{after}"


def _worded(speaker: Speaker, kind: Any) -> tuple[str, str, str]:  # noqa: ANN401  (a row of numpy)
    """The words around person and reference; none between the two where there is no certificate."""
    answer, certificate = ANSWERS[kind["answer"]], None
    if kind["answer"] == _RECOGNISED:
        as_of, until = (_day(kind[name]) for name in ("as_of", "until"))
        certificate = Known(_REFERENCE, CHANNELS[kind["channel"]], as_of, until)
    before, rest = orjson.dumps(speaker.words(_PERSON, answer, certificate)).decode().split(_PERSON)
    between, reference, after = rest.partition(_REFERENCE)
    return (before, between, after) if reference else (before, "", rest)


def _day(number: np.integer[Any]) -> date:
    day: date = days(np.array([number]))[0].item()
    return day
