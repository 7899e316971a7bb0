"""A partner department's client as docs/partner-api.md shows it: a month's work in a few calls, nothing of ours imported."""

import base64
import hashlib
import json
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
WHY = {"Purpose-Code": "payment", "Legal-Basis": "SI-Agency-Regulation-26", "Case-Ref": "2023-11"}


class Partner:
    """Calls the recognition API for one client.

    Args:
        base: e.g. https://gateway.example/api/recognition
        client_id: as registered.
        key: private key (P-256) whose public half is registered.
        user: a named person behind the client, for officers' systems.
    """

    def __init__(self, base: str, client_id: str, key: ECKey, user: str | None = None) -> None:
        self.base, self.client_id, self.key, self.user = base, client_id, key, user
        self.http = httpx.Client(timeout=60)
        self._token, self._until = "", 0.0

    def close(self) -> None:
        """Give the connections back."""
        self.http.close()

    def token(self) -> str:
        """An access token: a fresh assertion for each, ten minutes' life."""
        if time.monotonic() < self._until:
            return self._token
        now, address = int(datetime.now(UTC).timestamp()), f"{self.base}/oauth/token"  # noqa: TID251  (no kit outside)
        claims = {"iss": self.client_id, "sub": self.client_id, "aud": address, "iat": now, "exp": now + 50,
                  "jti": uuid.uuid4().hex, **({"user": self.user} if self.user else {})}  # fmt: skip
        assertion = jwt.encode({"alg": "ES256", "kid": self.key.kid}, claims, self.key)
        form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION, "client_assertion": assertion}
        said = self.http.post(address, data=form).raise_for_status().json()
        self._token, self._until = said["access_token"], time.monotonic() + said["expires_in"] - 60
        return self._token

    def call(self, method: str, path: str, *, once: bool = False, **kwargs: Any) -> httpx.Response:
        """One request; with `once` it may be sent again and still has one effect."""
        headers = {"Authorization": f"Bearer {self.token()}", **WHY, **kwargs.pop("headers", {})}
        if once:
            headers["Idempotency-Key"] = uuid.uuid4().hex
        url = path if path.startswith("http") else self.base + path
        answer = self.http.request(method, url, headers=headers, **kwargs)
        if answer.is_error:
            raise RuntimeError(answer.json()["detail"])
        return answer

    def check(self, program: str, citizen_id: str) -> dict[str, Any]:
        """May this program rely on this person's certificate today?"""
        body = {"program": program, "citizen_id": citizen_id}
        said: dict[str, Any] = self.call("POST", "/v1/recognitions:check", json=body).json()
        return said

    def wait(self, place: str, *, until: tuple[str, ...] = ("succeeded", "advised", "confirmed")) -> dict[str, Any]:
        """Ask until a job or a pay list has come as far."""
        for _ in range(600):
            said: dict[str, Any] = self.call("GET", place).json()
            if said["state"] in until:
                return said
            if said["state"] in {"failed", "cancelled", "expired", "lapsed"}:
                raise RuntimeError(said["state"])
            time.sleep(0.1)
        raise TimeoutError(place)

    def result(self, place: str, said: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Lines of a result file, once its digest is right."""
        body = self.call("GET", f"{place}/result").content
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        if said["result"]["digest"] != f"sha-256=:{digest}:":
            raise RuntimeError("the file came broken; fetch it again")
        return (json.loads(line) for line in body.decode().splitlines())

    def ask_list(self, program: str, lines: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """A job over a list (CSV with citizen_id and ref)."""
        answer = self.call("POST", "/v1/jobs", once=True, params={"program": program}, content=lines.encode(),
                           headers={"Content-Type": "text/csv"})  # fmt: skip
        place = f"/v1/jobs/{answer.json()['job_id']}"
        said = self.wait(place)
        return said, list(self.result(place, said))

    def before_paying(self, program: str, month: str, lines: str) -> tuple[str, dict[str, Any], list[dict[str, Any]]]:
        """A list about to be paid (CSV with citizen_id, amount, ref): what to pay, to hold, to stop."""
        answer = self.call("POST", "/v1/payruns", once=True, params={"program": program, "month": month},
                           content=lines.encode(), headers={"Content-Type": "text/csv"})  # fmt: skip
        place = f"/v1/payruns/{answer.json()['payrun_id']}"
        said = self.wait(place)
        return place, said, list(self.result(place, said))

    def paid(self, place: str, paid_on: str, **lines: list[int]) -> dict[str, Any]:
        """Say what was paid of a list."""
        self.call("POST", f"{place}:confirm", once=True, json={"paid_on": paid_on, **lines})
        return self.wait(place, until=("confirmed",))

    def events(self) -> Iterator[dict[str, Any]]:
        """What happened since the last acknowledgement; what was handed out before the next page is acknowledged."""
        while True:
            page = self.call("GET", "/v1/events").json()
            yield from page["items"]
            if not page["items"]:
                return
            self.call("POST", "/v1/events:ack", json={"cursor": page["next"]})

    def receipt(self, event_id: str, outcome: str = "accepted", reason: str | None = None) -> None:
        """Say what became of an event in the program's own system."""
        item = {"event_id": event_id, "outcome": outcome, "reason": reason}
        self.call("POST", "/v1/receipts", once=True, json={"items": [item]})
