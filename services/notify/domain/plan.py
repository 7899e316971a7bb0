"""Which channels a message takes: those its template has words for and that this process can use."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from services.notify.domain.delivery import Reach
from services.notify.domain.template import ChannelText, Template, Version
from shared.contracts.vocabulary import Audience


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A channel as planning sees it.

    Attributes:
        at_once: writing the message is its delivery.
        disturbs: quiet hours, one a day and opting out apply.
        on: it can send here.
        audiences: who may be told by it; None: everybody.
        speaks_like: whose text it uses where there is none of its own.
        for_family: in a plan: there are words for the family, where the person is recorded as dead.
        without_phone: in a plan: only people without a phone are told by it.
    """

    code: str
    reach: Reach
    at_once: bool
    disturbs: bool
    on: bool
    speaks_like: str | None = None
    audiences: Collection[Audience] | None = None
    for_family: bool = False
    without_phone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How the messages of one template go out today.

    Attributes:
        in_inbox: whether the message is shown in the inbox.
        first: channels tried at once.
        fallback: channels tried one after the other when one before has not reached.
    """

    template: Template
    version: Version
    in_inbox: bool
    first: tuple[Way, ...]
    fallback: tuple[Way, ...]

    @property
    def personal(self) -> bool:
        """Whether it goes to the person himself, who must not be recorded as dead."""
        return self.template.audience is Audience.CITIZEN


def words_for(version: Version, code: str, ways: Mapping[str, Way]) -> ChannelText | None:
    """What is said on a channel: its own text, or that of the channel it speaks like."""
    if code in version.channels:
        return version.channels[code]
    alike = ways[code].speaks_like if code in ways else None
    return version.channels.get(alike) if alike else None


def plan(template: Template, version: Version, ways: Mapping[str, Way]) -> Plan:
    """The plan of a template.

    Where no channel that is tried at once can send, the first fallback is. Nobody is disturbed twice by one message: of
    several channels that disturb only the first is tried at once, unless the template is legal or says `together`.
    """
    said = {code: text for code in _in_order(version, ways) if (text := words_for(version, code, ways))}
    usable = [_with_words(ways[code], text) for code, text in said.items() if _may(ways[code], template)]
    sending = [way for way in usable if not way.at_once]
    first = [way for way in sending if not said[way.code].fallback]
    fallback = [way for way in sending if said[way.code].fallback]
    if not (template.legal or template.together):
        spare = [way for way in first if way.disturbs and not way.without_phone][1:]
        first, fallback = [way for way in first if way not in spare], spare + fallback
    if not first and fallback:
        first, fallback = fallback[:1], fallback[1:]
    return Plan(
        template=template,
        version=version,
        in_inbox=any(way.at_once for way in usable),
        first=tuple(first),
        fallback=tuple(fallback),
    )


def next_fallback(made: Plan, tried: Collection[str]) -> Way | None:
    """The channel to try after those in `tried` did not reach; None when there is none left."""
    return next((way for way in made.fallback if way.code not in tried), None)


def without_phone(made: Plan) -> list[Way]:
    """The channels for people whom no phone reaches: they have none, or none that works."""
    return [way for way in made.first if way.without_phone]


def _may(way: Way, template: Template) -> bool:
    return way.on and (way.audiences is None or template.audience in way.audiences)


def _with_words(way: Way, text: ChannelText) -> Way:
    return replace(way, for_family=text.family_text is not None, without_phone=text.without_phone)


def _in_order(version: Version, ways: Mapping[str, Way]) -> list[str]:
    own = [code for code in version.channels if code in ways]
    alike = [code for code, way in ways.items() if code not in own and way.speaks_like in version.channels]
    # What speaks like another is the cheaper way: the app before the text message.
    return alike + own
