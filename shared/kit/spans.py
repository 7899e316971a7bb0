"""Spans by OpenTelemetry: printed as JSON lines, or sent by OTLP to wherever OTEL_EXPORTER_OTLP_ENDPOINT says.

Loaded only where `WUGAN_TRACES` asks for it. No span holds a person: names are templates of routes, subjects and
consumers, and of an error only its type is kept.
"""

import sys
from collections.abc import Iterable

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SimpleSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.kit import trace

_KINDS = {
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
    "internal": SpanKind.INTERNAL,
}
_FORM = TraceContextTextMapPropagator()


class _Begun:
    """A span of OpenTelemetry as `shared.kit.trace` knows it."""

    def __init__(self, span: Span) -> None:
        self._span = span
        known = span.get_span_context()
        self.context = f"00-{known.trace_id:032x}-{known.span_id:016x}-{known.trace_flags & 1:02x}"

    def end(self, error: BaseException | None, name: str | None, attributes: trace.Attributes) -> None:
        """End it; the sentence of an error may quote what was sent, so its type must do."""
        if name:
            self._span.update_name(name)
        self._span.set_attributes(attributes)
        if error is not None:
            self._span.set_attribute("error.type", type(error).__name__)
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end()


class Spans:
    """A recorder for one process.

    Args:
        service: its name.
        processor: what becomes of spans.
        share: of the traces that begin here; those of callers are kept as they say.
    """

    def __init__(self, service: str, processor: SpanProcessor, *, share: float = 1.0) -> None:
        self._provider = TracerProvider(
            resource=Resource.create({"service.name": f"wugan-{service}"}),
            sampler=ParentBased(TraceIdRatioBased(share)),
        )
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("wugan")

    def begin(
        self, name: str, kind: trace.Kind, parent: str | None, links: Iterable[str], attributes: trace.Attributes
    ) -> trace.Begun:
        """Begin a span under `parent`, or a trace."""
        return _Begun(
            self._tracer.start_span(
                name,
                context=_context(parent),
                kind=_KINDS[kind],
                attributes=attributes,
                links=[Link(get_current_span(_context(each)).get_span_context()) for each in links],
            )
        )

    def close(self) -> None:
        """Send what is buffered."""
        self._provider.shutdown()


def _context(parent: str | None) -> Context:
    return _FORM.extract({trace.HEADER: parent}, context=Context()) if parent else Context()


def _line(span: ReadableSpan) -> str:
    return f"{span.to_json(indent=None)}\n"


def make(service: str, to: str, share: float) -> Spans:
    """The recorder `WUGAN_TRACES` asks for: `console` or `otlp`."""
    if to == "console":
        return Spans(service, SimpleSpanProcessor(ConsoleSpanExporter(out=sys.stdout, formatter=_line)), share=share)
    # It brings protobuf, which nothing else here needs.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

    return Spans(service, BatchSpanProcessor(OTLPSpanExporter()), share=share)
