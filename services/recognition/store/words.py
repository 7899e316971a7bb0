"""What people write, as rows keep it: sealed, and a code in its place that the version before reads.

Words that version kept plain are read as they stand.
"""

from collections.abc import Container
from uuid import UUID

from shared.contracts.vocabulary import IN_OWN_WORDS
from shared.kit.crypto import Vault


def coded(text: str, codes: Container[str] = ()) -> str:
    """The code of a reason; anything else is somebody's own words."""
    return text if text in codes else IN_OWN_WORDS


def sealed(vault: Vault, text: str, about: UUID, codes: Container[str] = ()) -> bytes | None:
    """Somebody's words, bound to what they are about; None for a code."""
    return None if text in codes or text == IN_OWN_WORDS else vault.seal_text(text, about)


def read(vault: Vault, code: str, words: bytes | None, about: UUID) -> str:
    """What was written, or the code where it was one."""
    return code if words is None else vault.open_text(words, about)
