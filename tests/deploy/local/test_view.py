"""Log lines: raw for machines, short for people."""

import io
import json

import pytest

from deploy.local.view import LogView, raw

LINE = json.dumps(
    {
        "event": "batch_completed",
        "level": "info",
        "logger": "x",
        "rows": 40000,
        "timestamp": "2023-11-01T00:00:00Z",
        "service": "ingest",
    }
)


def shown(name: str, text: str, *, terminal: bool) -> str:
    out = io.StringIO()
    LogView(out, terminal=terminal).line(name, text)
    return out.getvalue()


def test_a_json_line_passes_unchanged_where_there_is_no_terminal():
    assert shown("ingest", LINE, terminal=False) == LINE + "\n"


@pytest.mark.parametrize("text", ["plain words", "{broken", "[1]", ""])
def test_every_other_line_becomes_json_with_its_process(text):
    assert json.loads(raw("nats", text)) == {"service": "nats", "event": text}


def test_a_terminal_gets_process_event_and_fields_only(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    line = shown("ingest", LINE, terminal=True)
    assert line.split()[1:] == ["ingest", "batch_completed", "rows=40000"]


def test_a_terminal_is_coloured_unless_it_asks_for_none(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[" in shown("ingest", LINE, terminal=True)


def test_servers_speak_on_a_terminal_only_when_in_trouble():
    assert not shown("postgres", "2023-11-01 UTC [1] LOG:  checkpoint", terminal=True)
    assert "no space" in shown("postgres", "2023-11-01 UTC [1] PANIC:  no space", terminal=True)
    assert not shown("nats", "[1] [INF] Server is ready", terminal=True)


def test_an_exception_keeps_its_lines():
    text = json.dumps({"event": "unexpected_error", "level": "error", "exception": "Traceback\n  at x"})
    assert shown("grid", text, terminal=True).endswith("Traceback\n  at x\n")
