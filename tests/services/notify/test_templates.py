"""Approved texts: the files there are, and what the linter refuses."""

from datetime import date
from pathlib import Path

import pytest

from services.notify import templates as template_files
from services.notify.channels import discover as discover_channels
from services.notify.domain.languages import Language
from services.notify.domain.lint import lint, sms_parts
from services.notify.domain.template import fill, read_values, sample_values, stored_variables, wrong_variables
from services.notify.domain.words import KINDS, SAMPLE_LABELS, ValueShapeError
from services.notify.templates import TemplateFileError
from services.recognition import programs

CHANNELS = set(discover_channels())
FILE = """
label = "一条消息"
reference = "某条规定"
audience = "{audience}"
event = "request"
legal = false
payment = {payment}

[[version]]
number = 1
since = 2023-01-01
approval = "APPROVED-1"

[version.variables]
{variables}

[version.channel.sms]
text = "{text}"
family_text = "{text}"
"""
GOOD = "{name}您好！咨询电话12333。"


def written(
    folder: Path, text: str = GOOD, *, variables: str = 'name = "name"', name: str = "one", **words: str
) -> Path:
    filled = FILE.replace("{text}", text).replace("{variables}", variables)
    filled = filled.replace("{audience}", words.get("audience", "citizen"))
    filled = filled.replace("{payment}", words.get("payment", "false"))
    (folder / f"{name}.toml").write_text(filled, encoding="utf-8")
    return folder


def test_every_file_is_found_and_says_the_hotline_in_each_text_message():
    found = template_files.discover(CHANNELS)
    assert {"certified", "due_90", "due_60", "due_30", "suspicion_opened", "batch_quarantined"} <= set(found)
    for template in found.values():
        assert lint(template) == []
        for version in template.versions:
            if "sms" in version.channels:
                assert "12333" in version.channels["sms"].text


@pytest.mark.parametrize("code", ["notice_resumed", "notice_withdrawn"])
def test_that_payments_go_on_promises_no_arrears_which_have_a_notice_of_their_own(code):
    for version in template_files.discover(CHANNELS)[code].versions:
        for channel in version.channels.values():
            assert "{reason}" in channel.text
            assert "补发" not in channel.text + (channel.family_text or "")


def test_a_new_file_is_a_new_template(tmp_path):
    found = template_files.discover(CHANNELS, written(tmp_path, name="greeting"))
    assert list(found) == ["greeting"]


@pytest.mark.parametrize(
    ("text", "variables", "fault"),
    [
        ("{name}您好！请点击 http://a.cn，电话12333。", 'name = "name"', "link"),
        ("{name}您好！请打开example.com，电话12333。", 'name = "name"', "link"),
        ("{name}您好！请扫码，电话12333。", 'name = "name"', "link"),
        ("{name}您好！请打开bit.ly/x，电话12333。", 'name = "name"', "link"),
        ("{name}您好！请打开abc.io，电话12333。", 'name = "name"', "link"),
        ("{name}您好！请打开abc。com，电话12333。", 'name = "name"', "link"),
        ("{name}您好！请打开ｗｗｗ．ａ．ｃｎ，电话12333。", 'name = "name"', "link"),
        ("{name}您好！请打开社保.中国，电话12333。", 'name = "name"', "link"),
        ("{name}您好！请打开1.2.3.4，电话12333。", 'name = "name"', "link"),
        ("{name}您好！请回复验证码，电话12333。", 'name = "name"', "codes"),
        ("{name}您好！请回复验\u200b证码，电话12333。", 'name = "name"', "codes"),
        ("{name}您好！请告知动态码，电话12333。", 'name = "name"', "codes"),
        ("{name}您好！请告知身份证号，电话12333。", 'name = "name"', "codes"),
        ("{name}您好！", 'name = "name"', "names 12333"),
        ("【别人】{name}您好！电话12333。", 'name = "name"', "sender is fixed"),
        ("{name}您好！" + "一二三四五，" * 30 + "电话12333。", 'name = "name"', "at most 134"),
        ("{name}您好，" + "一二三四五六七八九十" * 6 + "。电话12333。", 'name = "name"', "a sentence of"),
        ("{name}您好！逾期不候。电话12333。", 'name = "name"', "officialese"),
        ("{name}和{other}您好！电话12333。", 'name = "name"', "undeclared variables other"),
        ("{name}您好！电话12333。", 'name = "name"\nday = "date"', "said nowhere"),
        ("{name}您好！电话12333。", 'name = "mystery"', "no type mystery"),
        ("{name:>5}您好！电话12333。", 'name = "name"', "only {name}"),
        ("{name}您好！{电话12333。", 'name = "name"', "text:"),
    ],
)
def test_the_linter_refuses_what_breaks_a_rule(tmp_path, text, variables, fault):
    with pytest.raises(TemplateFileError, match=fault) as raised:
        template_files.discover(CHANNELS, written(tmp_path, text, variables=variables))
    assert "one.toml: version[1]" in str(raised.value)


def test_a_payment_is_told_with_amount_and_card_tail(tmp_path):
    text = "{name}您好！已发放{amount}。电话12333。"
    with pytest.raises(TemplateFileError, match="tail of the card"):
        template_files.discover(
            CHANNELS, written(tmp_path, text, variables='name = "name"\namount = "yuan"', payment="true")
        )
    text = "{name}您好！已发放{amount}到您{tail}。电话12333。"
    variables = 'name = "name"\namount = "yuan"\ntail = "card_tail"'
    with pytest.raises(TemplateFileError, match="called by its own name"):
        template_files.discover(CHANNELS, written(tmp_path, text, variables=variables, payment="true"))
    text, variables = text.replace("tail", "card"), variables.replace("tail =", "card =")
    assert template_files.discover(CHANNELS, written(tmp_path, text, variables=variables, payment="true"))


def test_nor_may_the_family_be_told_less_of_a_payment(tmp_path):
    text, variables = (
        "{name}您好！已发放{amount}到您{card}。电话12333。",
        'name = "name"\namount = "yuan"\ncard = "card_tail"',
    )
    file = written(tmp_path, text, variables=variables, payment="true") / "one.toml"
    own, short = f'family_text = "{text}"', 'family_text = "您家人{name}有一笔发放。电话12333。"'
    file.write_text(file.read_text(encoding="utf-8").replace(own, short), encoding="utf-8")
    with pytest.raises(TemplateFileError, match=r"sms\.family_text: a payment"):
        template_files.discover(CHANNELS, tmp_path)


def test_a_certificate_of_life_is_told_as_no_more_than_that():
    assert any(each.in_force(date(2023, 11, 1)).asks_more() for each in programs.load().values())
    for said in template_files.discover(CHANNELS)["certified"].versions[-1].channels.values():
        for text in filter(None, (said.text, said.family_text)):
            assert "健在认证" in text
            assert "另行告知" in text


@pytest.mark.parametrize(
    ("count", "language", "reads"),
    [
        (3, "zh-CN", "3项待遇在此前无需办手续"),
        (0, "zh-CN", "各项待遇另有条件"),
        (0, "en", "more may be asked"),
    ],
)
def test_whose_every_benefit_asks_more_is_not_told_that_none_does(count, language, reads):
    version = template_files.discover(CHANNELS)["certified"].versions[-1]
    values = sample_values(version) | {"programs": count}
    for said in version.channels.values():
        _, _, words = said.to_person(Language(language))
        text = fill(words, read_values(version, values, {}, Language(language)))
        assert reads in text
        assert count or "0" not in text.replace("2024", "").replace("12333", "")


@pytest.mark.parametrize("code", ["due_90", "due_60", "due_30"])
def test_who_has_no_phone_is_told_too_that_somebody_will_call(code):
    channels = template_files.discover(CHANNELS)[code].versions[-1].channels
    assert any(said.without_phone for said in channels.values())


def test_a_text_no_carrier_has_approved_is_refused(tmp_path):
    folder = written(tmp_path)
    template_files.check_approvals(template_files.discover(CHANNELS, folder))
    path = folder / "one.toml"
    path.write_text(path.read_text().replace('"APPROVED-1"', '"PLACEHOLDER-ONE-1"'), encoding="utf-8")
    with pytest.raises(TemplateFileError, match=r"one.toml: version\[1\]: PLACEHOLDER-ONE-1"):
        template_files.check_approvals(template_files.discover(CHANNELS, folder))


def test_a_fault_names_file_line_and_key_and_all_files_are_told_at_once(tmp_path):
    written(tmp_path, name="first", audience="everybody")
    written(tmp_path, "没有号码", variables="", name="second")
    (tmp_path / "third.toml").write_text("label = \n", encoding="utf-8")
    with pytest.raises(TemplateFileError) as raised:
        template_files.discover(CHANNELS, tmp_path)
    said = str(raised.value)
    assert "first.toml:4: audience" in said
    assert "second.toml" in said
    assert "third.toml" in said


def test_a_channel_nobody_has_is_refused(tmp_path):
    folder = written(tmp_path)
    path = folder / "one.toml"
    path.write_text(path.read_text().replace("channel.sms", "channel.pigeon"), encoding="utf-8")
    with pytest.raises(TemplateFileError, match="no such channel"):
        template_files.discover(CHANNELS, folder)


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("date", "2024-10-31", "2024年10月31日"),
        ("date_or_unknown", None, "日期不详"),
        ("count", 3, "3"),
        ("yuan", 123456, "1234.56元"),
        ("yuan", -5, "-0.05元"),
        ("card_tail", "0123", "尾号0123的一卡通"),
        ("card_tail", None, "一卡通"),
        ("department", "medins", "医保局"),
        ("suspicion", "suspected_death", "疑似死亡"),
        ("code", "medins_inpatient", "medins_inpatient"),
        ("revocation", "newer_than_the_list", "newer_than_the_list"),
    ],
)
def test_values_read_in_plain_words(kind, value, text):
    assert KINDS[kind].read(value) == text


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("date", "2024-13-01"), ("date", 20240101), ("count", -1), ("count", True), ("count", "3"), ("yuan", 1.5),
        ("card_tail", "622848000123"), ("label", "张三341602199001011234"), ("label", ""), ("code", "No Code"),
        ("label", "点击 www.x.cn 核实"), ("label", "见bit.ly/x"), ("label", "请报动态码"), ("label", "10.1.2.3"),
        ("ending", None),
    ],
)  # fmt: skip
def test_values_of_another_type_are_refused(kind, value):
    with pytest.raises(ValueShapeError):
        KINDS[kind].read(value)


def test_names_are_never_stored_with_a_message():
    version = template_files.discover(CHANNELS)["certified"].versions[0]
    assert "name" not in stored_variables(version)
    assert wrong_variables(version, {"valid_until": "2024-10-31", "programs": 3, "name": "张三"}) == {
        "name": "is not declared by the template"
    }
    assert wrong_variables(version, {"valid_until": "soon"}).keys() == {"valid_until", "programs"}


def test_a_text_is_filled_with_long_samples_in_at_most_two_parts():
    for template in template_files.discover(CHANNELS).values():
        for version in template.versions:
            if said := version.channels.get("sms"):
                text = fill(said.text, read_values(version, sample_values(version), SAMPLE_LABELS))
                assert sms_parts(f"【亳州人社】{text}") <= 2


@pytest.mark.parametrize(("length", "parts"), [(1, 1), (70, 1), (71, 2), (134, 2), (135, 3)])
def test_carriers_bill_by_part(length, parts):
    assert sms_parts("字" * length) == parts
