"""What no approved text may do: no link, no code asked for, the public number named, short, every variable declared."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from services.notify.domain import safety
from services.notify.domain.languages import Language
from services.notify.domain.template import (
    ChannelText,
    Template,
    Version,
    fill,
    placeholders,
    read_values,
    sample_values,
)
from services.notify.domain.words import CONTACT_VALUES, KINDS, SAMPLE_LABELS
from shared.contracts.vocabulary import Audience

HOTLINE: Final = "12333"
SMS: Final = "sms"
SIGNATURE_LENGTH: Final = 10
"""Room for the fixed sender that the channel puts before the text, e.g. 【亳州人社】."""
SMS_LENGTH: Final = 134
"""Two parts of a Chinese text message."""
_SINGLE_PART = 70
_JOINED_PART = 67
TEXT_LENGTH: Final = 600
SENTENCE_LENGTHS: Final[Mapping[Language, int]] = {Language.CHINESE: 60, Language.ENGLISH: 120}

_SIGNATURE = re.compile(r"[【】]")
_BENEFIT = re.compile(r"待遇|补贴|津贴|养老金|补助|低保|去世|死亡|服刑|暂停|停发")
_HARD_WORDS = re.compile(r"兹|予以|逾期不候|特此|之规定|贵方|阁下")
LOUDSPEAKER: Final = "loudspeaker"
ALOUD: Final = frozenset({"name", "date"})
"""Types of variables that may be read out to a whole village."""
_SENTENCE = re.compile(r"[。!?;！？；\n]|\. ")


def sms_parts(text: str) -> int:
    """How many parts a carrier bills for a text in Chinese: 70 characters alone, 67 each when joined."""
    return 1 if len(text) <= _SINGLE_PART else -(-len(text) // _JOINED_PART)


def lint(template: Template) -> list[str]:
    """What is wrong with a template, each with the key where it is; empty when it may be used."""
    wrong: list[str] = []
    numbers = [version.number for version in template.versions]
    if numbers != list(range(1, len(numbers) + 1)):
        wrong.append("version: numbers must count 1, 2, 3 in the order of the file")
    if any(one.since > two.since for one, two in zip(template.versions, template.versions[1:], strict=False)):
        wrong.append("version: a later number must not begin earlier")
    for version in template.versions:
        wrong.extend(f"version[{version.number}].{each}" for each in _version(template, version))
    return wrong


def _version(template: Template, version: Version) -> Iterator[str]:
    if faults := list(_types(version)):
        yield from faults
        return
    used: set[str] = set()
    for code, said in version.channels.items():
        for key, text, language in _texts(said):
            used.update(_safe_placeholders(text))
            yield from (f"channel.{code}.{key}: {each}" for each in _text(template, version, code, text, language))
        if Language.CHINESE in said.translations:
            yield f"channel.{code}.in: Chinese is the text itself"
        if code == SMS:
            yield from (f"channel.{code}: {each}" for each in _sms_as_whole(template, version, said))
    if template.payment and version is template.versions[-1]:
        yield from _payment(version)
    yield from (f"variables.{name}: declared but said nowhere" for name in sorted(set(version.variables) - used))
    if not version.channels or all(said.fallback for said in version.channels.values()):
        yield "channel: at least one channel that is no fallback is needed"


def _types(version: Version) -> Iterator[str]:
    for name, kind in version.variables.items():
        if kind not in KINDS:
            yield f"variables.{name}: no type {kind}; there are {', '.join(sorted(KINDS))}"
        elif not KINDS[kind].stored and CONTACT_VALUES.get(name) != kind:
            yield f"variables.{name}: what comes from the contact is called by its own name"


def _texts(said: ChannelText) -> Iterator[tuple[str, str, Language]]:
    yield "text", said.text, Language.CHINESE
    if said.title:
        yield "title", said.title, Language.CHINESE
    if said.family_text is not None:
        yield "family_text", said.family_text, Language.CHINESE
    for language, other in said.translations.items():
        yield f"in.{language}.text", other.text, language
        if other.title:
            yield f"in.{language}.title", other.title, language


def _text(template: Template, version: Version, code: str, text: str, language: Language) -> Iterator[str]:
    try:
        names = placeholders(text)
    except ValueError as error:
        yield str(error)
        return
    if missing := sorted(set(names) - set(version.variables)):
        yield f"undeclared variables {', '.join(missing)}"
        return
    shown = fill(text, read_values(version, sample_values(version), SAMPLE_LABELS, language))
    if safety.has_link(text):
        yield "no message carries a link or asks to scan"
    if safety.asks_secret(text):
        yield "no message speaks of codes, passwords, card or id numbers"
    if len(shown) > TEXT_LENGTH:
        yield f"{len(shown)} characters with long values, at most {TEXT_LENGTH}"
    if template.audience in {Audience.CITIZEN, Audience.FAMILY}:
        yield from _plain(text, shown, language)
    yield from _on_channel(code, text, shown, {version.variables[name] for name in names})


def _plain(text: str, shown: str, language: Language) -> Iterator[str]:
    if hard := _HARD_WORDS.search(text):
        yield f"officialese: {hard.group()}"
    most = SENTENCE_LENGTHS[language]
    longest = max((len(sentence) for sentence in _SENTENCE.split(shown)), default=0)
    if longest > most:
        yield f"a sentence of {longest} characters, at most {most}"


def _sms(text: str, shown: str) -> Iterator[str]:
    if HOTLINE not in text:
        yield f"a text message names {HOTLINE}"
    if _SIGNATURE.search(text):
        yield "the sender is fixed by the channel; leave 【】 out"
    length = len(shown) + SIGNATURE_LENGTH
    if length > SMS_LENGTH:
        yield f"{length} characters with sender and long values, at most {SMS_LENGTH}"


def _on_channel(code: str, text: str, shown: str, kinds: set[str]) -> Iterator[str]:
    if code == SMS:
        yield from _sms(text, shown)
    if code == LOUDSPEAKER:
        yield from _aloud(text, kinds)


def _aloud(text: str, kinds: set[str]) -> Iterator[str]:
    if private := sorted(kinds - ALOUD):
        yield f"read out to a whole village it must not tell {', '.join(private)}"
    if _BENEFIT.search(text):
        yield "read out to a whole village it must not speak of benefits"


def _sms_as_whole(template: Template, version: Version, said: ChannelText) -> Iterator[str]:
    if not version.approval:
        yield "a text message needs the carrier's approval code (version.approval)"
    for language, other in said.translations.items():
        if not other.approval:
            yield f"in.{language}: each text message needs an approval code of its own"
    if template.audience is Audience.CITIZEN and said.family_text is None:
        yield "family_text is needed: many people have only a phone in the family"


def _payment(version: Version) -> Iterator[str]:
    """Texts that leave out what was paid or to which card, to the family and in other languages too."""
    for code, said in version.channels.items():
        for key, text, _ in _texts(said):
            kinds = {version.variables.get(name) for name in _safe_placeholders(text)}
            told = "card_tail" in kinds and bool(kinds & {"yuan", "amount"})
            if not (told or key.endswith("title") or code == LOUDSPEAKER):
                yield f"channel.{code}.{key}: a payment is told with its amount and the tail of the card"


def _safe_placeholders(text: str) -> list[str]:
    try:
        return placeholders(text)
    except ValueError:
        return []
