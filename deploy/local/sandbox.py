"""The outside world as a child process: the SMS gateway of deploy/sandbox, and what notify must know to use it."""

import base64
import os
import sys
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path

from deploy.local.probes import answers
from deploy.local.processes import ChildSpec
from deploy.local.programs import ROOT
from deploy.local.secrets import Secrets

NAME = "sandbox"


def _derived(secrets: Secrets, purpose: str) -> bytes:
    # A secret of this stack alone, without another file to keep.
    return blake2b(purpose.encode(), key=bytes.fromhex(secrets.name_key), digest_size=32).digest()


def _receipt_secret(secrets: Secrets) -> str:
    return "whsec_" + base64.b64encode(_derived(secrets, "sandbox receipts")).decode()


def settings_of_notify(host: str, port: int, secrets: Secrets) -> Mapping[str, str]:
    """Environment that makes notify send its texts to the sandbox."""
    return {
        "WUGAN_NOTIFY_WEBHOOK_ALLOW": "127.0.0.0/8",
        "WUGAN_NOTIFY_SMS_URL": f"http://{host}:{port}/sms/1",
        "WUGAN_NOTIFY_SMS_SANDBOX": "true",
        "WUGAN_NOTIFY_SMS_SECOND_URL": f"http://{host}:{port}/sms/2",
        "WUGAN_NOTIFY_SMS_TOKEN": _derived(secrets, "sandbox token").hex(),
        "WUGAN_NOTIFY_SMS_SECOND_TOKEN": _derived(secrets, "sandbox token").hex(),
        "WUGAN_NOTIFY_SMS_RECEIPT_SECRET": _receipt_secret(secrets),
    }


def settings_of_recognition(host: str, port: int) -> Mapping[str, str]:
    """Environment that makes recognition trust the sandbox's word on faces, and its receivers without TLS."""
    return {
        "WUGAN_RECOGNITION_PLAIN_WEBHOOKS": "true",
        "WUGAN_RECOGNITION_FACE_ISSUER": "urn:wugan:sandbox:face",
        "WUGAN_RECOGNITION_FACE_JWKS_URL": f"http://{host}:{port}/face/jwks.json",
    }


def spec(folder: Path, *, host: str, port: int, secrets: Secrets, callback: str) -> ChildSpec:
    """The sandbox; it keeps what it was sent in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    return ChildSpec(
        name=NAME,
        argv=(
            sys.executable,
            *("-m", "deploy.sandbox"),
            *("--host", host, "--port", str(port)),
            *("--data", str(folder)),
            *("--callback", callback),
        ),
        env={
            **{key: value for key, value in os.environ.items() if not key.startswith("WUGAN_")},
            "WUGAN_SANDBOX_TOKEN": _derived(secrets, "sandbox token").hex(),
            "WUGAN_SANDBOX_RECEIPT_SECRET": _receipt_secret(secrets),
            "PYTHONPATH": str(ROOT),
        },
        cwd=folder,
        ready=lambda: answers(host, port, "/livez"),
    )
