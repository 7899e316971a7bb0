"""What a stack is started for: the demo, an installation, or a drill on a restored copy of one."""

import os
from collections.abc import Mapping
from pathlib import Path

from deploy.local.clients import CLIENTS, INSTALLED
from deploy.local.folder import DataFolder
from deploy.local.stack import StackOptions

QUIET = {
    "WUGAN_NOTIFY_SMS_URL": "",
    "WUGAN_NOTIFY_SMS_SECOND_URL": "",
    "WUGAN_NOTIFY_PUSH_URL": "",
    "WUGAN_NOTIFY_EMAIL_HOST": "",
    "WUGAN_NOTIFY_WEBHOOK_ON": "false",
    "WUGAN_INGEST_PULLS": "[]",
    "WUGAN_INGEST_RAW_URL": "",
    "WUGAN_RECOGNITION_FILES_URL": "",
}
"""What a drill is told, whatever its environment says: nobody outside is written to, nothing is fetched that waits for
the original, and nothing is written where the original keeps its files."""

_ISSUER = "WUGAN_ISSUER_URL", "WUGAN_JWKS_URL", "WUGAN_TOKEN_URL"


def options_for(
    data: Path, *, port_base: int, fresh: bool, workers: Mapping[str, int], demo: bool, drill: bool
) -> StackOptions:
    """The options of `wugan up`.

    A drill takes no server from its environment, which may be the original's, and knows whom the original knows. Only
    an installation bears the name others call it by.
    """
    if drill:
        known = INSTALLED if DataFolder(data).is_installed else CLIENTS
        return StackOptions(
            data=data, port_base=port_base, workers=workers, known=known, environment=QUIET, database_url=None,
            nats_url=None,
        )  # fmt: skip
    named = {} if demo else {name: os.environ[name] for name in _ISSUER if os.environ.get(name)}
    return StackOptions(
        data=data, port_base=port_base, fresh=fresh, workers=workers, sandbox=demo,
        known=CLIENTS if demo else INSTALLED, environment=named,
    )  # fmt: skip
