"""Advice before paying: every combination of what is known."""

import itertools

import numpy as np

from services.recognition.domain.payruns import ADVICE_CODES, NOTE_CODES, REASON_CODES, Advice, HoldReason, Note, advise

FACTS = ("listed", "stopped", "paid", "confirmed", "part_due", "reduced", *NOTE_CODES)
TABLE = np.array(list(itertools.product([False, True], repeat=len(FACTS))))
SEEN = {str(name): TABLE[:, at] for at, name in enumerate(FACTS)}
SAID = advise(SEEN)


def said(**facts):
    """Advice, reason and notes where these facts hold and no others."""
    rows = [all(row[at] == facts.get(str(name), False) for at, name in enumerate(FACTS)) for row in TABLE]
    row = rows.index(True)
    reason = SAID.reason[row]
    notes = {note for at, note in enumerate(NOTE_CODES) if SAID.notes[row] >> at & 1}
    return ADVICE_CODES[SAID.advice[row]], REASON_CODES[reason] if reason >= 0 else None, notes


def test_only_a_decision_stops():
    assert (SAID.advice == ADVICE_CODES.index(Advice.STOP)).tolist() == SEEN["stopped"].tolist()


def test_suspicion_or_no_certificate_never_holds():
    facts = dict.fromkeys(map(str, NOTE_CODES), True)
    assert said(listed=True, **facts) == (Advice.PAY, None, set(NOTE_CODES))


def test_what_holds_and_why():
    assert said(listed=True) == (Advice.PAY, None, set())
    assert said() == (Advice.HOLD, HoldReason.NOT_ENROLLED, set())
    assert said(listed=True, paid=True) == (Advice.HOLD, HoldReason.ALREADY_PAID, set())
    assert said(listed=True, confirmed=True) == (Advice.HOLD, HoldReason.FINDING_CONFIRMED, set())
    assert said(listed=True, part_due=True, last_payment=True) == (Advice.HOLD, HoldReason.PART_DUE, set())
    assert said(listed=True, stopped=True, paid=True, confirmed=True) == (Advice.STOP, None, set())
    assert said(listed=True, not_certified=True)[2] == {Note.NOT_CERTIFIED}


def test_advice_and_reason_go_together():
    assert ((SAID.reason >= 0) == (SAID.advice == ADVICE_CODES.index(Advice.HOLD))).all()
