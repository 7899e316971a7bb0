"""Ways to reach people: one file a channel, found by being in this folder; each brings its own settings.

A channel file holds a settings class (environment prefix `WUGAN_NOTIFY_<CODE>_`), the functions that send and read
receipts, and `CHANNEL = Channel(...)`. Nothing else has to be touched: templates that have a text for it use it, and
one that `speaks_like` another channel uses that one's text.
"""

import importlib.util
import sys
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Generic, TypeVar

import httpx
from pydantic import ValidationError
from pydantic_settings import BaseSettings

from services.notify.domain.delivery import Outgoing, Reach, Receipt, Result
from shared.contracts.vocabulary import Audience

FOLDER: Final = Path(__file__).parent

SettingsT = TypeVar("SettingsT", bound=BaseSettings)

Send = Callable[[Sequence[Outgoing]], Awaitable[Sequence[Result]]]


class ChannelFileError(Exception):
    """A file of this folder that is no channel; says which and why."""


class NotAReceiptError(Exception):
    """What came is not a receipt of this channel's provider: wrong signature or wrong shape."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """What it means when a provider never says what became of a message.

    Attributes:
        days: after which it is taken as an answer.
        delivered: no news is good news (a letter box that bounced nothing); else the message counts as failed.
        tried: somebody has acted though he says nothing. False: only who confirms has; silence is no attempt then, and
            a legal notice stays to be brought until somebody says what became of it.
    """

    days: int
    delivered: bool = False
    tried: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel(Generic[SettingsT]):
    """A way to reach people.

    Attributes:
        code: the name of its file.
        label: for officers.
        reference: what it rests on.
        reaches: what must be known of the person.
        settings: its settings class; every field has a default.
        off_because: what is missing in the settings, in a sentence; None when it can send.
        open: makes the function that hands messages to the provider; None for a channel whose message is delivered by
            being written. The function answers about every message it was given and raises nothing on purpose.
        read_receipts: checks and reads what the provider calls back with (headers in lower case, body, seconds
            since 1970); raises `NotAReceiptError`.
        audiences: who may be told by it; None: everybody.
        batch: messages handed over at once.
        concurrency: calls at once; one more is kept free for legal notices.
        waits: seconds before the second, third, ... try.
        quiet_hours: whether it disturbs.
        speaks_like: channel whose texts it uses where a template has none for it.
        silence: what it means when a message was handed over and no receipt came; None: nothing.
    """

    code: str
    label: str
    reference: str
    reaches: Reach
    settings: type[SettingsT]
    off_because: Callable[[SettingsT], str | None]
    open: Callable[[SettingsT, httpx.AsyncClient], Send] | None = None
    read_receipts: Callable[[SettingsT, Mapping[str, str], bytes, int], Sequence[Receipt]] | None = None
    audiences: Collection[Audience] | None = None
    batch: int = 100
    concurrency: int = 4
    waits: Sequence[float] = (5, 30, 120, 600, 1800)
    quiet_hours: bool = False
    speaks_like: str | None = None
    silence: Silence | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyChannel:
    """A channel with the settings of this process.

    Attributes:
        off: why it does not send here; None when it does.
    """

    channel: Channel[Any]
    settings: BaseSettings
    off: str | None

    @property
    def code(self) -> str:
        return self.channel.code

    @property
    def at_once(self) -> bool:
        """Whether writing the message is its delivery."""
        return self.channel.open is None

    def setting(self, name: str) -> float:
        """A number of its settings that not every channel has; 0 where it has none."""
        return float(getattr(self.settings, name, 0.0))


def discover(folder: Path = FOLDER) -> dict[str, Channel[Any]]:
    """Every channel in `folder` by its code.

    Raises:
        ChannelFileError: a file is no channel, or its code is not its name.
    """
    found = {}
    for path in sorted(folder.glob("*.py")):
        if path.stem.startswith("_"):
            continue
        channel = getattr(_load(path, folder), "CHANNEL", None)
        if not isinstance(channel, Channel):
            msg = f"{path.name}: CHANNEL is missing or no Channel"
            raise ChannelFileError(msg)
        if channel.code != path.stem:
            msg = f"{path.name}: its code must be the name of the file"
            raise ChannelFileError(msg)
        found[channel.code] = channel
    for channel in found.values():
        if channel.speaks_like is not None and channel.speaks_like not in found:
            msg = f"{channel.code}.py: speaks_like names no channel"
            raise ChannelFileError(msg)
    return found


def ready(channels: Mapping[str, Channel[Any]]) -> dict[str, ReadyChannel]:
    """The channels with their settings from the environment.

    Raises:
        ChannelFileError: settings that cannot be read; names them without their values.
    """
    made = {}
    for code, channel in channels.items():
        try:
            settings = channel.settings()
        except ValidationError as error:
            places = ", ".join("_".join(map(str, each["loc"])).upper() for each in error.errors())
            msg = f"{code}: settings are not usable: {places}"
            raise ChannelFileError(msg) from error
        made[code] = ReadyChannel(channel=channel, settings=settings, off=channel.off_because(settings))
    return made


def _load(path: Path, folder: Path) -> ModuleType:
    if folder == FOLDER:
        return importlib.import_module(f"{__name__}.{path.stem}")
    name = f"_channel_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
