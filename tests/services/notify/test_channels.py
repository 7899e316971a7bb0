"""Channels: found by being in the folder, each with its own settings."""

import pytest

from services.notify import channels as channel_files
from services.notify.channels import Channel, ChannelFileError
from services.notify.domain.plan import plan
from services.notify.usecases.deps import ways_of
from tests.services.notify.world import make_deps

VOICE = '''
"""Calls people up."""
from pydantic_settings import BaseSettings, SettingsConfigDict
from services.notify.channels import Channel
from services.notify.domain.delivery import Outcome, Reach, Result

class VoiceSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="WUGAN_NOTIFY_VOICE_")
    number: str = "12333"

def open_sender(settings, client):
    async def send(batch):
        return [Result(id=each.id, outcome=Outcome.DELIVERED, provider="voice") for each in batch]
    return send

CHANNEL = Channel(code="voice", label="语音", reference="适老化", reaches=Reach.PHONE, settings=VoiceSettings,
                  off_because=lambda settings: None, open=open_sender, speaks_like="inbox")
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


def test_a_new_file_is_a_new_channel_that_templates_use(tmp_path):
    (tmp_path / "voice.py").write_text(VOICE, encoding="utf-8")
    (tmp_path / "inbox.py").write_text((channel_files.FOLDER / "inbox.py").read_text(), encoding="utf-8")
    found = channel_files.discover(tmp_path)
    assert set(found) == {"voice", "inbox"}
    deps = make_deps(None, more={"voice": found["voice"]})  # type: ignore[arg-type]
    made = deps.plan("certified")
    assert made.in_inbox
    assert [way.code for way in made.first] == ["voice"]
    assert "voice" in deps.senders


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
