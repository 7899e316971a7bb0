"""Channels: found by being in the folder, each with its own settings."""

import httpx
import orjson
import pytest

from services.notify import channels as channel_files
from services.notify.channels import Channel, ChannelFileError
from services.notify.domain.plan import plan
from services.notify.usecases.deps import ways_of
from tests.services.notify.world import certify, deliveries, drain, make_deps, said, subject

VOICE = '''
"""Calls people up."""
from uuid import UUID
from pydantic_settings import BaseSettings, SettingsConfigDict
from services.notify.channels import Channel, NotAReceiptError
from services.notify.domain.delivery import Outcome, Reach, Receipt, Result

class VoiceSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="WUGAN_NOTIFY_VOICE_")
    number: str = "12333"

def open_sender(settings, client):
    async def send(batch):
        answer = await client.post("http://calls.test/", json=[[each.to, each.text] for each in batch])
        return [Result(id=each.id, outcome=Outcome.HANDED, provider="voice", parts=1) for each in batch]
    return send

def read_receipts(settings, headers, body, now):
    if headers.get("x-answered-by") != settings.number:
        raise NotAReceiptError("not from the operator")
    return [Receipt(id=UUID(body.decode()), delivered=True, reason="")]

CHANNEL = Channel(code="voice", label="语音", reference="适老化", reaches=Reach.PHONE, settings=VoiceSettings,
                  off_because=lambda settings: None, open=open_sender, read_receipts=read_receipts,
                  speaks_like="inbox")
'''


def test_the_folder_holds_whole_channels():
    found = channel_files.discover()
    assert {"inbox", "sms"} <= set(found)
    for code, channel in found.items():
        assert isinstance(channel, Channel)
        assert channel.label
        assert channel.reference
        prefix = channel.settings.model_config["env_prefix"]
        assert prefix == f"WUGAN_NOTIFY_{code.upper()}_"
        assert channel.settings() is not None, "every setting has a default"


@pytest.fixture
def voice(tmp_path):
    """A channel that is one new file in the folder, beside the inbox."""
    (tmp_path / "voice.py").write_text(VOICE, encoding="utf-8")
    (tmp_path / "inbox.py").write_text((channel_files.FOLDER / "inbox.py").read_text(), encoding="utf-8")
    found = channel_files.discover(tmp_path)
    assert set(found) == {"voice", "inbox"}
    return found["voice"]


def test_a_new_file_is_a_new_channel_that_templates_use(voice):
    deps = make_deps(None, more={"voice": voice})  # type: ignore[arg-type]
    made = deps.plan("certified")
    assert made.in_inbox
    assert [way.code for way in made.first if not way.without_phone] == ["voice"]
    assert "voice" in deps.senders


@pytest.mark.db
class TestDelivering:
    @pytest.fixture
    async def deps(self, database, clock, voice):
        self.calls: list[list[str]] = []

        def answer(request: httpx.Request) -> httpx.Response:
            self.calls += orjson.loads(request.content)
            return httpx.Response(200)

        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
            yield make_deps(database, clock=clock, client=client, more={"voice": voice})

    async def test_a_new_file_delivers_takes_receipts_and_is_counted(self, http, deps, database, issuer):
        await certify(deps, subject(1))
        await drain(deps, "voice")
        assert self.calls == [
            [
                "13900000001",
                "您已通过健在认证，有效期至2024年10月31日，在此之前不用再做健在认证。3项待遇在此前无需办手续，还要核对收入或残疾等级的，由主管部门另行告知。如有疑问，请拨打12333。",
            ]
        ]
        (row,) = await deliveries(database)
        assert (row["channel"], row["status"], row["provider"]) == ("voice", "handed", "voice")
        body, own = str(row["message_id"]), {"X-Answered-By": "12333"}
        assert (await http.post("/v1/receipts/voice", content=body)).status_code == 401
        for new in (1, 0):
            answer = await http.post("/v1/receipts/voice", content=body, headers=own)
            assert answer.json() == {"taken": 1, "new": new}
        assert [each["channel"] for each in await said(database)] == ["inbox", "voice"]
        found = (await http.get("/v1/figures", headers=issuer.headers("operate"))).json()
        assert (found["states"], found["parts"]) == ({"voice.delivered": 1}, {"voice": 1})
        listed = (await http.get("/v1/channels", headers=issuer.headers("notify.read"))).json()
        assert "voice" in str(listed)


def test_without_settings_text_messages_are_off_and_that_is_said(monkeypatch):
    monkeypatch.delenv("WUGAN_NOTIFY_SMS_URL", raising=False)
    ready = channel_files.ready(channel_files.discover())
    assert ready["sms"].off == "WUGAN_NOTIFY_SMS_URL is not set"
    template = make_deps(None).templates["certified"]  # type: ignore[arg-type]
    made = plan(template, template.versions[0], ways_of(ready))
    assert made.in_inbox
    assert made.first == ()


def test_settings_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("WUGAN_NOTIFY_SMS_URL", "http://gateway.test/v1")
    assert channel_files.ready(channel_files.discover())["sms"].off is None
    monkeypatch.setenv("WUGAN_NOTIFY_SMS_SECONDS", "soon")
    with pytest.raises(ChannelFileError, match="SECONDS") as raised:
        channel_files.ready(channel_files.discover())
    assert "soon" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("empty.py", '"""Nothing."""\n', "CHANNEL is missing"),
        ("phone.py", VOICE, "name of the file"),
        ("voice.py", VOICE.replace('"inbox"', '"pigeon"'), "speaks_like"),
    ],
)
def test_a_file_that_is_no_channel_is_refused(tmp_path, name, text, fault):
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(ChannelFileError, match=fault):
        channel_files.discover(tmp_path)
