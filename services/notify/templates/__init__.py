"""Approved texts: one TOML file a template, found by being in this folder, checked whole before anything is sent."""

import re
import tomllib
from collections.abc import Collection, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.notify.domain.languages import Language
from services.notify.domain.lint import SMS, lint
from services.notify.domain.template import ChannelText, Template, Translation, Version
from shared.contracts.vocabulary import Audience

FOLDER: Final = Path(__file__).parent

_PLACEHOLDER: Final = "PLACEHOLDER"
Sentence = Annotated[str, Field(min_length=2, max_length=600)]


class TemplateFileError(Exception):
    """Files that cannot be used; says file, line and key of each fault."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Approval = Annotated[str, Field(pattern=r"^[A-Z0-9_-]{4,40}$")]


class _TranslationFile(_Strict):
    title: Annotated[str, Field(max_length=80)] = ""
    text: Sentence
    approval: Approval | None = None


class _ChannelFile(_Strict):
    title: Annotated[str, Field(max_length=40)] = ""
    text: Sentence
    family_text: Sentence | None = None
    fallback: bool = False
    without_phone: bool = False
    translations: Annotated[dict[Language, _TranslationFile], Field(alias="in")] = {}


class _VersionFile(_Strict):
    number: Annotated[int, Field(ge=1)]
    since: date
    approval: Approval | None = None
    variables: dict[Annotated[str, Field(pattern=r"^[a-z][a-z_]*$")], str] = {}
    channel: dict[str, _ChannelFile]


class _TemplateFile(_Strict):
    label: Sentence
    reference: Sentence
    audience: Audience
    event: Annotated[str, Field(pattern=r"^([a-z_]+(\.[a-z_]+){1,3}\.v\d+|request)$")]
    legal: bool
    urgent: bool = False
    payment: bool = False
    latest_only: bool = False
    together: bool = False
    version: Annotated[list[_VersionFile], Field(min_length=1)]


def discover(channels: Collection[str], folder: Path = FOLDER) -> dict[str, Template]:
    """Every template in `folder` by its code (the name of its file).

    Args:
        channels: codes of the channels there are.
        folder: where the files lie.

    Raises:
        TemplateFileError: with every fault of every file, so that one look mends all.
    """
    found: dict[str, Template] = {}
    faults: list[str] = []
    for path in sorted(folder.glob("*.toml")):
        try:
            template = read(path)
        except TemplateFileError as error:
            faults.append(str(error))
            continue
        faults.extend(f"{path.name}: {fault}" for fault in [*lint(template), *_unknown(template, channels)])
        found[template.code] = template
    if faults:
        raise TemplateFileError("\n".join(faults))
    return found


def check_approvals(templates: Mapping[str, Template]) -> None:
    """Refuse text messages that no carrier has approved: their codes in the files are placeholders to be replaced.

    Raises:
        TemplateFileError: says which.
    """
    faults = [
        f"{code}.toml: version[{version.number}]: {approval} is no carrier's approval code"
        for code, template in templates.items()
        for version in template.versions
        if (said := version.channels.get(SMS))
        for approval in (version.approval, *(other.approval for other in said.translations.values()))
        if approval and approval.startswith(_PLACEHOLDER)
    ]
    if faults:
        faults.append("Replace them, or set WUGAN_NOTIFY_SMS_SANDBOX=true where the gateways reach nobody.")
        raise TemplateFileError("\n".join(faults))


def read(path: Path) -> Template:
    """One file, its shape checked but not its wording.

    Raises:
        TemplateFileError: it is not TOML or not of the shape.
    """
    text = path.read_text(encoding="utf-8")
    try:
        file = _TemplateFile.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        msg = f"{path.name}: {error}"
        raise TemplateFileError(msg) from error
    except ValidationError as error:
        faults = [
            f"{path.name}{_line(text, each['loc'])}: {_key(each['loc'])}: {each['msg']}" for each in error.errors()
        ]
        raise TemplateFileError("\n".join(faults)) from error
    return Template(
        code=path.stem,
        label=file.label,
        reference=file.reference,
        audience=file.audience,
        event=file.event,
        legal=file.legal,
        urgent=file.urgent,
        payment=file.payment,
        latest_only=file.latest_only,
        together=file.together,
        versions=[_version(version) for version in file.version],
    )


def _version(file: _VersionFile) -> Version:
    return Version(
        number=file.number,
        since=file.since,
        approval=file.approval,
        variables=file.variables,
        channels=_texts(file.channel),
    )


def _texts(files: Mapping[str, _ChannelFile]) -> dict[str, ChannelText]:
    return {
        code: ChannelText(
            title=said.title,
            text=said.text,
            family_text=said.family_text,
            fallback=said.fallback,
            without_phone=said.without_phone,
            translations={
                language: Translation(title=other.title, text=other.text, approval=other.approval)
                for language, other in said.translations.items()
            },
        )
        for code, said in files.items()
    }


def _unknown(template: Template, channels: Collection[str]) -> list[str]:
    return [
        f"version[{version.number}].channel.{code}: there is no such channel"
        for version in template.versions
        for code in version.channels
        if code not in channels
    ]


def _key(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location)


def _line(text: str, location: tuple[int | str, ...]) -> str:
    """`:12` where the last key of `location` stands in the file, if it does; a guide for the eye."""
    names = [part for part in location if isinstance(part, str)]
    for name in reversed(names):
        for number, line in enumerate(text.splitlines(), start=1):
            if re.match(rf"\s*(\[+[\w.\[\]]*\b)?{re.escape(name)}\b\s*[=\]]", line):
                return f":{number}"
    return ""
