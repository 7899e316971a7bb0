"""Pseudonyms are keyed and stable; sealed data opens for its owner only."""

from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import SecretStr

from shared.kit.crypto import Pseudonymiser, SealBrokenError, Vault, sendable

KEY, OTHER = b"\x01" * 32, b"\x02" * 32


@given(st.lists(st.text(max_size=20), max_size=20))
def test_many_are_the_same_as_one_by_one(texts):
    hasher = Pseudonymiser(KEY)
    assert [bytes(row) for row in hasher.many(texts)] == [hasher.one(text).bytes for text in texts]


def test_key_and_purpose_separate_pseudonyms():
    made = {
        Pseudonymiser(KEY).one("a"),
        Pseudonymiser(OTHER).one("a"),
        Pseudonymiser(KEY, purpose=b"name").one("a"),
    }
    assert len(made) == 3


@given(st.binary(max_size=200), st.binary(min_size=16, max_size=16))
def test_what_is_sealed_opens_again(plain, owner):
    vault = Vault({"k1": KEY})
    assert vault.open(vault.seal(plain, owner), owner) == plain


def test_sealed_data_cannot_be_moved_to_another_person():
    vault = Vault({"k1": KEY})
    with pytest.raises(SealBrokenError, match="another subject"):
        vault.open(vault.seal(b"secret", b"a" * 16), b"b" * 16)


def test_a_rotated_key_still_opens_and_an_unknown_one_does_not():
    sealed = Vault({"old": OTHER}).seal(b"secret", b"a" * 16)
    assert Vault({"new": KEY, "old": OTHER}).open(sealed, b"a" * 16) == b"secret"
    assert Vault({"new": KEY, "old": OTHER}).key_id(sealed) == "old"
    with pytest.raises(SealBrokenError, match="WUGAN_VAULT_KEYS"):
        Vault({"new": KEY}).open(sealed, b"a" * 16)


def test_two_keys_of_one_name_are_refused_and_not_told():
    with pytest.raises(ValueError, match=r"one name to two keys: k3, k2, k3$"):
        Vault.from_settings(SecretStr(f"k3:{KEY.hex()},k2:{OTHER.hex()},k3:{OTHER.hex()}"))


@given(st.binary(max_size=60))
@example(b"")
@example(b"\x02k1")
@example(b"\x02k1 no nonce")
def test_garbage_never_opens(garbage):
    with pytest.raises(SealBrokenError):
        Vault({"k1": KEY}).open(garbage, b"a" * 16)


def test_words_come_sealed_in_an_event_for_what_they_are_about_alone():
    vault, about = Vault({"k1": KEY}), UUID(int=7)
    sent = sendable(vault.seal_text("张建国", about))
    assert vault.open_text(vault.received(sent, about), about) == "张建国"
    for wrong, of in ((sent, UUID(int=8)), ("", about), ("张建国", about), (sent[:-4], about)):
        with pytest.raises(SealBrokenError):
            vault.received(wrong, of)
