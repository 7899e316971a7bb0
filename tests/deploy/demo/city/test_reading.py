"""A plain reader with the catalogue in hand finds exactly what the ledger says; it shares no code with the generator."""

import csv
import io
import json
import re
import tomllib
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from deploy.demo.city.deliveries import read_deliveries
from deploy.demo.city.manifest import LEDGER, TRUTH

CATALOGUE = Path(__file__).parents[4] / "services" / "ingest" / "sources"
TODAY, WINDOW_AFTER = date(2023, 11, 1), date(2022, 11, 1)
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def declaration(code: str) -> dict[str, Any]:
    return tomllib.loads((CATALOGUE / f"{code}.toml").read_text(encoding="utf-8"))


def rows_of(path: Path, form: str, encoding: str) -> list[dict[str, Any]]:
    if form == "parquet":
        return pl.read_parquet(path).to_dicts()
    if form == "xlsx":
        return pl.read_excel(path, infer_schema_length=0).to_dicts()
    text = path.read_bytes().decode({"utf-8-bom": "utf-8-sig"}.get(encoding, encoding))
    if form == "ndjson":
        return [json.loads(line) for line in text.splitlines()]
    head = text.splitlines()[0]
    return list(csv.DictReader(io.StringIO(text), delimiter=max(",;|\t", key=head.count)))


def id_of(raw: str | None) -> tuple[str, str]:
    """The number as it should be, and what is wrong with it."""
    text = (raw or "").translate(str.maketrans("０１２３４５６７８９Ｘ", "0123456789X")).strip().upper()
    if not text:
        return "", "missing"
    body = f"{text[:6]}19{text[6:]}" if len(text) == 15 else text[:17]
    if len(text) not in (15, 18) or not body.isdigit() or day_of(body[6:14]) is None:
        return "", "bad_citizen_id"
    digit = "10X98765432"[sum(int(each) * weight for each, weight in zip(body, WEIGHTS, strict=True)) % 11]
    return body + digit, "bad_check_digit" if len(text) == 18 and text[17] != digit else ""


def day_of(raw: str) -> date | None:
    text = re.sub("[年月/]", "-", raw.strip()).replace("日", "").split(" ")[0]
    parts = text.split("-") if "-" in text else [text[:4], text[4:6], text[6:8] or "1"]
    try:
        return date(*(int(part) for part in parts))
    except (ValueError, TypeError):
        return None


def fault_of_fields(fields: dict[str, Any], said: dict[str, Any]) -> str:
    _, wrong = id_of(fields["citizen_id"])
    when = str(fields["occurred_on"] or "")
    blank_ok = said.get("id_may_be_blank", False)
    if not when or (wrong == "missing" and not blank_ok):
        return "missing_field"
    if wrong:
        return "no_citizen_id" if wrong == "missing" else wrong
    day = day_of(when)
    if day is None:
        return "impossible_date"
    return "future_date" if day > TODAY else ""


def fault_of_codes(fields: dict[str, Any], said: dict[str, Any]) -> str:
    for name, rule in said.get("codes", {}).items():
        if fields[name] in rule.get("not_counted", []):
            return "not_counted"
        if fields[name] not in [*rule.get("counts", []), *rule.get("kinds", {})]:
            return "wrong_code"
    return ""


def kind_of(fields: dict[str, Any], said: dict[str, Any]) -> str:
    own = str(said["kind"])
    kinds = [str(rule.get("kinds", {}).get(fields[name], own)) for name, rule in said.get("codes", {}).items()]
    return next((kind for kind in kinds if kind != own), own)


def verdict_of(
    row: dict[str, Any], said: dict[str, Any], people: dict[str, str]
) -> tuple[str, tuple[str, date, str] | None]:
    titles = said["columns"].items()
    fields = {name: next((row[title] for title in accepted if title in row), None) for name, accepted in titles}
    if fault := fault_of_fields(fields, said) or fault_of_codes(fields, said):
        return fault, None
    (number, _), day = id_of(fields["citizen_id"]), day_of(str(fields["occurred_on"]))
    if number not in people:
        return "not_a_beneficiary", None
    if "name" in fields and (fields["name"] or "").replace("\u3000", "") != people[number]:
        return "name_mismatch", None
    assert day
    kind = kind_of(fields, said)
    if day <= WINDOW_AFTER and kind == "seen":
        return "out_of_window", None
    return "accepted", (number, day, kind)


@pytest.mark.parametrize("delivery", read_deliveries(), ids=lambda delivery: delivery.code)
def test_a_reader_finds_what_the_ledger_says(tiny, delivery):
    people = dict(pl.read_parquet(tiny.root / TRUTH, columns=["citizen_id", "name"]).iter_rows())
    expected: dict[str, Counter[str]] = {}
    for path, verdict, reason, rows in pl.read_parquet(tiny.root / LEDGER).iter_rows():
        expected.setdefault(path, Counter())[reason or verdict] = rows
    said = declaration(delivery.code)
    known: set[tuple[str, date, str]] = set()
    for file in (file for file in tiny.of("source") if file.code == delivery.code):
        found: Counter[str] = Counter()
        for row in rows_of(tiny.locate(file), file.format, file.encoding):
            verdict, evidence = verdict_of(row, said, people)
            found["duplicate" if evidence in known else verdict] += 1
            if evidence:
                known.add(evidence)
        assert found == expected[file.path], file.path


@pytest.mark.parametrize("delivery", read_deliveries(), ids=lambda delivery: delivery.code)
def test_headers_and_codes_are_those_of_the_catalogue(delivery):
    said = declaration(delivery.code)
    titles = [column.title for column in delivery.columns]
    for name in said["columns"].keys() - set(said.get("dates", {}).values()):
        assert len(set(titles) & set(said["columns"][name])) == 1, name
    assert ("name" in said["columns"]) == delivery.named
    assert (said["polarity"] == "negative") == delivery.negative
    assert (said["strength"] == "weak") == delivery.weak
    assert said["department"] == delivery.department
    for rule in said.get("codes", {}).values():
        good = {*rule.get("counts", []), *rule.get("weaker", []), *rule.get("kinds", {})}
        assert {variant.value for variant in delivery.variants if variant.counts} <= good
        assert {variant.value for variant in delivery.variants if not variant.counts} <= set(
            rule.get("not_counted", [])
        )
        assert delivery.wrong
        assert delivery.wrong not in good | set(rule.get("not_counted", []))
