"""`wugan secrets`: what an installation that is not `wugan up` must be told, made once and kept in files."""

from collections.abc import Mapping
from pathlib import Path

from deploy.local.clients import INSTALLED, SERVICES
from deploy.local.secrets import ADMIN, OPERATOR, add_vault_key, load_or_make


def environment(folder: Path, *, rotate_vault: bool = False) -> Mapping[str, str]:
    """The variables; keys of clients and the issuer lie in `folder`, where `clients.json` is to be completed.

    Departments, partners and back ends are added to the file by hand, and stay there when this is called again.
    With `rotate_vault` the vault's keys are one more, which seals.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = load_or_make(folder, INSTALLED)
    if rotate_vault:
        add_vault_key(folder)
        made = load_or_make(folder, INSTALLED)
    return {
        "WUGAN_SUBJECT_KEY": made.subject_key,
        "WUGAN_NAME_KEY": made.name_key,
        "WUGAN_GRID_KEY": made.grid_key,
        "WUGAN_VAULT_KEYS": made.vault_keys,
        **{f"WUGAN_PASSWORD_{each.upper()}": made.roles[each] for each in (*SERVICES, ADMIN)},
        **{f"WUGAN_NATS_PASSWORD_{each.upper()}": made.users[each] for each in (*SERVICES, OPERATOR)},
    }
