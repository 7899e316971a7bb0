"""What a message says: versions of a text per channel, with typed variables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from string import Formatter

from services.notify.domain.languages import FORMS, Language
from services.notify.domain.words import KINDS, WITH_ROOM, ValueShapeError
from shared.contracts.vocabulary import Audience

LEGAL_LANE = 0
URGENT_LANE = 1
BULK_LANE = 2


class UnknownVersionError(LookupError):
    """A message names a version its template does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """The same in another language, for the person himself; the family is written to in Chinese.

    Attributes:
        approval: code of the carrier's approval of this text; None where it is no SMS.
    """

    title: str
    text: str
    approval: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelText:
    """What is said on one channel.

    Attributes:
        title: heading, empty where the channel has none.
        text: with `{variable}` in it.
        family_text: the same for a helper in the family, where the person has no phone of his own.
        fallback: said only after an earlier channel has not reached.
        without_phone: said only to people whom no phone reaches: they have none, not even in the family, or none works.
        translations: by language.
    """

    title: str
    text: str
    family_text: str | None = None
    fallback: bool = False
    without_phone: bool = False
    translations: Mapping[Language, Translation] = field(default_factory=dict)

    def to_person(self, asked: Language) -> tuple[Language, str, str]:
        """The language a person is told in (the one he asked for, else Chinese), title and text."""
        if found := self.translations.get(asked):
            return asked, found.title, found.text
        return Language.CHINESE, self.title, self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A text as it was approved; never changed, only followed by another.

    Attributes:
        number: counts from 1.
        since: first day it is used.
        approval: code of the carrier's approval of the SMS text; None where there is no SMS.
        variables: type of each variable.
        channels: text by channel code, in the order in which they are tried.
    """

    number: int
    since: date
    approval: str | None
    variables: Mapping[str, str]
    channels: Mapping[str, ChannelText]


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """Who is told what on which event.

    Attributes:
        legal: a notice the law asks for: no quiet hours, no opt-out, first lane.
        urgent: before the bulk, though not legal.
        payment: tells of a payment, so amount and card tail must be said.
        together: all its channels are used at once, though each disturbs: the last reminders.
        latest_only: of several that wait for one person only the newest is sent; it says all that the others say.
    """

    code: str
    label: str
    reference: str
    audience: Audience
    event: str
    legal: bool
    urgent: bool
    payment: bool
    latest_only: bool
    together: bool
    versions: Sequence[Version]

    @property
    def lane(self) -> int:
        """Legal before urgent before bulk."""
        if self.legal:
            return LEGAL_LANE
        return URGENT_LANE if self.urgent else BULK_LANE

    def version_on(self, today: date) -> Version:
        """The newest version that is in use on `today`; the first one where none is yet."""
        used = [version for version in self.versions if version.since <= today]
        return used[-1] if used else self.versions[0]

    def version(self, number: int) -> Version:
        """One version by its number.

        Raises:
            UnknownVersionError: there is none.
        """
        for version in self.versions:
            if version.number == number:
                return version
        msg = f"{self.code} has no version {number}"
        raise UnknownVersionError(msg)


def placeholders(text: str) -> list[str]:
    """Names of the variables in a text, in order.

    Raises:
        ValueError: braces that do not close, or anything but a plain name between them.
    """
    names = []
    for _, name, form, conversion in Formatter().parse(text):
        if name is None:
            continue
        if not name.isidentifier() or form or conversion:
            msg = "only {name} may stand between braces"
            raise ValueError(msg)
        names.append(name)
    return names


def stored_variables(version: Version) -> dict[str, str]:
    """Variables that are kept with a message, with their types: all but what the sealed contact holds."""
    return {name: kind for name, kind in version.variables.items() if KINDS[kind].stored}


def wrong_variables(version: Version, values: Mapping[str, object]) -> dict[str, str]:
    """What is wrong with the values of a message, by variable; empty when they fit."""
    declared = stored_variables(version)
    wrong = {name: "is not declared by the template" for name in values if name not in declared}
    for name, kind in declared.items():
        if name not in values:
            wrong[name] = "is missing"
            continue
        try:
            KINDS[kind].read(values[name])
        except ValueShapeError as error:
            wrong[name] = str(error)
    return wrong


def read_values(
    version: Version,
    values: Mapping[str, object],
    labels: Mapping[str, str],
    language: Language = Language.CHINESE,
    *,
    room: bool = False,
) -> dict[str, str]:
    """The text of each variable in a language, with the labels of programs by code.

    Args:
        version: of the template.
        values: by variable.
        labels: by code.
        language: of the text.
        room: the text may be long, as in a letter: every program is named.

    Raises:
        ValueShapeError: a value is missing or of another type.
    """
    texts, forms = {}, FORMS.get(language, {})
    for name, declared in version.variables.items():
        if name not in values:
            msg = "is missing"
            raise ValueShapeError(msg)
        kind = WITH_ROOM.get(declared, declared) if room else declared
        text = KINDS[kind].text(values[name], labels)
        form = forms.get(kind)
        texts[name] = form(values[name], labels) if form else text
    return texts


def sample_values(version: Version, *, room: bool = False) -> dict[str, object]:
    """A long but plausible value for each variable, for previews and for measuring; `room` as in `read_values`."""
    kinds = {name: WITH_ROOM.get(kind, kind) if room else kind for name, kind in version.variables.items()}
    return {name: KINDS[kind].sample for name, kind in kinds.items()}


def fill(text: str, texts: Mapping[str, str]) -> str:
    """`text` with its variables replaced."""
    return text.format_map(texts)
