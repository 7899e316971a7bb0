"""Explanations by example: what a citizen reads would really do."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scoring.domain.explanation import explain
from services.scoring.domain.outlook import outlook
from services.scoring.domain.signals import Kind
from services.scoring.domain.weighing import positive_rows, scale_of, weigh
from tests.services.scoring.people import ORIGINS, RULES, TODAY, WEAK, Saw, in_words, opinions_of, signals_of


def fresh(**records: int) -> list[Saw]:
    """So many records of sources on the latest days."""
    return [
        Saw(source=source, on=TODAY - timedelta(days=day)) for source, count in records.items() for day in range(count)
    ]


@pytest.mark.parametrize(
    ("saws", "wanted"),
    [
        # Sources, departments and days are enough; only the bus has not given all it may, and one day of it will not do.
        (
            fresh(transport_bus_card=1, bank_self_service=5, hrss_card_consume=6, medins_outpatient=4),
            "例如再有两天共两条记录即可",
        ),
        # All have, so that more of them would change nothing.
        (
            fresh(transport_bus_card=5, bank_self_service=5, hrss_card_consume=6),
            "例如再有两天共两条记录即可(其中有另外一个来源的)",
        ),
        # The telephone counts once a month: it gives nothing more now.
        (
            fresh(bank_self_service=5, hrss_card_consume=6, medins_outpatient=4, telecom_activity=5),
            "例如再有两天共两条记录即可(其中有另外一个来源的)",
        ),
        (fresh(transport_bus_card=6), "例如再有五天共七条记录即可(其中有另外三个部门的)"),
    ],
)
def test_what_would_do_is_what_changes_something(saws: list[Saw], wanted: str) -> None:
    said = explain(signals_of(saws), ORIGINS, scale_of(RULES, ORIGINS, TODAY))
    assert said.decision == "insufficient"
    [citizen] = said.citizen
    assert citizen.startswith(f"目前的数据还不足以为您自动完成认证:{wanted}。")
    assert said.officer[-1].startswith(f"尚缺:{wanted}")


def test_the_example_says_whose_records_it_means() -> None:
    saws = fresh(transport_bus_card=1, bank_self_service=5, hrss_card_consume=6, medins_outpatient=4)
    said = explain(signals_of(saws), ORIGINS, scale_of(RULES, ORIGINS, TODAY))
    assert said.officer[-2] == "所举例的记录:“社保卡或老年卡乘坐公交”2 条。"
    assert "举例的是“出行”类记录。" in said.citizen[0]


def test_a_contradiction_tells_apart_who_was_there_from_whose_card_was() -> None:
    saws = [
        Saw(source="police_hukou_cancel", on=TODAY - timedelta(days=90), kind=Kind.DIED),
        Saw(source="medins_inpatient", on=TODAY - timedelta(days=9)),
        Saw(source="telecom_activity", on=TODAY - timedelta(days=2)),
    ]
    said = explain(signals_of(saws), ORIGINS, scale_of(RULES, ORIGINS, TODAY))
    assert "上门、窗口、刷脸等方式的认证不在其中" in said.officer[0]
    assert "来源:户籍死亡注销。须由人工核查" in said.officer[1]
    assert "。本人到场的记录来自:住院结算。本人未必到场、不能证明在世的记录来自:电信实名号活跃。须由" in said.officer[2]
    assert "户籍" not in said.officer[2]


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(WEAK)), st.integers(1, 6), min_size=1), st.integers(0, 360))
def test_what_would_do_certifies_once_it_has_come(records, back) -> None:
    saws = [replace(saw, on=saw.on - timedelta(days=back)) for saw in fresh(**records)]
    signals, scale = signals_of(saws), scale_of(RULES, ORIGINS, TODAY)
    found = outlook(signals, ORIGINS, scale, weigh(signals, scale, positive_rows(signals, scale), np.ones(1, bool)))
    assert found
    more = [Saw(source=source, on=TODAY + timedelta(days=ahead)) for source, ahead in found.records]
    last = max(saw.on for saw in more)
    assert in_words(opinions_of([*saws, *more], today=last))["decision"] == "certifiable"
