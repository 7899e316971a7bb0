"""What a stack is started for decides whom it knows, by which name it is called and whom it tells."""

import os
from pathlib import Path

import pytest

from deploy.local import services
from deploy.local.clients import CLIENTS, INSTALLED, SERVICES
from deploy.local.folder import DataFolder
from deploy.local.ports import plan
from deploy.local.purposes import options_for
from deploy.local.secrets import load_or_make
from deploy.local.stack import StackOptions
from services.ingest.settings import IngestSettings
from services.notify.channels import discover, ready
from services.recognition.settings import RecognitionSettings

PUBLIC = "https://wugan.example.cn/api/recognition"
OUTWARD = {
    "WUGAN_DATABASE_URL": "postgresql://the:original@h/wugan",
    "WUGAN_NATS_URL": "nats://the-original",
    "WUGAN_ISSUER_URL": PUBLIC,
    "WUGAN_NOTIFY_SMS_URL": "https://carrier.example.cn",
    "WUGAN_NOTIFY_PUSH_URL": "https://push.example.cn",
    "WUGAN_NOTIFY_EMAIL_HOST": "mail.example.cn",
    "WUGAN_INGEST_PULLS": '[{"source": "cremation", "url": "file:///srv/cremation"}]',
    "WUGAN_INGEST_RAW_URL": "s3://original/raw",
    "WUGAN_RECOGNITION_FILES_URL": "s3://original/files",
}


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an installation, before an environment that reaches out in every way."""
    for name, value in OUTWARD.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "secrets").mkdir()
    load_or_make(tmp_path / "secrets", INSTALLED)
    return tmp_path


def chosen(data: Path, *, demo: bool = False, drill: bool = False) -> StackOptions:
    return options_for(data, port_base=9000, fresh=False, workers={}, demo=demo, drill=drill)


def told(options: StackOptions, service: str) -> dict[str, str]:
    """The environment of a service of such a stack."""
    around = services.Surroundings(
        folder=DataFolder(options.data),
        secrets=load_or_make(options.data / "secrets", options.known),
        ports=plan(options.port_base, SERVICES, {}),
        database_urls=dict.fromkeys(SERVICES, "postgresql://copy"),
        nats_urls=dict.fromkeys(SERVICES, "nats://copy"),
        extra=options.environment,
    )
    return services.environment(around, service, 0)


def test_a_drill_reaches_nobody_outside_and_nothing_of_the_original(data, monkeypatch):
    drill = chosen(data, demo=True, drill=True)
    assert (drill.known, drill.sandbox, drill.database_url, drill.nats_url) == (INSTALLED, False, None, None)
    environments = {each: told(drill, each) for each in ("ingest", "recognition", "notify")}
    assert all(each["WUGAN_ISSUER_URL"].startswith("http://127.0.0.1:9000/") for each in environments.values())
    for name, value in {name: value for each in environments.values() for name, value in each.items()}.items():
        monkeypatch.setenv(name, value)
    assert {code for code, each in ready(discover()).items() if not each.off} == {"inbox", "letter", "loudspeaker"}
    assert (IngestSettings().ingest_pulls, IngestSettings().ingest_raw_url) == ((), "")
    assert RecognitionSettings().recognition_files_url == ""


def test_an_installation_bears_the_name_it_is_called_by_and_asks_its_issuer_inside(data):
    installed = told(chosen(data), "notify")
    assert installed["WUGAN_ISSUER_URL"] == PUBLIC
    inside = installed["WUGAN_RECOGNITION_URL"]
    assert installed["WUGAN_TOKEN_URL"] == f"{inside}/oauth/token"
    assert installed["WUGAN_JWKS_URL"] == f"{inside}/.well-known/jwks.json"
    assert installed["WUGAN_NOTIFY_SMS_URL"] == os.environ["WUGAN_NOTIFY_SMS_URL"]
    demo = chosen(data, demo=True)
    assert (demo.known, demo.sandbox) == (CLIENTS, True)
    assert told(demo, "notify")["WUGAN_ISSUER_URL"] == "http://127.0.0.1:9000/api/recognition"
