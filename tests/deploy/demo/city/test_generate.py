"""The files of a city: the same again from the same seed, as many rows as promised, and a ledger that adds up."""

import json

import polars as pl
import pytest
from typer.testing import CliRunner

from deploy.demo.city.cli import app
from deploy.demo.city.deliveries import CITY_RECORDS, TooSmallError, read_deliveries, rows_of
from deploy.demo.city.generate import OccupiedFolderError, generate
from deploy.demo.city.manifest import LEDGER, TRUTH, NotACityError, read_manifest
from deploy.demo.city.programs import MONTHLY_FEN, read_programs

SCALE = 0.0005


@pytest.fixture(scope="session")
def truth(tiny):
    return pl.read_parquet(tiny.root / TRUTH)


@pytest.fixture(scope="session")
def ledger(tiny):
    return pl.read_parquet(tiny.root / LEDGER)


class TestDeterminism:
    def test_the_same_seed_gives_the_same_bytes(self, tiny, tmp_path):
        again = generate(SCALE, 7, tmp_path / "again")
        assert again.files == tiny.files
        for part in (TRUTH, LEDGER, "city.json"):
            assert (again.root / part).read_bytes() == (tiny.root / part).read_bytes()

    def test_another_seed_gives_other_files(self, tiny, tmp_path):
        other = generate(SCALE, 8, tmp_path / "other")
        assert not {file.sha256 for file in other.files} & {file.sha256 for file in tiny.files}


class TestCounts:
    def test_records_are_the_share_of_the_city(self, tiny):
        assert tiny.records == sum(file.rows for file in tiny.of("source")) == round(CITY_RECORDS * SCALE)

    @pytest.mark.parametrize("scale", [0.0001, 0.001, 0.02, 1.0])
    def test_rows_of_the_sources_add_up_at_any_scale(self, scale):
        assert sum(rows_of(scale).values()) == round(CITY_RECORDS * scale)

    def test_a_city_too_small_for_fifty_sources_is_refused(self):
        with pytest.raises(TooSmallError):
            rows_of(0.000001)

    def test_fifty_sources_of_twenty_six_departments_deliver(self, tiny):
        files = tiny.of("source")
        assert len({file.code for file in files}) == 50
        assert len({file.department for file in files}) == 26
        assert 200 <= len(files) <= 300

    def test_five_sources_are_negative_and_seven_weak(self):
        deliveries = read_deliveries()
        assert sum(delivery.negative for delivery in deliveries) == 5
        assert sum(delivery.weak for delivery in deliveries) == 7

    def test_every_program_hands_in_a_roster(self, tiny):
        assert [file.code for file in tiny.of("roster")] == [program.code for program in read_programs()]

    def test_rosters_pay_what_the_city_pays(self, tiny, truth):
        assert tiny.monthly_fen == truth["amount_fen"].sum()
        assert tiny.monthly_fen == pytest.approx(MONTHLY_FEN * SCALE, rel=0.005)

    def test_all_forms_of_files_occur(self, tiny):
        forms = {(file.format, file.encoding) for file in tiny.of("source")}
        csv = {("csv", "utf-8"), ("csv", "utf-8-bom"), ("csv", "gb18030")}
        assert forms == csv | {("xlsx", ""), ("ndjson", "utf-8"), ("parquet", "")}


class TestManifest:
    def test_it_reads_back_as_written(self, tiny):
        assert read_manifest(tiny.root) == tiny

    def test_files_come_in_the_order_in_which_they_are_delivered(self, tiny):
        kinds = [file.kind for file in tiny.files]
        assert kinds == sorted(kinds, key=["grids", "roster", "source"].index)
        days = [file.delivered_on for file in tiny.of("source")]
        assert days == sorted(days)
        assert days[-1] <= tiny.today

    def test_no_file_is_like_another(self, tiny):
        assert len({file.sha256 for file in tiny.files}) == len({file.path for file in tiny.files}) == len(tiny.files)

    def test_files_lie_where_it_says(self, tiny):
        assert all(tiny.locate(file).stat().st_size for file in tiny.files)

    @pytest.mark.parametrize("text", ["", "{}", "[1]", json.dumps({"files": [{"path": "x"}]})])
    def test_something_else_is_no_city(self, tmp_path, text):
        (tmp_path / "city.json").write_text(text)
        with pytest.raises(NotACityError, match="wugan city generate"):
            read_manifest(tmp_path)


class TestTruth:
    def test_the_ledger_accounts_for_every_row_of_every_file(self, tiny, ledger):
        counted = dict(ledger.group_by("path").agg(pl.col("rows").sum()).iter_rows())
        assert counted == {file.path: file.rows for file in tiny.files}

    def test_most_rows_are_good_and_every_reason_occurs(self, tiny, ledger):
        rows = ledger.filter(pl.col("path").str.starts_with("deliveries"))
        shares = dict(rows.group_by("verdict").agg(pl.col("rows").sum() / tiny.records).iter_rows())
        assert shares["accepted"] > 0.8
        assert 0.01 < shares["duplicate"] < 0.05
        assert rows.filter(pl.col("verdict") == "quarantined")["reason"].n_unique() == 10

    def test_a_twelfth_of_the_rows_are_of_people_without_a_benefit(self, tiny, ledger):
        unknown = ledger.filter(pl.col("reason") == "not_a_beneficiary")["rows"].sum()
        assert 0.06 < unknown / tiny.records < 0.11

    def test_a_third_of_the_people_can_be_certified_by_data(self, truth):
        seen = truth["visibility"].is_in(["strong", "weak"]).mean()
        assert seen == pytest.approx(0.35, abs=0.02)

    def test_the_wrongly_cancelled_are_seen_in_hospital_later(self, truth):
        wrongly = truth.filter(pl.col("wrongly_cancelled"))
        assert len(wrongly) >= 1
        assert (wrongly["strong_seen_on"] > wrongly["hukou_says_on"]).all()
        assert wrongly["died_on"].null_count() == len(wrongly)

    def test_what_no_file_has_delivered_nobody_has_been_told(self, tiny, truth):
        told = truth["register_told_on"].drop_nulls()
        assert told.max() <= tiny.today
        dead = truth.filter(pl.col("state") == "dead")
        assert 0 < dead["register_told_on"].null_count() < len(dead)

    def test_one_row_a_beneficiary(self, tiny, truth):
        assert len(truth) == tiny.people == truth["citizen_id"].n_unique()


class TestFolder:
    def test_an_older_city_is_replaced_and_one_that_was_broken_off_before_its_deliveries_made_anew(
        self, tmp_path, monkeypatch
    ):
        (tmp_path / "deliveries").mkdir()
        (tmp_path / "deliveries" / "stale.csv").write_text("x")
        (tmp_path / "city.json").write_text("{}")

        def broken_off(*_):
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr("deploy.demo.city.generate.read_deliveries", broken_off)
            with pytest.raises(KeyboardInterrupt):
                generate(0.0001, 1, tmp_path)
        assert not (tmp_path / "deliveries").exists()
        assert list((tmp_path / "rosters").iterdir())
        manifest = generate(0.0001, 1, tmp_path)
        assert {each.name for each in tmp_path.iterdir()} == {"city.json", "grids", "rosters", "deliveries", "truth"}
        assert read_manifest(tmp_path) == manifest

    def test_other_peoples_files_are_left_alone(self, tmp_path):
        (tmp_path / "thesis.txt").write_text("x")
        with pytest.raises(OccupiedFolderError):
            generate(0.0001, 1, tmp_path)
        assert (tmp_path / "thesis.txt").exists()

    def test_the_command_makes_a_city_and_tells_what_is_in_it(self, tmp_path):
        made = CliRunner().invoke(app, ["generate", "--scale", "0.0001", "--seed", "3", "--out", str(tmp_path / "c")])
        assert made.exit_code == 0
        assert "50 sources, 31 rosters" in made.output

    def test_the_command_tells_what_is_in_a_city(self, tiny):
        shown = CliRunner().invoke(app, ["show", "--out", str(tiny.root)])
        assert "680 people" in shown.output

    def test_the_command_says_in_a_sentence_why_it_cannot(self, tmp_path):
        (tmp_path / "thesis.txt").write_text("x")
        failed = CliRunner().invoke(app, ["generate", "--scale", "0.0001", "--out", str(tmp_path)])
        assert failed.exit_code == 1
        assert "choose an empty folder" in " ".join(failed.output.split())
