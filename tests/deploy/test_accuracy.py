"""`wugan accuracy` refuses folders it cannot use, and asks about everybody of a city."""

import json
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Self

import polars as pl
import polars.selectors as cs
import pytest
from typer.testing import CliRunner

from deploy import accuracy as module
from deploy.cli import app
from deploy.demo import truth
from deploy.demo.city.generate import generate
from deploy.demo.city.year import FIRST_ON, TODAY_ON
from deploy.demo.truth import Accuracy
from shared.kit.crypto import Pseudonymiser


@pytest.fixture(scope="module")
def city(tmp_path_factory) -> Path:
    folder: Path = tmp_path_factory.mktemp("city")
    generate(0.0002, 3, folder)
    return folder


def run(*words: str):
    return CliRunner().invoke(app, ["accuracy", *words])


def test_a_folder_without_a_city_is_refused_with_what_to_do(tmp_path: Path) -> None:
    said = run("--city", str(tmp_path))
    assert said.exit_code == 1
    assert "holds no generated city" in said.stderr


def test_a_folder_without_a_stack_is_refused_with_what_to_do(city: Path, tmp_path: Path) -> None:
    said = run("--city", str(city), "--data", str(tmp_path))
    assert said.exit_code == 1
    assert "--data" in said.stderr


class Nobody:
    async def __aenter__(self) -> Self:
        return self

    async def call(self, *_words: str) -> dict[str, dict[str, int]]:
        return {"certified_people": {"data": 7, "home": 1}}

    async def __aexit__(self, *_error: object) -> None: ...


def stack_in(folder: Path) -> None:
    """The secrets of a stack: a client's key that is never opened, and keys of zeros."""
    key = folder / "secrets" / "clients" / "demo-operator.pem"
    key.parent.mkdir(parents=True)
    key.write_text("never opened: nobody is asked", encoding="utf-8")
    kept: dict[str, object] = dict.fromkeys(("subject_key", "name_key", "grid_key", "vault_keys"), "00" * 32)
    kept |= {"roles": {}, "users": {}}
    (folder / "secrets" / "keys.json").write_text(json.dumps(kept), encoding="utf-8")


def test_answers_are_held_against_the_truth(city: Path, tmp_path: Path, monkeypatch) -> None:
    stack_in(tmp_path)
    seen: list[pl.DataFrame] = []

    async def ask(_client: object, people: pl.DataFrame, told: object) -> pl.DataFrame:
        seen.append(people)
        told = pl.col("register_told_on").is_not_null()
        answer = pl.when(told).then(pl.lit("under_review")).otherwise(pl.lit("recognised"))
        # Whoever is certified was seen the day after he died.
        return people.with_columns(answer=answer, as_of=pl.col("died_on") + timedelta(days=1))

    monkeypatch.setattr(truth, "ask", ask)
    monkeypatch.setattr(module, "client", lambda *_words: Nobody())
    found = module.accuracy(city, data=tmp_path, gateway="http://127.0.0.1:1")
    assert isinstance(found, Accuracy)
    dead = seen[0].filter(pl.col("state") == "dead")
    told = dead.filter(pl.col("register_told_on").is_not_null())
    assert found.people == found.recognised + found.under_review == len(seen[0])
    assert found.recognised_dead == found.recognised_dead_at_as_of == len(dead) - len(told) > 0
    for days in (30, 60, 90):
        old = dead.filter(pl.col("died_on") <= TODAY_ON - timedelta(days=days), pl.col("died_on") > FIRST_ON)
        soon = old.filter(pl.col("register_told_on") - pl.col("died_on") <= timedelta(days=days))
        assert (getattr(found, f"dead_{days}"), getattr(found, f"within_{days}")) == (len(old), len(soon))
    unheard = seen[0].filter(pl.all_horizontal(cs.ends_with("_delivered_on").is_null()))
    strong = unheard.filter(pl.col("visibility") == "strong")
    assert 0 < found.strong_only == len(strong) < found.points_only < len(unheard)
    assert found.strong_only_dead == len(strong.filter(pl.col("state") == "dead"))
    said = run("--city", str(city), "--data", str(tmp_path), "--list")
    assert said.exit_code == 0
    assert "certified, and alive" in said.stdout
    count, *subjects = said.stdout.partition("dead at as_of already")[0].split()[4:]
    unheard_of = dead.filter(pl.col("register_told_on").is_null())["citizen_id"].sort()
    assert (int(count), subjects) == (len(subjects), [str(Pseudonymiser(bytes(32)).one(each)) for each in unheard_of])
    assert re.search(r"certified by data alone +│ 7 ", said.stdout)


def test_whoever_is_certified_and_dead_is_of_one_kind_of_three() -> None:
    died, before, after = date(2023, 6, 1), date(2023, 5, 1), date(2023, 7, 1)
    seen = {"strong_seen_on": [before, None, before, None], "as_of": [before, before, after, after]}
    never = pl.Series([None] * 4, dtype=pl.Date)
    rows = {"state": "dead", "answer": "recognised", "weak_points": 0.0, "died_on": [died] * 4, **seen}
    found = truth.compare(pl.DataFrame(rows | {"register_told_on": never, "court_delivered_on": never}), by_data=0)
    kinds = (found.recognised_dead_seen_before, found.recognised_dead_cards_before, found.recognised_dead_at_as_of)
    assert (found.recognised_dead, kinds) == (4, (1, 1, 2))


def test_whoever_is_in_custody_is_not_suspected_wrongly() -> None:
    states = ["alive", "moved", "dead", "missing", "in_custody", "detained"]
    never = [None] * len(states)
    days = {
        name: pl.Series(never, dtype=pl.Date) for name in ("died_on", "register_told_on", "as_of", "strong_seen_on")
    }
    rows = {"state": states, "answer": "under_review", "weak_points": 0.0, **days, "court_delivered_on": days["as_of"]}
    found = truth.compare(pl.DataFrame(rows), by_data=0)
    assert (found.under_review, found.living_under_review) == (6, 2)
