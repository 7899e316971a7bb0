"""One verdict a row, and of several faults the first in a fixed order; evidence is a set."""

import hashlib
import random
from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain import evidence, verdicts
from services.ingest.domain.catalogue import UNEVEN, CodeRule, Source
from services.ingest.domain.people import PeopleIndex
from services.ingest.sources import load_sources
from tests.services.ingest.world import make_id

TODAY = date(2023, 11, 1)
SHE, HE = make_id(1), make_id(2)
WRONG_DIGIT = SHE[:-1] + ("0" if SHE[-1] != "0" else "1")


def subjects(numbers) -> np.ndarray:
    digests = b"".join(hashlib.md5(number.encode()).digest() for number in numbers)
    return np.frombuffer(digests, dtype=np.uint8).reshape(-1, 16)


def hashes(names) -> np.ndarray:
    return np.array([int.from_bytes(hashlib.md5(name.encode()).digest()[:8], "big") for name in names], dtype=np.uint64)


RULES = verdicts.Rules(today=TODAY, window_starts_on=date(2022, 11, 2), subjects=subjects, name_hashes=hashes)


def people(*known: tuple[str, str]) -> PeopleIndex:
    numbers = pl.Series([number for number, _ in known], dtype=pl.String)
    return PeopleIndex.build(
        subjects(numbers), np.arange(1, len(known) + 1), hashes(name for _, name in known), version=1
    )


def source(**changes) -> Source:
    told = {
        "code": "test", "label": "x", "department": "x", "polarity": "positive", "strength": "strong", "kind": "seen",
        "identity": "id_only", "why": "x", "reference": "x", "frequency": "daily", "latency_days": 1, "retention_months": 24,
        "id_may_be_blank": False, "columns": {"citizen_id": ("id",), "name": ("n",), "occurred_on": ("d",), "mode": ("m",)},
        "codes": {"mode": CodeRule(counts=frozenset({"face"}), not_counted=frozenset({"phone"}), kinds={"dead": "died"})},
        "examples": (),
    }  # fmt: skip
    return Source(**{**told, **changes})


def judge(*rows: tuple, of: Source | None = None, known=((SHE, "张三"), (HE, "李四"))):
    columns = ["citizen_id", "name", "occurred_on", "mode"]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")
    judged = verdicts.judge(frame, of or source(), people(*known), RULES)
    return [verdicts.VERDICTS[code] for code in judged.verdict]


# Each line adds an earlier fault to the one below it: the first in the order is the verdict.
LADDER = [
    (("", "王五", "", "??"), "missing_field"),
    (("", "王五", "2023-99-01", "??"), "missing_field"),
    (("12", "王五", "2023-99-01", "??"), "bad_citizen_id"),
    ((WRONG_DIGIT, "王五", "2023-99-01", "??"), "bad_check_digit"),
    ((make_id(9), "王五", "2023-99-01", "??"), "impossible_date"),
    ((make_id(9), "王五", "1969-12-31", "??"), "impossible_date"),
    ((make_id(9), "王五", "2023-11-02", "??"), "future_date"),
    ((make_id(9), "王五", "2020-01-01", "??"), "wrong_code"),
    ((make_id(9), "王五", "2020-01-01", None), "wrong_code"),
    ((make_id(9), "王五", "2020-01-01", "phone"), "not_counted"),
    ((make_id(9), "王五", "2020-01-01", "face"), "not_a_beneficiary"),
    ((SHE, "王五", "2020-01-01", "face"), "name_mismatch"),
    ((SHE, "张三", "2020-01-01", "face"), "out_of_window"),
    ((SHE, "张三", "2022-11-01", "face"), "out_of_window"),
    ((SHE, "张三", "2022-11-02", "face"), "accepted"),
    ((SHE, None, "2023-11-01", " face "), "accepted"),
]


@pytest.mark.parametrize(("row", "verdict"), LADDER)
def test_the_first_fault_in_the_order_is_the_verdict(row, verdict):
    assert judge(row) == [verdict]


def test_rows_are_judged_alone_whatever_stands_beside_them():
    rows, expected = [row for row, _ in LADDER], [verdict for _, verdict in LADDER]
    assert judge(*rows) == expected
    assert judge(*reversed(rows)) == list(reversed(expected))


def test_a_blank_id_is_a_hint_where_the_source_may_leave_it_out():
    funeral = source(id_may_be_blank=True, polarity="negative", kind="died")
    assert judge(("", "张三", "2023-05-01", "face"), of=funeral) == ["no_citizen_id"]
    assert judge(("", "张三", "", "face"), of=funeral) == ["missing_field"]


def test_a_negative_row_has_no_window():
    assert judge((SHE, "张三", "2001-05-01", "dead")) == ["accepted"]
    assert judge((SHE, "张三", "2001-05-01", "face"), of=source(polarity="negative", kind="died")) == ["accepted"]


def test_codes_decide_the_kind():
    frame = pl.DataFrame(
        {"citizen_id": [SHE, SHE], "name": ["张三"] * 2, "occurred_on": ["2023-05-01"] * 2, "mode": ["face", "dead"]}
    )
    judged = verdicts.judge(frame, source(), people((SHE, "张三")), RULES)
    assert [verdicts.KINDS[code] for code in judged.kind] == ["seen", "died"]


def test_an_empty_vault_knows_nobody():
    assert judge((SHE, "张三", "2023-05-01", "face"), known=()) == ["not_a_beneficiary"]


@pytest.mark.parametrize(
    ("declared", "name", "full"),
    [("id_only", "张三", True), ("id_only", None, False), ("full", "张三", True), ("full", None, False)],
)
def test_identity_is_full_where_a_name_was_compared(declared, name, full):
    frame = pl.DataFrame({"citizen_id": [SHE], "name": [name], "occurred_on": ["2023-05-01"], "mode": ["face"]},
                         schema_overrides={"name": pl.String})  # fmt: skip
    judged = verdicts.judge(frame, source(identity=declared), people((SHE, "张三")), RULES)
    assert judged.full.tolist() == [full]


def test_identity_is_full_without_a_name_where_a_reader_alone_tells_who_it_is():
    frame = pl.DataFrame({"citizen_id": [SHE], "occurred_on": ["2023-05-01"]})
    columns = {"citizen_id": ("id",), "occurred_on": ("d",)}
    for declared, full in (("full", True), ("id_only", False)):
        nameless = source(identity=declared, columns=columns, codes={})
        assert verdicts.judge(frame, nameless, people((SHE, "张三")), RULES).full.tolist() == [full]


def test_a_kind_may_have_a_day_of_its_own():
    prison = source(
        polarity="negative", kind="custody", dates={"released": "out"},
        columns={"citizen_id": ("id",), "occurred_on": ("d",), "out": ("o",), "mode": ("m",)},
        codes={"mode": CodeRule(kinds={"in": "custody", "out": "released"})},
    )  # fmt: skip
    rows = [("in", "2023-05-09"), ("out", "2023-05-09"), ("out", " "), ("out", "2024-05-09"), ("out", "昨天")]
    frame = pl.DataFrame({
        "citizen_id": [SHE] * 5, "occurred_on": ["2021-03-01"] * 5, "mode": [mode for mode, _ in rows],
        "out": [day for _, day in rows],
    })  # fmt: skip
    judged = verdicts.judge(frame, prison, people((SHE, "张三")), RULES)
    assert [verdicts.VERDICTS[code] for code in judged.verdict] == ["accepted"] * 3 + ["future_date", "impossible_date"]
    assert [str(day) for day in judged.day[:3].astype("datetime64[D]")] == ["2021-03-01", "2023-05-09", "2021-03-01"]
    assert frame["occurred_on"].to_list() == ["2021-03-01"] * 5


def test_a_row_with_more_or_fewer_cells_than_the_first_line_is_not_read_at_all():
    frame = pl.DataFrame({"citizen_id": [SHE] * 2, "occurred_on": ["2023-05-01"] * 2, "mode": ["face"] * 2,
                          UNEVEN: [False, True]})  # fmt: skip
    judged = verdicts.judge(frame, source(), people((SHE, "张三")), RULES)
    assert [verdicts.VERDICTS[code] for code in judged.verdict] == ["accepted", "uneven_row"]


# ---- every source's own examples ---------------------------------------------------------------------------------------

EXAMPLES = [
    pytest.param(each, example, id=f"{code}-{number}")
    for code, each in load_sources().items()
    for number, example in enumerate(each.examples)
]


@pytest.mark.parametrize(("declared", "example"), EXAMPLES)
def test_an_example_row_of_a_source_becomes_what_its_file_says(declared, example):
    person = "341602194901011237"
    headers = declared.matched_columns(list(example.row))
    assert declared.missing_columns(list(example.row)) == []
    row = {canonical: [example.row[header]] for header, canonical in headers.items()}
    judged = verdicts.judge(pl.DataFrame(row), declared, people((person, "张三")), RULES)
    name = verdicts.VERDICTS[judged.verdict[0]]
    assert (name if judged.verdict[0] <= verdicts.OUT_OF_WINDOW else "quarantined") == example.verdict
    if example.reason:
        assert name == example.reason
    if example.kind:
        assert verdicts.KINDS[judged.kind[0]] == example.kind
    if example.occurred_on:
        assert evidence.day_number(example.occurred_on) == judged.day[0]
    if example.identity:
        assert judged.full[0] == (example.identity == "full")


# ---- evidence is a set -------------------------------------------------------------------------------------------------

KEYS = st.lists(st.integers(0, 40), max_size=60)


def as_keys(numbers) -> np.ndarray:
    return np.array(numbers, dtype=np.uint64)


@given(KEYS, KEYS)
def test_fresh_is_the_first_of_each_new_key(keys, known):
    mask = evidence.fresh(as_keys(keys), as_keys(known))
    expected = [key not in known and key not in keys[:place] for place, key in enumerate(keys)]
    assert mask.tolist() == expected


@given(KEYS, st.integers(0, 60), st.randoms(use_true_random=False))
def test_order_repetition_and_cut_do_not_change_what_is_known_in_the_end(keys, cut, chance: random.Random):
    def taken(*parts):
        known: list[int] = []
        for part in parts:
            known += as_keys(part)[evidence.fresh(as_keys(part), as_keys(known))].tolist()
        return sorted(known)

    shuffled = chance.sample(keys, len(keys))
    assert taken(keys) == taken(keys[:cut], keys[cut:]) == taken(shuffled, keys) == sorted(set(keys))


@given(st.lists(st.tuples(st.integers(0, 2**40), st.integers(0, 65_535)), min_size=1, max_size=20))
def test_a_key_holds_person_and_day(pairs):
    person, day = (np.array(column) for column in zip(*pairs, strict=True))
    keys = evidence.keys_of(person, day)
    assert evidence.days_of(keys).tolist() == day.tolist()
    assert (keys >> np.uint64(16)).tolist() == person.tolist()


@given(st.integers(0, 2**31 - 1), st.integers(0, 2**32 - 1))
def test_an_evidence_id_leads_back(batch_no, row_no):
    [made] = evidence.evidence_ids(batch_no, np.array([row_no], dtype=np.uint32)).tolist()
    assert evidence.origin_of(made) == (batch_no, row_no)


@given(st.lists(st.binary(min_size=16, max_size=16), unique=True, max_size=30), st.binary(min_size=16, max_size=16))
def test_everybody_is_found_and_nobody_else(known, stranger):
    raw = np.frombuffer(b"".join(known), dtype=np.uint8).reshape(-1, 16)
    index = PeopleIndex.build(raw, np.arange(len(known)), np.zeros(len(known), dtype=np.uint64), version=1)
    assert index.person_no[index.find(raw)].tolist() == list(range(len(known)))
    asked = np.frombuffer(stranger, dtype=np.uint8).reshape(1, 16)
    assert (index.find(asked)[0] >= 0) == (stranger in known)
