"""Explanations by example: what a citizen reads would really do."""

from datetime import timedelta

import pytest

from services.scoring.domain.explanation import explain
from services.scoring.domain.weighing import scale_of
from tests.services.scoring.people import ORIGINS, RULES, TODAY, Saw, signals_of


def fresh(**records: int) -> list[Saw]:
    """So many records of sources on the latest days."""
    return [
        Saw(source=source, on=TODAY - timedelta(days=day)) for source, count in records.items() for day in range(count)
    ]


@pytest.mark.parametrize(
    ("saws", "wanted"),
    [
        # Sources, departments and days are enough; only the bus has not given all it may.
        (
            fresh(transport_bus_card=1, bank_self_service=5, hrss_card_consume=6, medins_outpatient=4),
            "再有近期的记录即可",
        ),
        # All have, so that more of them would change nothing.
        (fresh(transport_bus_card=5, bank_self_service=5, hrss_card_consume=6), "再有另外一个来源的记录即可"),
        # The telephone counts once a month: it gives nothing more now.
        (
            fresh(bank_self_service=5, hrss_card_consume=6, medins_outpatient=4, telecom_activity=5),
            "再有另外一个来源的记录即可",
        ),
        (fresh(transport_bus_card=6), "再有一天、另外两个部门、另外三个来源的记录即可"),
    ],
)
def test_what_would_do_is_what_changes_something(saws: list[Saw], wanted: str) -> None:
    said = explain(signals_of(saws), ORIGINS, scale_of(RULES, ORIGINS, TODAY))
    assert said.decision == "insufficient"
    [citizen] = said.citizen
    assert citizen.startswith(f"目前的数据还不足以为您自动完成认证:{wanted}。")
    assert said.officer[-1].startswith(f"尚缺:{wanted}")
