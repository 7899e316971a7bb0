"""`wugan submit`: sends what is new, goes on after a break, tells what was not taken."""

import io
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from joserfc.jwk import ECKey
from rich.console import Console
from typing_extensions import override

from deploy.submit import JOURNAL, Journal, SubmitOptions, files_of, submit

ANSWER = {"rows": 3, "accepted": 2, "duplicate": 1, "out_of_window": 0, "quarantined": 0, "status": "completed"}


class Platform(ThreadingHTTPServer):
    """A gateway that notes what it is sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.taken: list[tuple[str, bytes]] = []
        self.refused = self.query = ""
        self.status = "completed"
        self.reasons: dict[str, int] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Platform

    def do_POST(self) -> None:
        body = self._body()
        if self.path.endswith("/oauth/token"):
            self._answer(200, {"access_token": "t", "expires_in": 600})
        elif self.server.refused and self.server.refused in self.path:
            self._answer(422, {"detail": "Missing: occurred_on."})
        else:
            self.server.taken.append((self.path.split("?")[0], body))
            self.server.query = self.path.split("?")[1]
            told = {
                "batch_id": f"b{len(self.server.taken)}",
                "status": self.server.status,
                "reasons": self.server.reasons,
            }
            self._answer(201, ANSWER | told)

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _answer(self, status: int, document: dict[str, object]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @override
    def log_message(self, *args: object) -> None:
        """Nothing is said."""


@pytest.fixture
def platform():
    server = Platform()
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def send(platform, tmp_path):
    key = tmp_path / "key.pem"
    key.write_bytes(ECKey.generate_key("P-256").as_pem(private=True))

    def run(path, source=None, gateway=platform.url, **asked):
        out = io.StringIO()
        options = SubmitOptions(path=path, source=source, gateway=gateway, client_id="c", key=key, **asked)
        return submit(options, Console(file=out, width=200)), out.getvalue()

    return run


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "deliveries"
    for name, body in {
        "air_boarding/1.csv": b"a",
        "air_boarding/2.csv": b"b" * 3_000_000,
        "rail_trip/1.csv": b"c",
    }.items():
        path = made / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return made


def test_every_file_goes_to_the_source_its_folder_names(platform, send, folder):
    code, said = send(folder)
    assert code == 0
    assert [(path.split("/")[-2], len(body)) for path, body in platform.taken] == [
        ("air_boarding", 1),
        ("air_boarding", 3_000_000),
        ("rail_trip", 1),
    ]
    assert "accepted" in said


def test_rosters_go_to_their_programs(platform, send, folder):
    (folder / "rail_trip").rename(folder / "dibao")
    assert (send(folder / "dibao", roster="delta")[0], len(platform.taken)) == (0, 1)
    assert platform.taken[0][0].endswith("/v1/programs/dibao/roster")
    assert "mode=delta" in platform.query


def test_of_rosters_in_one_folder_the_last_one_counts_and_nothing_is_sent_that_has_no_order(platform, send, folder):
    path = (folder / "rail_trip").rename(folder / "dibao")
    for month in (10, 9):
        (path / f"名册{month}月.csv").write_bytes(str(month).encode())
    assert (send(path, roster="full")[0], len(platform.taken)) == (1, 0)
    assert (send(path, roster="delta")[0], [body for _, body in platform.taken]) == (0, [b"c", b"9", b"10"])


def test_the_last_roster_is_sent_once_more_when_somebody_has_looked_at_its_names(platform, send, folder):
    path = (folder / "rail_trip").rename(folder / "dibao")
    platform.reasons = {"name_mismatch": 1}
    send(path, roster="full")
    (path / "2.csv").write_bytes(b"d")
    for confirm in (False, True, True):
        send(path, roster="full", confirm=confirm)
    assert [body for _, body in platform.taken] == [b"c", b"d", b"d"]


def test_another_platform_is_sent_everything(platform, send, folder):
    send(folder)
    code, _ = send(folder, gateway=f"{platform.url}/")
    assert (code, len(platform.taken)) == (0, 6)


def test_what_was_sent_before_is_sent_again_when_it_is_asked_for(platform, send, folder):
    send(folder)
    assert (send(folder, again=True)[0], len(platform.taken)) == (0, 6)


def test_a_withdrawn_file_is_not_taken_and_asked_for_again(platform, send, folder):
    platform.status = "withdrawn"
    code, said = send(folder / "rail_trip")
    assert (code, "withdrawn" in said) == (1, True)
    platform.status = "completed"
    assert send(folder / "rail_trip")[0] == 0
    assert len(platform.taken) == 2


def test_called_again_it_sends_only_what_is_new(platform, send, folder):
    send(folder)
    (folder / "rail_trip" / "2.csv").write_bytes(b"d")
    code, said = send(folder)
    assert (code, len(platform.taken)) == (0, 4)
    assert "files sent before" in said


def test_what_is_refused_is_told_and_sent_again_the_next_time(platform, send, folder):
    platform.refused = "rail_trip"
    code, said = send(folder)
    assert (code, len(platform.taken)) == (1, 2)
    assert "Missing: occurred_on." in said
    platform.refused = ""
    assert send(folder)[0] == 0
    assert len(platform.taken) == 3


def test_one_file_needs_its_source(platform, send, folder):
    assert send(folder / "air_boarding" / "1.csv", "rail_trip")[0] == 0
    assert platform.taken[0][0].endswith("/v1/sources/rail_trip/batches")


def test_a_journal_cut_off_in_its_last_line_is_read_to_there(tmp_path):
    (tmp_path / JOURNAL).write_text('{"key": "a 1"}\n{"key": "b', encoding="utf-8")
    assert Journal.beside(tmp_path).answered == {"a 1"}


def test_hidden_files_stay_at_home(tmp_path):
    (tmp_path / ".hidden").write_bytes(b"x")
    (tmp_path / "~$open.xlsx").write_bytes(b"x")
    assert files_of(tmp_path, "x") == []


def test_an_empty_folder_is_told(send, tmp_path):
    (tmp_path / "empty").mkdir()
    assert send(tmp_path / "empty")[0] == 2
