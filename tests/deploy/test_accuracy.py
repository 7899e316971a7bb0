"""`wugan accuracy` refuses folders it cannot use, and asks about everybody of a city."""

from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from deploy import accuracy as module
from deploy.cli import app
from deploy.demo import truth
from deploy.demo.city.generate import generate
from deploy.demo.truth import Accuracy


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


def test_answers_are_held_against_the_truth(city: Path, tmp_path: Path, monkeypatch) -> None:
    key = tmp_path / "secrets" / "clients" / "demo-operator.pem"
    key.parent.mkdir(parents=True)
    key.write_text("never opened: nobody is asked", encoding="utf-8")
    seen: list[pl.DataFrame] = []

    async def ask(_client: object, people: pl.DataFrame, told: object) -> pl.DataFrame:
        seen.append(people)
        return people.with_columns(answer=pl.lit("recognised"))

    class Nobody:
        async def __aenter__(self) -> None: ...

        async def __aexit__(self, *_error: object) -> None: ...

    monkeypatch.setattr(truth, "ask", ask)
    monkeypatch.setattr(module, "client", lambda *_words: Nobody())
    found = module.accuracy(city, data=tmp_path, gateway="http://127.0.0.1:1")
    assert isinstance(found, Accuracy)
    assert found.people == found.recognised == len(seen[0])
    assert found.recognised_dead == (seen[0]["state"] == "dead").sum() > 0
    said = run("--city", str(city), "--data", str(tmp_path))
    assert said.exit_code == 0
    assert "certified, and alive" in said.stdout
