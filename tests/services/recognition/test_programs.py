"""Programs: a file each, checked whole, each example a test."""

from datetime import date
from types import SimpleNamespace

import httpx
import pytest

from services.recognition.domain.answers import View, answer
from services.recognition.domain.arrears import DEFAULT_RULES, Pause, lifted_by, owed_fen, resumes_from
from services.recognition.domain.dues import Amount, Span
from services.recognition.domain.enrolments import Status
from services.recognition.domain.months import valid_until
from services.recognition.domain.programs import Effect, EndingEvent, Family
from services.recognition.programs import (
    FOLDER,
    ArrearsExample,
    CertificateExample,
    EventExample,
    ProgramFileError,
    load,
    read_file,
    to_program,
)
from shared.contracts.names import DEPARTMENTS
from shared.contracts.vocabulary import Claim
from tests.services.recognition.world import World, assessed, assessment, enrolled, enrolment, make_deps

FILES = sorted(FOLDER.glob("*.toml"))
NINE = {
    "ue_pension", "gi_pension", "resident_pension", "land_loss_pension", "wi_disability", "wi_survivor", "unemployment",
    "survivor_allowance", "sickness_allowance",
}  # fmt: skip
TWENTY_TWO = {
    "fp_reward", "fp_special", "fp_only_child", "ex_village_doctor", "ex_village_cadre", "old_age_allow",
    "vet_rural_soldier", "vet_disabled", "vet_bereaved", "vet_demob_sick", "vet_war", "dis_living", "dis_nursing",
    "dibao", "tekun", "orphan", "reservoir", "film_projectionist", "teacher_old", "unit_survivor", "medins_retiree",
    "farmland",
}  # fmt: skip
EXAMPLES = [
    pytest.param(path.stem, example, id=f"{path.stem}: {example.says}")
    for path in FILES
    for example in read_file(path).example
]


def test_the_nine_of_hr_and_the_twenty_two_others_of_the_catalogue_are_there():
    # A city's own program is one more file, and a sandbox is none of either.
    families = {code: program.family for code, program in load().items() if not program.sandbox}
    assert {code: families.get(code) for code in NINE} == dict.fromkeys(NINE, Family.HR)
    assert {code: families.get(code) for code in TWENTY_TWO} == dict.fromkeys(TWENTY_TWO, Family.SUBSIDY)
    assert (len(NINE), len(TWENTY_TWO)) == (9, 22)


def test_every_program_asks_whether_the_person_is_alive():
    assert all(Claim.ALIVE in program.versions[0].claims for program in load().values())


def test_departments_of_the_catalogue_have_their_names():
    # One of a city's own needs a name only to be called by it; until then it reads as another department.
    for code in NINE | TWENTY_TWO:
        program = load()[code]
        assert {program.owner, *program.told} <= set(DEPARTMENTS)


def test_every_file_shows_each_of_its_events_and_arrears_rules():
    for path in FILES:
        declared = read_file(path)
        shown = {each.event for each in declared.example if isinstance(each, EventExample)}
        paid = {each.reason for each in declared.example if isinstance(each, ArrearsExample)}
        version = declared.version[-1]
        assert {event for event in version.events if event not in {"overdue", "own_request"}} == shown, path.name
        assert set(version.arrears) == paid, path.name


def test_every_row_of_the_back_pay_table_is_used_by_a_program():
    used = {reason for program in load().values() for version in program.versions for reason in version.arrears}
    assert used == set(DEFAULT_RULES)


def test_every_stop_of_a_program_can_be_lifted_for_some_reason():
    stops = {Effect.SUSPEND, Effect.TERMINATE}
    for code, program in load().items():
        events = {EndingEvent.OWN_REQUEST: Effect.SUSPEND, **program.versions[-1].events}
        for event, effect in events.items():
            if effect in stops:
                assert lifted_by(event, ended=effect is Effect.TERMINATE), (code, event)


@pytest.mark.parametrize(("code", "example"), EXAMPLES)
def test_example(code, example):
    version = to_program(code, read_file(FOLDER / f"{code}.toml")).in_force(date(2023, 11, 1))
    if isinstance(example, CertificateExample):
        until = example.as_of and valid_until(example.as_of, version.cycle_months, example.cap_months)
        view = View(
            enrolled=True,
            status=Status.ACTIVE,
            under_review=example.under_review,
            valid_until=until,
            as_of=example.as_of,
        )
        assert example.valid_until in (None, until)
        assert answer(view, example.today, example.max_age_days) is example.answer
    elif isinstance(example, EventExample):
        assert version.effect_of(example.event) is example.effect
        if example.effect in {Effect.TERMINATE, Effect.SUSPEND}:
            assert version.stops_from(example.event, example.on) == example.stops_from
    else:
        pause = Pause(
            reason=example.reason,
            suspended_from=example.suspended_from,
            paid_again_from=resumes_from(example.reason, example.passed_on),
            requested_on=example.requested_on,
        )
        amounts = [Amount(from_on=date(2020, 1, 1), fen=example.amount_fen)]
        if example.increase_on and example.increased_fen:
            amounts.append(Amount(from_on=example.increase_on, fen=example.increased_fen))
        rule = version.arrears[example.reason]
        owed = Span(first=pause.owed_from(rule), end=pause.paid_again_from)
        assert owed_fen(owed, rule, amounts, pause.suspended_from) == example.arrears_fen


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("unit =", "unt ="), "unt"),
        (('unit = "person"', 'unit = "village"'), "unit"),
        (("label =", "# label ="), "label"),
        (("cycle_months = 12", "cycle_months = 0"), "version.0.cycle_months"),
        (('claims = ["alive"', 'claims = ["breathing"'), "version.0.claims.0"),
        (("[version.events]", "[version.events"), ""),
        (
            (
                "[version.arrears]",
                '[version.stops]\ndeath = "same_month"\nwork_refused = "same_month"\n[version.arrears]',
            ),
            "stops: work_refused",
        ),
    ],
)
def test_a_wrong_file_is_refused_with_its_name_and_key(tmp_path, change, said):
    text = (FOLDER / "old_age_allow.toml").read_text(encoding="utf-8")
    path = tmp_path / "broken.toml"
    path.write_text(text.replace(*change), encoding="utf-8")
    with pytest.raises(ProgramFileError, match=r"broken\.toml") as caught:
        load(tmp_path)
    assert said in str(caught.value)


def test_what_excludes_must_agree(tmp_path):
    text = (FOLDER / "old_age_allow.toml").read_text(encoding="utf-8")
    (tmp_path / "one.toml").write_text(text.replace("excludes = []", 'excludes = ["two"]'), encoding="utf-8")
    (tmp_path / "two.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ProgramFileError, match=r"one\.toml: excludes"):
        load(tmp_path)


@pytest.fixture
def one_more(tmp_path):
    """The folder of programs with one more file."""
    for path in FILES:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    text = (FOLDER / "old_age_allow.toml").read_text(encoding="utf-8")
    (tmp_path / "heating_allow.toml").write_text(text.replace("高龄津贴", "取暖补贴"), encoding="utf-8")
    return tmp_path


def test_a_new_program_is_one_new_file(one_more):
    assert set(load(one_more)) == {*load(), "heating_allow"}


@pytest.mark.db
async def test_people_of_a_new_program_are_enrolled_recognised_and_named(one_more, database_for, app, issuer):
    world = World(make_deps(await database_for("recognition"), programs=load(one_more)))
    app.state.deps, app.state.platform = world.deps, SimpleNamespace(guard=issuer.known_guard)
    citizen_id = "11010519491231002X"
    who = world.deps.subjects.one(citizen_id)
    await world.hear(enrolled(enrolment(who), program="heating_allow"), assessed(assessment(who)))
    why = {"Purpose-Code": "pay", "Legal-Basis": "regulation-26"}
    payer = issuer.headers("recognition.check", role="partner", programs=["heating_allow"], client_id="p-1") | why
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://recognition.test") as http:
        question = {"program": "heating_allow", "citizen_id": citizen_id}
        said = (await http.post("/v1/recognitions:check", json=question, headers=payer)).json()
        named = (await http.get("/v1/programs", headers=payer)).json()["items"]
    assert (said["answer"], said["valid_until"]) == ("recognised", "2024-09-30")
    # Whoever writes to people asks here what it is called.
    assert [(each["code"], each["label"]) for each in named] == [("heating_allow", "取暖补贴")]


def test_a_version_holds_from_its_day(tmp_path):
    text = (FOLDER / "old_age_allow.toml").read_text(encoding="utf-8")
    head, version = text.split("[[version]]", 1)
    version, _, examples = version.partition("[[example]]")
    later = version.replace("from = 2018-01-01", "from = 2024-01-01").replace("cycle_months = 12", "cycle_months = 6")
    (tmp_path / "p.toml").write_text(
        f"{head}[[version]]{version}\n[[version]]{later}\n[[example]]{examples}", encoding="utf-8"
    )
    program = load(tmp_path)["p"]
    assert [program.in_force(day).cycle_months for day in (date(2010, 1, 1), date(2023, 12, 31), date(2024, 1, 1))] == [
        12,
        12,
        6,
    ]
