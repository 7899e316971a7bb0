"""Schemathesis against the service: no 5xx, and no answer the contract does not know. `make fuzz` runs it long."""

import os
import warnings
from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.services.recognition.world import WHY

EXAMPLES = int(os.environ.get("WUGAN_FUZZ_EXAMPLES", "1"))
LEFT_OUT = ("/oauth", "/.well-known", "/v1/flow", "/v1/today", "/v1/dead-letters")


def cases_of(operation) -> list:
    """Made-up requests of one operation, the same every time."""
    made = []

    @settings(max_examples=EXAMPLES, database=None, deadline=None, phases=[Phase.generate], derandomize=True,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(case=operation.as_strategy())
    def collect(case):
        made.append(case)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        collect()
    return made


def checks() -> list:
    """Loaded here, for whoever runs this: every worker of the suite collects this file."""
    from schemathesis import checks  # noqa: PLC0415
    from schemathesis.specs.openapi import checks as contract  # noqa: PLC0415

    return [checks.not_a_server_error, contract.status_code_conformance, contract.content_type_conformance,
            contract.response_headers_conformance, contract.response_schema_conformance]  # fmt: skip


async def trouble(http, case, headers, asked) -> str | None:
    """What an answer breaks of the contract; None where it keeps it."""
    sent = case.as_transport_kwargs(base_url="http://recognition.test")
    told = {name: value for name, value in (sent.get("headers") or {}).items() if name not in headers}
    kept = {name: sent[name] for name in ("params", "json", "data", "content") if sent.get(name) is not None}
    if isinstance(kept.get("data"), bytes | str):
        kept["content"] = kept.pop("data")
    try:
        request = http.build_request(sent["method"], sent["url"], headers={**told, **headers}, **kept)
    except (UnicodeEncodeError, ValueError, TypeError):
        return None  # what cannot be sent cannot be answered
    answer = await http.send(request)
    asked[answer.status_code] += 1
    try:
        case.validate_response(answer, checks=checks())
    except Exception as error:  # noqa: BLE001  (whatever a check says)
        return f"{case.method} {case.operation.path}: {error}"
    return None


@pytest.mark.db
@pytest.mark.timeout(3600)
async def test_nothing_breaks_and_nothing_is_undocumented(world, http, app, issuer):
    import schemathesis  # noqa: PLC0415  (as above)

    scopes = ("recognition.check", "recognition.batch", "recognition.certify", "recognition.counter",
              "recognition.manage", "me.read", "me.write", "audit.read", "operate")  # fmt: skip
    callers = [issuer.headers(*scopes, role=role, programs=["*"], department="hrss", client_id=f"fuzz-{role}",
                              user=user) | WHY
               for role, user in (("officer", "officer-1"), ("citizen", None))]  # fmt: skip
    schema = schemathesis.openapi.from_dict(app.openapi())
    broken, asked = [], Counter[int]()
    for found in schema.get_all_operations():
        operation = found.ok()  # type: ignore[union-attr]  # our own document is valid
        if operation.path.startswith(LEFT_OUT):
            continue
        headers = callers[operation.path.startswith("/v1/me")]
        broken += [said for case in cases_of(operation) if (said := await trouble(http, case, headers, asked))]
    assert not broken, "\n\n".join(broken)
    # Requests that all bounce off the edge prove nothing.
    assert {200, 404} <= asked.keys()
