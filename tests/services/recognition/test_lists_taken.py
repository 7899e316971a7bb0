"""Long lists are judged and dealt piece by piece, and come to the same as if they had been held whole."""

from collections import Counter

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from deploy.demo.city.citizen_ids import make_ids
from services.recognition.domain.lists import BAD_ID, DUPLICATE
from services.recognition.usecases import lists
from services.recognition.usecases.lists import RealIds, take
from shared.kit.crypto import Pseudonymiser
from shared.kit.problems import TooLargeError
from tests.services.recognition.world import KEY

PEOPLE, LINES, BAD = 700, 1000, "341602194901011235"
SUBJECTS = Pseudonymiser(KEY)


@pytest.fixture
def ids() -> list[str]:
    """Some people twice or more, some lines that name nobody."""
    people = make_ids(np.full(PEOPLE, 341602), np.arange(PEOPLE) - 9000, np.arange(PEOPLE)).to_list()
    drawn = np.random.default_rng(7).integers(0, PEOPLE, LINES)
    return [BAD if place % 97 == 0 else people[each] for place, each in enumerate(drawn)]


@pytest.mark.parametrize(("part", "chunk"), [(64, 30), (64, 64), (128, 500), (2000, 30), (2000, 2000)])
@pytest.mark.parametrize("paying", [True, False])
def test_a_list_taken_in_pieces_is_the_list(ids, tmp_path, monkeypatch, part, chunk, paying):
    monkeypatch.setattr(lists, "PART_ROWS", part)
    chunks = (
        pl.DataFrame({"citizen_id": ids[at : at + chunk], "amount": [f"{at + 1}.00"] * len(ids[at : at + chunk])})
        for at in range(0, LINES, chunk)
    )
    kept: dict[int, pa.Table] = {}
    taken = take(chunks, RealIds(SUBJECTS), kept.__setitem__, tmp_path, paying=paying, limit=LINES)
    assert list(kept) == list(range(taken.parts))
    assert all(each.num_rows == part for each in list(kept.values())[:-1])
    rows = pa.concat_tables(kept.values()).to_pylist()
    assert sorted(row["line"] for row in rows) == list(range(1, LINES + 1))
    assert taken.lines == LINES
    first = {each: ids.index(each) + 1 for each in set(ids)}
    for row in rows:
        said = ids[row["line"] - 1]
        again = paying and first[said] != row["line"]
        problem = BAD_ID if said == BAD else DUPLICATE if again else None
        assert (row["problem"], row["subject"]) == (problem, None if problem else SUBJECTS.one(said).bytes)
    if part < LINES:
        named = [row["subject"] for row in rows if row["subject"]]
        assert named == sorted(named), "a part is a piece of every table"
    assert taken.total_fen == sum(row["amount_fen"] for row in rows if row["problem"] is None and paying)
    assert Counter(row["problem"] for row in rows)[BAD_ID] == ids.count(BAD)
    assert not list(tmp_path.iterdir()), "what was under way is gone"


def test_a_list_beyond_the_limit_is_given_up_before_anything_is_kept(ids, tmp_path, monkeypatch):
    monkeypatch.setattr(lists, "PART_ROWS", 64)
    chunks = (pl.DataFrame({"citizen_id": ids[at : at + 50]}) for at in range(0, LINES, 50))
    kept: dict[int, pa.Table] = {}
    with pytest.raises(TooLargeError):
        take(chunks, RealIds(SUBJECTS), kept.__setitem__, tmp_path, paying=False, limit=500)
    assert not kept
