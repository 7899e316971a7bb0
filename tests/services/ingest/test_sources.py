"""The catalogue: fifty sources of twenty-six departments, each one file, and one more is one more file."""

import re
import shutil
from pathlib import Path

import pytest

import services.ingest.sources as catalogue_files
from deploy.demo.city.deliveries import read_deliveries
from services.ingest.domain.catalogue import tally
from services.ingest.sources import SourceError, load_sources
from shared.contracts.names import DEPARTMENTS, SOURCES
from tests.services.ingest.world import IDS, csv_of, with_deps

FOLDER = Path(catalogue_files.__file__).parent
NEW = """
label = "图书馆刷脸入馆"
department = "culture_tourism"
polarity = "positive"
strength = "strong"
kind = "seen"
identity = "full"
why = "live face at the gate"
reference = "own filling"
frequency = "daily"
latency_days = 1
retention_months = 24

[columns]
citizen_id = ["读者证件号"]
occurred_on = ["入馆日期"]

[identification]
how = "the gate compares the face with the chip of the card"
reference = "own filling"

[[example]]
row = { "读者证件号" = "341602194901011237", "入馆日期" = "2023-05-09" }
verdict = "accepted"
"""


@pytest.fixture
def one_more(tmp_path):
    """The folder of sources with that of another city in it."""
    folder = tmp_path / "sources"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    (folder / "library_gate.toml").write_text(NEW.replace("culture_tourism", "library"), encoding="utf-8")
    return folder


@pytest.mark.parametrize("more", [False, True])
def test_the_catalogue_is_fifty_sources_of_twenty_six_departments(one_more, more):
    catalogue = load_sources(one_more if more else None)
    # Those of the reference, which the demo city delivers: a city's own source is one more file and changes no count.
    ours = [catalogue[delivery.code] for delivery in read_deliveries()]
    assert tally(ours) == {"sources": 50, "departments": 26, "positive": 45, "negative": 5, "strong": 43, "weak": 7}
    assert {source.department for source in ours} <= set(DEPARTMENTS)
    assert {source.code: source.label for source in ours}.items() <= SOURCES.items()
    assert len({source.label for source in catalogue.values()}) == len(catalogue) >= 50 + more


@pytest.mark.parametrize("source", load_sources().values(), ids=lambda source: source.code)
def test_every_code_of_a_source_has_an_example(source):
    for column, rule in source.codes.items():
        tried = {row.get(header) for row in (each.row for each in source.examples) for header in source.columns[column]}
        untried = (rule.counts | rule.weaker | rule.not_counted | set(rule.kinds)) - tried
        assert not untried, untried
    assert any(example.verdict == "accepted" for example in source.examples)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (("strength = ", "strenght = "), "strenght"),
        (('label = "图书馆刷脸入馆"\n', ""), "label"),
        (('reference = "own filling"\nfreq', "freq"), "reference"),
        (('reference = "own filling"', 'reference = ""'), "reference"),
        (
            (
                '[identification]\nhow = "the gate compares the face with the chip of the card"\nreference = "own filling"\n',
                "",
            ),
            ":7: identity",
        ),
        (('occurred_on = ["入馆日期"]', 'occurred_on = ["入馆日期"]\nname = ["姓名"]'), ":7: identity"),
        (("[columns]", "[dates]\ndied = 'died_on'\n\n[columns]"), "died_on"),
        (('"strong"', '"very strong"'), "strength"),
        (("latency_days = 1", "latency_days = -1"), "latency_days"),
        (('citizen_id = ["读者证件号"]', ""), "citizen_id"),
        (('["入馆日期"]', "[]"), "occurred_on"),
        (('verdict = "accepted"', 'verdict = "maybe"'), "verdict"),
        (("[[example]]", "[example]"), "example"),
        (("[columns]", "[codes.mode]\ncounts = ['x']\n\n[columns]"), "mode"),
        (('label = "', "label = ["), "line"),
    ],
)
def test_a_broken_declaration_is_refused_with_file_and_key(tmp_path, change, key):
    (tmp_path / "library_gate.toml").write_text(NEW.replace(*change), encoding="utf-8")
    with pytest.raises(SourceError) as refused:
        load_sources(tmp_path)
    assert "library_gate.toml" in str(refused.value)
    assert key in str(refused.value)


EXAMPLE = NEW[NEW.index("[[example]]") :]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (NEW.replace("strength = ", "strenght = "), "5: strenght"),
        (NEW.replace('label = "图书馆刷脸入馆"\n', ""), "1: label"),
        (NEW.replace('reference = "own filling"\nfreq', "freq"), "1: reference"),
        (NEW.replace('\nreference = "own filling"\n\n[[', "\n\n[["), "18: identification.reference"),
        (NEW.replace("latency_days = 1", "latency_days = -1"), "11: latency_days"),
        (NEW.replace('["入馆日期"]', "[]"), "16: columns.occurred_on"),
        (NEW.replace('citizen_id = ["读者证件号"]\n', ""), "14: columns.citizen_id"),
        (NEW.replace("[columns]", "[codes.mode]\ncounts = ['x']\n\n[columns]"), "14: columns.mode"),
        (NEW.replace("[columns]", "[dates]\ndied = 'died_on'\n\n[columns]"), "15: columns.died_on"),
        (NEW.replace('how = "', 'hwo = "'), "19: identification.hwo"),
        (NEW + EXAMPLE * 4 + EXAMPLE.replace("accepted", "maybe"), "39: example.5.verdict"),
        (NEW + EXAMPLE * 4 + EXAMPLE.replace('verdict = "accepted"\n', ""), "37: example.5.verdict"),
        (NEW + EXAMPLE.replace("verdict", "verdikt"), "27: example.1.verdikt"),
    ],
)
def test_the_line_of_what_is_wrong_is_named_or_that_of_the_table_that_lacks_it(tmp_path, text, line):
    (tmp_path / "library_gate.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SourceError, match=rf"library_gate\.toml:{re.escape(line)}"):
        load_sources(tmp_path)


@pytest.mark.db
async def test_adding_a_source_is_one_file(town, one_more):
    world = with_deps(town, sources=load_sources(one_more))
    body = csv_of({"读者证件号": IDS[:2], "入馆日期": ["2023-05-09"] * 2})
    said = (await world.send(body, "library_gate")).json()
    assert (said["accepted"], said["department"]) == (2, "library")
    assert "library_gate" in {each["code"] for each in (await world.get("/v1/sources")).json()["items"]}
    assert {row["identity"] for row in await world.said("ingest.evidence.accepted.v1")} == {"full"}
