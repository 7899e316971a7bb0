"""Why somebody looks a person up: three headers of a lawful question, read in one way by every service."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from shared.kit.problems import MalformedError
from shared.kit.telemetry import mask_text

_WORD = r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,79}"
_IS_WORD = re.compile(_WORD).fullmatch
_REASONS = {
    "Purpose-Code": (True, "why the person is looked up"),
    "Legal-Basis": (True, "rule that allows it"),
    "Case-Ref": (False, "the caller's own case or list"),
}
PURPOSE_HEADERS: dict[str, Any] = {
    "parameters": [
        {
            "name": name,
            "in": "header",
            "required": required,
            "description": description,
            "schema": {"type": "string", "maxLength": 80, "pattern": f"^{_WORD}$"},
        }
        for name, (required, description) in _REASONS.items()
    ]
}
"""Description of the headers of a lawful question, for `openapi_extra`."""


@dataclass(frozen=True, slots=True)
class Purpose:
    """Why somebody asks."""

    code: str
    basis: str
    case: str | None


def is_word(text: str) -> bool:
    """Whether a text is one word, as these headers and ids of clients are."""
    return _IS_WORD(text) is not None


def _personal(text: str) -> bool:
    return mask_text(text) != text


def read_purpose(headers: Mapping[str, str], personal: Callable[[str], bool] = _personal) -> Purpose:
    """The three headers of a lawful question.

    Args:
        headers: of the request.
        personal: whether a word holds what could be somebody's number.

    Raises:
        MalformedError: one is missing or is no word; nothing of it is echoed.
    """
    given = dict[str, str | None]()
    for name, (required, _) in _REASONS.items():
        given[name] = value = headers.get(name)
        if (required and value is None) or (value is not None and (not _IS_WORD(value) or personal(value))):
            detail = "Say why you look a person up: letters, digits and . _ : / - , at most 80, and no citizen id."
            code = "missing" if value is None else "string_pattern_mismatch"
            errors = [{"pointer": f"/header/{name}", "code": code, "detail": detail}]
            raise MalformedError(f"The header {name} is needed as a word.", extra={"errors": errors})
    return Purpose(given["Purpose-Code"] or "", given["Legal-Basis"] or "", given["Case-Ref"])
