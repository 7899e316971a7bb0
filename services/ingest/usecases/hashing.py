"""The keyed functions of ingest: ids to subjects, names and contacts to numbers that tell nothing."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Self

import numpy as np
import polars as pl
from pydantic import SecretStr

from services.ingest.domain import citizen_id
from services.ingest.domain.columns import Array
from shared.kit.crypto import Pseudonymiser, Vault

_SLOT_BITS = 21
_SPREAD = np.uint64(0x9E3779B97F4A7C15)


class SubjectMemo:
    """Subjects of ids hashed before: a table in which a newer id takes the place of an older one.

    Args:
        hashed: subjects of ids, shape (n, 16).
        bits: two to this power places of 24 bytes; memory is taken as they fill.
    """

    def __init__(self, hashed: Callable[[Sequence[str]], Array], *, bits: int = _SLOT_BITS) -> None:
        self._hashed = hashed
        self._shift = np.uint64(64 - bits)
        self._codes = np.zeros(1 << bits, dtype=np.uint64)
        self._subjects = np.zeros((1 << bits, 16), dtype=np.uint8)
        self._lock = Lock()

    def many(self, numbers: pl.Series) -> Array:
        """Subjects of good ids, shape (n, 16)."""
        codes = citizen_id.codes_of(numbers)
        slots = ((codes * _SPREAD) >> self._shift).astype(np.int64)
        with self._lock:
            made, unknown = self._subjects[slots], np.flatnonzero(self._codes[slots] != codes)
        if len(unknown):
            made[unknown] = self._hashed(numbers.gather(unknown).to_list())
            free, chosen = np.unique(slots[unknown], return_index=True)
            with self._lock:
                self._codes[free] = codes[unknown[chosen]]
                self._subjects[free] = made[unknown[chosen]]
        return made


@dataclass(frozen=True, slots=True)
class Keys:
    """Everything that needs a key."""

    subject: Pseudonymiser
    subjects: SubjectMemo
    name: Pseudonymiser
    household: Pseudonymiser
    contact: Pseudonymiser
    vault: Vault

    @classmethod
    def from_settings(cls, subject_key: SecretStr, name_key: SecretStr | None, vault_keys: SecretStr) -> Self:
        """From the settings; without a key of its own, names are keyed by purpose."""
        subject = Pseudonymiser.from_hex(subject_key)
        return cls(
            subject=subject,
            subjects=SubjectMemo(subject.many),
            name=Pseudonymiser.from_hex(name_key or subject_key, purpose=b"name"),
            household=Pseudonymiser.from_hex(subject_key, purpose=b"household"),
            contact=Pseudonymiser.from_hex(name_key or subject_key, purpose=b"contact"),
            vault=Vault.from_settings(vault_keys),
        )

    def name_hashes(self, compared: Sequence[str]) -> Array:
        """Normalised names as uint64."""
        return _short(self.name, compared)

    def contact_hashes(self, contacts: Iterable[str]) -> Array:
        """Contacts as uint64, to see that one has changed without opening it."""
        return _short(self.contact, contacts)


def _short(key: Pseudonymiser, texts: Iterable[str]) -> Array:
    rows = key.many(texts)
    return np.ascontiguousarray(rows[:, :8]).view(">u8").astype(np.uint64).reshape(-1)
