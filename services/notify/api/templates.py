"""Approved texts and the ways they go."""

from fastapi import APIRouter

from services.notify.api.common import Manager, Reader, Wired
from services.notify.domain.template import Template, Version
from services.notify.schemas import (
    ChannelOut,
    ChannelsOut,
    ChannelTextOut,
    Code,
    PreviewItemOut,
    PreviewOut,
    PreviewRequest,
    TemplateOut,
    TemplatesOut,
    TestOut,
    TestRequest,
    VersionOut,
)
from services.notify.usecases import read, sample
from shared.kit.problems import PROBLEM_RESPONSES

router = APIRouter(prefix="/v1", tags=["templates"], responses=PROBLEM_RESPONSES)


@router.get("/templates")
async def list_templates(wired: Wired, _caller: Reader) -> TemplatesOut:
    """Every template with all its versions."""
    return TemplatesOut(items=[_template(each) for each in wired.templates.values()])


@router.post("/templates/{code}:preview")
async def preview_template(wired: Wired, _caller: Reader, code: Code, body: PreviewRequest) -> PreviewOut:
    """What a template says with given values, or with long samples; nothing is sent."""
    shown = read.preview(wired, read.find_template(wired, code), body.version, body.variables)
    return PreviewOut(items=[PreviewItemOut.model_validate(each, from_attributes=True) for each in shown])


@router.post("/templates/{code}:test")
async def send_sample(wired: Wired, _caller: Manager, code: Code, body: TestRequest) -> TestOut:
    """Send a sample with long values to one of the test recipients of the settings."""
    outgoing = sample.make(wired, template=code, channel=body.channel, to=body.to, number=body.version)
    result = await sample.hand(wired, body.channel, outgoing)
    return TestOut(outcome=result.outcome.value, provider=result.provider, reason=result.reason)


@router.get("/channels")
async def list_channels(wired: Wired, _caller: Reader) -> ChannelsOut:
    """Every channel, and whether it sends here."""
    items = [
        ChannelOut(
            code=each.code,
            label=each.channel.label,
            reference=each.channel.reference,
            reaches=each.channel.reaches,
            quiet_hours=each.channel.quiet_hours,
            receipts=each.channel.read_receipts is not None,
            on=each.off is None,
            off=each.off,
        )
        for each in wired.channels.values()
    ]
    return ChannelsOut(items=items)


def _template(template: Template) -> TemplateOut:
    return TemplateOut(
        code=template.code,
        label=template.label,
        reference=template.reference,
        audience=template.audience,
        event=template.event,
        legal=template.legal,
        urgent=template.urgent,
        versions=[_version(each) for each in template.versions],
    )


def _version(version: Version) -> VersionOut:
    return VersionOut(
        number=version.number,
        since=version.since.isoformat(),
        approval=version.approval,
        variables=dict(version.variables),
        channels=[
            ChannelTextOut(
                channel=code,
                title=said.title,
                text=said.text,
                family_text=said.family_text,
                fallback=said.fallback,
            )
            for code, said in version.channels.items()
        ],
    )
