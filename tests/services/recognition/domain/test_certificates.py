"""Certificates: named by their facts, and the best of them counts."""

from datetime import date
from uuid import UUID

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.recognition.domain.answers import EvidenceClass, evidence_class
from services.recognition.domain.certificates import (
    Certificate,
    best_until,
    certificate_id,
    certificate_ids,
    channel_of,
)
from shared.contracts.vocabulary import Channel, Claim, Strength, VisitResult

days = st.dates(date(2022, 1, 1), date(2024, 12, 31))


def certificate(as_of: date, cap: int | None) -> Certificate:
    return Certificate(
        certificate_id=UUID(int=1),
        subject=UUID(int=2),
        claim=Claim.ALIVE,
        as_of=as_of,
        channel=Channel.DATA,
        strength=Strength.STRONG,
        rule_set="base@1",
        cap_months=cap,
        evidence_ids=(1,),
        evidence_class=("medical",),
    )


certificates = st.builds(certificate, days, st.none() | st.integers(1, 12))


@given(st.lists(st.tuples(st.uuids(), days, st.integers(0, 12)), max_size=20))
def test_many_names_equal_single_ones(rows):
    subjects = np.frombuffer(b"".join(subject.bytes for subject, _, _ in rows), dtype=np.uint8).reshape(-1, 16)
    as_of = np.array([day for _, day, _ in rows], dtype="datetime64[D]")
    caps = np.array([cap for *_, cap in rows], dtype=np.int64)
    many = certificate_ids(subjects, as_of, caps, Claim.ALIVE, Channel.DATA)
    single = [certificate_id(subject, Claim.ALIVE, day, Channel.DATA, cap) for subject, day, cap in rows]
    assert [UUID(bytes=each.tobytes()) for each in many] == single


def test_a_name_changes_with_each_of_its_facts():
    one = UUID(int=7)
    names = {
        certificate_id(one, Claim.ALIVE, date(2023, 1, 1), Channel.DATA),
        certificate_id(UUID(int=8), Claim.ALIVE, date(2023, 1, 1), Channel.DATA),
        certificate_id(one, Claim.NOT_IN_CUSTODY, date(2023, 1, 1), Channel.DATA),
        certificate_id(one, Claim.ALIVE, date(2023, 1, 2), Channel.DATA),
        certificate_id(one, Claim.ALIVE, date(2023, 1, 1), Channel.HOME),
        certificate_id(one, Claim.ALIVE, date(2023, 1, 1), Channel.DATA, 6),
        certificate_id(one, Claim.ALIVE, date(2023, 1, 1), Channel.DATA, origin=UUID(int=9)),
    }
    assert len(names) == 7


def test_only_data_is_no_meeting_in_person():
    said = {each: evidence_class(each) for each in Channel}
    assert {each for each, kind in said.items() if kind is EvidenceClass.DATA} == {Channel.DATA}


@given(st.lists(certificates, max_size=6), certificates, st.integers(1, 24))
def test_another_certificate_never_shortens(known, another, cycle):
    before, now = best_until(known, cycle), best_until([*known, another], cycle)
    assert now is not None
    assert before is None or now >= before


def test_only_who_saw_the_person_certifies():
    assert {each: channel_of(each) for each in VisitResult if channel_of(each)} == {
        VisitResult.SEEN_ALIVE: Channel.HOME,
        VisitResult.SEEN_BY_VIDEO: Channel.REMOTE,
    }
