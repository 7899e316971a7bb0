"""The keyed functions of ingest: ids to subjects, names and contacts to numbers that tell nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from pydantic import SecretStr

from services.ingest.domain.columns import Array
from shared.kit.crypto import Pseudonymiser, Vault
from shared.kit.sealing import FileSeal


@dataclass(frozen=True, slots=True)
class Keys:
    """Everything that needs a key."""

    subject: Pseudonymiser
    name: Pseudonymiser
    household: Pseudonymiser
    contact: Pseudonymiser
    vault: Vault
    files: FileSeal

    @classmethod
    def from_settings(cls, subject_key: SecretStr, name_key: SecretStr | None, vault_keys: SecretStr) -> Self:
        """From the settings; without a key of its own, names are keyed by purpose."""
        return cls(
            subject=Pseudonymiser.from_hex(subject_key),
            name=Pseudonymiser.from_hex(name_key or subject_key, purpose=b"name"),
            household=Pseudonymiser.from_hex(subject_key, purpose=b"household"),
            contact=Pseudonymiser.from_hex(name_key or subject_key, purpose=b"contact"),
            vault=Vault.from_settings(vault_keys),
            files=FileSeal.from_settings(vault_keys, purpose=b"ingest raw file"),
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
