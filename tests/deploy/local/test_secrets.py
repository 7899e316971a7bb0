"""Secrets are made once, kept closed, and grow with new clients."""

import json

import pytest
from joserfc.jwk import ECKey

from deploy.local.clients import CLIENTS, INSTALLED, SERVICES, ClientCard, service_cards
from deploy.local.errors import NoSecretsError
from deploy.local.secrets import add_vault_key, load, load_or_make, write_private
from shared.kit.http import load_key
from shared.kit.settings import SubjectKeySettings
from tests.support.settings import settings_for


def test_secrets_are_the_same_at_the_second_start(tmp_path):
    first = load_or_make(tmp_path)
    issuer, clients = first.issuer_key_file.read_bytes(), first.clients_file.read_bytes()
    second = load_or_make(tmp_path)
    assert second == first
    assert (second.issuer_key_file.read_bytes(), second.clients_file.read_bytes()) == (issuer, clients)


def test_every_file_is_for_its_owner_only(tmp_path):
    load_or_make(tmp_path)
    files = [each for each in tmp_path.rglob("*") if each.is_file()]
    assert len(files) >= len(CLIENTS) + 3
    assert {each.stat().st_mode & 0o777 for each in files} == {0o600}


def test_the_clients_file_holds_the_public_half_of_each_key_and_nothing_private(tmp_path):
    made = load_or_make(tmp_path)
    listed = {each["client_id"]: each for each in json.loads(made.clients_file.read_text())}
    assert listed.keys() == made.clients.keys() >= {f"service-{each}" for each in SERVICES}
    for client_id, key in made.clients.items():
        (public,) = listed[client_id]["jwks"]["keys"]
        assert "d" not in public
        assert public["kid"] == ECKey.import_key(key.pem).thumbprint()
        assert load_key(key.key_file).thumbprint() == public["kid"]


def test_clients_added_by_hand_and_second_keys_stay_until_a_key_is_new(tmp_path):
    made = load_or_make(tmp_path)
    pem = made.clients["demo-operator"].pem
    listed = json.loads(made.clients_file.read_text())
    bank = {"client_id": "bank", "role": "partner", "scopes": [], "jwks": {"keys": []}}
    operator = next(each for each in listed if each["client_id"] == "demo-operator")
    operator["jwks"]["keys"].append({"kid": "second"})
    write_private(made.clients_file, json.dumps([*listed, bank]).encode())
    late = ClientCard(client_id="late", role="partner", scopes=())
    after = load_or_make(tmp_path, (*CLIENTS, late))
    found = {each["client_id"]: each for each in json.loads(after.clients_file.read_text())}
    assert found["bank"] == bank
    assert found["demo-operator"] == operator
    assert after.clients["late"].pem
    assert after.clients["demo-operator"].pem == pem
    made.clients["demo-operator"].key_file.unlink()
    load_or_make(tmp_path)
    found = {each["client_id"]: each for each in json.loads(after.clients_file.read_text())}
    assert operator["jwks"]["keys"][0] not in found["demo-operator"]["jwks"]["keys"]
    assert len(found["demo-operator"]["jwks"]["keys"]) == 1
    load_or_make(tmp_path, INSTALLED)
    found = {each["client_id"]: each for each in json.loads(after.clients_file.read_text())}
    assert {"bank", "late", "operator"} < set(found)
    assert not any(name.startswith("demo-") for name in found)


@pytest.mark.parametrize(
    ("held", "name"), [("k1", "k2"), ("k5,k4", "k6"), ("k3", "k4"), ("k9,k10", "k11"), ("a7", "k1")]
)
def test_a_new_key_never_has_the_name_of_one_that_was_put_away(tmp_path, held, name):
    keys = ",".join(f"{each}:00" for each in held.split(","))
    (tmp_path / "keys.json").write_text(json.dumps({"vault_keys": keys}))
    add_vault_key(tmp_path)
    made, _, rest = json.loads((tmp_path / "keys.json").read_text())["vault_keys"].partition(",")
    assert (made.partition(":")[0], rest) == (name, keys)


def test_looking_at_secrets_makes_and_changes_none(tmp_path):
    with pytest.raises(NoSecretsError, match="wugan secrets"):
        load(tmp_path)
    made = load_or_make(tmp_path, service_cards())
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert load(tmp_path) == made
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_the_keys_fit_the_settings_of_the_services(tmp_path):
    made = load_or_make(tmp_path)
    settings_for(SubjectKeySettings, subject_key=made.subject_key)
    assert made.grid_key != made.subject_key
    # A folder from before grid had a key of its own goes on with the one it used.
    kept = json.loads((tmp_path / "keys.json").read_text())
    del kept["grid_key"]
    (tmp_path / "keys.json").write_text(json.dumps(kept))
    assert load(tmp_path).grid_key == load_or_make(tmp_path).grid_key == made.subject_key
