"""Another language where a person asks for it and a text has it; the family, and what has no other words, in Chinese."""

import re
from types import SimpleNamespace

import pytest

from services.notify import templates as template_files
from services.notify.channels import discover as discover_channels
from services.notify.domain.languages import FORMS, Language
from services.notify.domain.lint import lint
from services.notify.domain.words import ENDINGS, KINDS
from services.notify.templates import TemplateFileError
from services.notify.usecases import villages
from shared.contracts.events import CONTACTS_CHANGED
from shared.contracts.vocabulary import Audience
from tests.services.notify.world import MORNING, certify, contacts, drain, hear, notice, subject, table_message

CHANNELS = set(discover_channels())
LATIN = re.compile(r"^[\x00-\x7f]*$")


def test_every_reason_reads_in_every_language_and_forms_are_of_known_types():
    for language, forms in FORMS.items():
        assert set(forms) <= set(KINDS)
        read = {code: forms["ending"](code, {}) for code in ENDINGS}
        assert len(set(read.values())) == len(ENDINGS), language
        assert forms["ending"]("a_new_one", {}) == forms["ending"]("另一个原因", {})


def test_whatever_a_citizen_gets_by_event_has_its_inbox_text_and_letter_in_english_too():
    for template in template_files.discover(CHANNELS).values():
        if template.audience is not Audience.CITIZEN or template.event == "request":
            continue
        said = template.versions[-1].channels
        for code in {"inbox", "sms", "letter"} & set(said):
            language, title, text = said[code].to_person(Language.ENGLISH)
            assert (language, bool(LATIN.match(title + text))) == (Language.ENGLISH, True), (template.code, code)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("Click here: call 12333.", "no message carries a link"),
        ("Tell us your password: call 12333.", "no message speaks of codes"),
        ("You are certified until {valid_until}.", "a text message names 12333"),
        ("You are certified. Call 12333. " + "Nothing to do. " * 9, "at most 134"),
        ("Certified until {day}, call 12333.", "undeclared variables day"),
    ],
)
def test_the_linter_reads_translations_as_well(tmp_path, text, fault):
    whole = (template_files.FOLDER / "certified.toml").read_text(encoding="utf-8")
    changed = re.sub(r'(\[version\.channel\.sms\.in\.en\]\napproval = .*\ntext = )"[^"]*"', rf'\1"{text}"', whole)
    assert changed != whole
    (tmp_path / "certified.toml").write_text(changed, encoding="utf-8")
    assert any(fault in each for each in lint(template_files.read(tmp_path / "certified.toml")))


def test_a_language_nobody_knows_is_refused(tmp_path):
    whole = (template_files.FOLDER / "certified.toml").read_text(encoding="utf-8")
    (tmp_path / "certified.toml").write_text(whole.replace(".in.en]", ".in.tlh]"), encoding="utf-8")
    with pytest.raises(TemplateFileError, match=r"in\.tlh"):
        template_files.read(tmp_path / "certified.toml")


@pytest.mark.db
async def test_a_person_is_told_in_his_language_and_his_family_in_chinese(http, deps, sandbox, issuer):
    manager, reader = issuer.headers("notify.manage"), issuer.headers("notify.read")
    for number in (1, 2):
        body = {"subject": str(subject(number)), "language": "en"}
        assert (await http.post("/v1/preferences", json=body, headers=manager)).json()["language"] == "en"
    refused = await http.post("/v1/preferences", json={"subject": str(subject(1)), "language": "tlh"}, headers=manager)
    assert refused.status_code == 422
    await certify(deps, subject(1), subject(3))
    await certify(deps, subject(2), reachable="family")
    await drain(deps)
    told = {each["to"]: each["text"] for each in sandbox.state.keep.list_sms(to=None, limit=9)}
    assert told["13900000001"].endswith(
        "张建国: certified as living until 2024-10-31; for 3 benefits nothing to do until then. Questions: call 12333."
    )
    assert {each["approval"] for each in sandbox.state.keep.list_sms(to=None, limit=9)} == {
        "PLACEHOLDER-CERTIFIED-3", "PLACEHOLDER-CERTIFIED-3-EN",
    }  # fmt: skip
    assert "您家人张建国" in told["13800000002"]
    assert "张建国您好" in told["13900000003"]
    found = await http.post("/v1/messages:search", json={"subject": str(subject(1))}, headers=reader)
    (item,) = found.json()["items"]
    assert item["title"] == "You are certified"
    assert item["text"].startswith(
        "You are certified as living until 2024-10-31 and need not prove it again before then."
    )


@pytest.mark.db
async def test_a_letter_is_in_the_language_too(deps, http, issuer):
    await hear(deps, table_message(CONTACTS_CHANGED, contacts([(subject(1), "phone")])))
    body = {"subject": str(subject(1)), "language": "en", "large_print": True}
    await http.post("/v1/preferences", json=body, headers=issuer.headers("notify.manage"))
    deps.labels["dibao"] = "农村低保"
    await hear(deps, notice(1, subject(1), programs=["old_age_allow", "dibao"]))
    await drain(deps, "letter")
    shown = await http.post(
        "/v1/templates/notice_intended_stop:preview", json={}, headers=issuer.headers("notify.read")
    )
    assert {"inbox:en", "sms:en", "letter:en"} <= {each["channel"] for each in shown.json()["items"]}
    caller = SimpleNamespace(client_id="v", user="v", divisions=["3416"], may_division=lambda _: True)
    async with deps.database.write() as tx:
        (spoken,) = await villages.take(tx, deps, caller, "341602001001", "letter", ids=None, limit=9)  # type: ignore[arg-type]
    # Each of them is named, below a title that names one.
    assert (spoken.name, spoken.title) == ("张建国", "高龄津贴 and 1 more: a stop is intended, please check")
    assert "高龄津贴, 农村低保" in spoken.text
    assert "The reason: a recorded death." in spoken.text
    assert "contact us by 2023-12-01" in spoken.text
    assert villages.print_letters(deps, [spoken], MORNING).startswith(b"%PDF")
