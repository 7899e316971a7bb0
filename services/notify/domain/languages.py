"""Languages a person may ask for beside Chinese, and how typed values read in them."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final


class Language(StrEnum):
    """By its tag; one more is its words here and in the templates that have them."""

    CHINESE = "zh-CN"
    ENGLISH = "en"


Read = Callable[[object, Mapping[str, str]], str]
"""The text of a value that has been checked, with the labels of programs by code."""

_ENDINGS: Final[Mapping[str, str]] = {
    "death": "a recorded death",
    "declared_dead": "a court's declaration",
    "missing": "whereabouts unknown",
    "imprisonment": "recorded imprisonment",
    "sentenced_community": "a community sentence",
    "detention": "recorded detention",
    "criminal_punishment": "a criminal punishment",
    "nationality_lost": "nationality changed",
    "duplicate_receipt": "a like benefit is drawn",
    "other_pension": "another pension",
    "employment": "employment",
    "military_service": "military service",
    "work_refused": "work not taken up",
    "moved_away": "residence moved",
    "moved_abroad": "a move abroad",
    "remarriage": "marital status changed",
    "adulthood": "age limit reached",
    "adoption": "an adoption",
    "birth_or_adoption": "a change of children",
    "parent_found": "a parent was reached",
    "supporter_found": "a legal supporter",
    "ability_regained": "able to work again",
    "disability_changed": "disability changed",
    "household_extinct": "household is empty",
    "income_changed": "income changed",
    "overdue": "certification ran out",
    "own_request": "own request",
    "false_death": "death wrongly recorded",
    "false_evidence": "a wrong record",
    "certified": "certified again",
    "wrongful_stop": "the stop was wrong",
    "released": "released by law",
    "acquitted": "acquitted",
    "returned": "contact regained",
    "not_so": "checked again, not so",
    "not_employed": "employment changed",
    "request_withdrawn": "request withdrawn",
    "objection_upheld": "you are right",
    "objection_dismissed": "nothing changes",
    "repaid_in_part": "a balance remains",
    "repaid_in_full": "all is returned",
    "written_off": "given up",
    "written_off_in_part": "given up in part",
    "referred_to_administrative_order": "an order was made",
    "referred_to_court": "a court was asked",
    "referred_to_police": "the police was told",
}


def _yuan(value: object) -> str:
    assert isinstance(value, int), "read before"
    yuan, fen = divmod(abs(value), 100)
    return f"{'-' if value < 0 else ''}{yuan}.{fen:02d} yuan"


def _programs(value: object, labels: Mapping[str, str]) -> str:
    assert isinstance(value, list), "read before"
    known = next((labels[code] for code in value if code in labels), None)
    if known is None:
        return "a benefit" if len(value) == 1 else f"{len(value)} benefits"
    return known if len(value) == 1 else f"{known} and {len(value) - 1} more"


def _every_program(value: object, labels: Mapping[str, str]) -> str:
    assert isinstance(value, list), "read before"
    known = [labels[code] for code in value if code in labels]
    rest = len(value) - len(known)
    return ", ".join(known) + (f" and {rest} more" if rest else "") if known else _programs(value, labels)


_ENGLISH: Final[Mapping[str, Read]] = {
    "date": lambda value, _: str(value),
    "date_or_unknown": lambda value, _: "an unknown day" if value is None else str(value),
    "covered": lambda value, _: f"for {value} benefits nothing to do until then" if value else "more may be asked",
    "yuan": lambda value, _: _yuan(value),
    "card_tail": lambda value, _: "your card" if value is None else f"your card ending in {value}",
    "amount": lambda value, _: "an amount still to be settled" if value is None else _yuan(value),
    "deadline": lambda value, _: "soon" if value is None else f"by {value}",
    "programs": _programs,
    "every_program": _every_program,
    "ending": lambda value, _: _ENDINGS.get(str(value), "circumstances changed"),
}

FORMS: Final[Mapping[Language, Mapping[str, Read]]] = {Language.ENGLISH: _ENGLISH}
"""How values read, by language and type; a type that is not here reads as in Chinese."""
