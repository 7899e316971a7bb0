"""Bad input through the real API: a clear problem, nothing half stored, nothing of the input in the answer."""

import gzip

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.kit.problems import PROBLEM_JSON
from tests.services.ingest.store.test_reading import BAD as UNREADABLE
from tests.services.ingest.world import IDS, PACKINGS, csv_of, ndjson_of, parquet_of, pharmacy, roster, xlsx_of, zipped

pytestmark = pytest.mark.db

GOOD = csv_of(pharmacy(IDS[:20]))
WRONG = pharmacy([number[:-1] + ("0" if number[-1] != "0" else "1") for number in IDS])
FILES = {name: body for name, (body, _) in UNREADABLE.items() if body is not None} | {
    "another source's columns": csv_of({"身份证号": IDS[:3], "日期": ["2023-01-01"] * 3}),
    "cut in the middle of gzip": gzip.compress(GOOD)[:-30],
    "beyond the upload limit": b"1,2\n" * 1_000_000,
    "unpacks beyond the limit": gzip.compress(b"1,2\n" * 2_000_000),
    "ten thousand columns": (",".join(f"列{n}" for n in range(10_000)) + "\n").encode(),
    "one endless line": GOOD + b"1" * 2_900_000,
    "a late broken record": ndjson_of(pharmacy(IDS * 60)) + b"{\n",
    "a late open quotation mark": csv_of(pharmacy(IDS * 60)) + b'"3416\n' + GOOD[40:],
}


async def refused(answer):
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == PROBLEM_JSON
    problem = answer.json()
    assert problem["detail"]
    assert problem["code"]
    assert not any(number in answer.text for number in IDS)
    return problem


async def test_what_no_database_keeps_is_refused_and_leaves_no_trace(town):
    before = await town.traces()
    assert (await refused(await town.send(GOOD, filename="a\0b")))["code"] == "malformed"
    assert (await refused(await town.get(f"/v1/evidence/{2**96}", "audit.read")))["code"] == "malformed"
    headers = town.issuer.headers("ingest.upload")
    event = {"citizen_id": IDS[0], "occurred_on": "2023-10-31", "values": {IDS[1]: 5}}
    said = await town.client.post("/v1/sources/medins_pharmacy/events", json=event, headers=headers)
    assert {each["pointer"] for each in (await refused(said))["errors"]} == {"/body/values/*"}
    assert await town.traces() == before


@pytest.mark.parametrize("case", FILES)
async def test_a_bad_file_is_refused_and_leaves_no_trace(town, case):
    before = await town.traces()
    await refused(await town.send(FILES[case]))
    assert await town.traces() == before


@pytest.mark.parametrize("case", FILES)
async def test_a_bad_roster_is_refused_and_leaves_no_trace(town, case):
    before = await town.traces()
    await refused(await town.post("/v1/programs/resident_pension/roster", FILES[case]))
    assert await town.traces() == before


@pytest.mark.parametrize("asks", [True, False])
async def test_a_file_that_says_at_the_start_that_it_is_too_long_is_read_only_where_its_sender_does_not_ask_first(
    town, asks
):
    read = []

    async def body():
        for number in range(8):
            read.append(number)
            yield GOOD

    before = await town.traces()
    length = str(town.deps.settings.ingest_max_upload_bytes + 1)
    headers = town.issuer.headers("ingest.upload") | {"Content-Length": length}
    headers |= {"Expect": "100-continue"} if asks else {}
    for path in ("/v1/sources/medins_pharmacy/batches", "/v1/programs/resident_pension/roster"):
        answer = await town.client.post(path, content=body(), headers=headers)
        assert (answer.status_code, (await refused(answer))["code"]) == (413, "file_too_large")
    # Who still sends when he is answered meets a reset instead of the answer.
    assert read == ([] if asks else [*range(8), *range(8)])
    assert await town.traces() == before


async def test_nobody_is_listened_to_for_ever(town):
    most, read = town.deps.settings.ingest_max_upload_bytes, 0

    async def body():
        nonlocal read
        while read < 20 * most:
            read += len(GOOD) * 1000
            yield GOOD * 1000

    answer = await town.client.post(
        "/v1/sources/medins_pharmacy/batches", content=body(), headers=town.issuer.headers("ingest.upload")
    )
    assert answer.status_code == 413
    assert read < 7 * most


async def test_a_file_within_a_form_is_told_how_to_be_sent(town):
    files = {"file": ("may.csv", GOOD)}
    headers = town.issuer.headers("ingest.upload")
    problem = await refused(await town.client.post("/v1/sources/medins_pharmacy/batches", files=files, headers=headers))
    assert "--data-binary" in problem["detail"]


async def test_an_unknown_source_or_program_is_told(town):
    before = await town.traces()
    assert (await refused(await town.send(GOOD, "no_such_source")))["code"] == "not_found"
    assert (await town.enrol(roster([1]), "no_such_program")).status_code == 404
    assert (await town.send(GOOD, "NO%20SUCH")).status_code == 422
    assert await town.traces() == before


async def test_a_roster_without_rows_ends_nobody(town):
    header = csv_of(roster([0])).split(b"\n")[0] + b"\n"
    await refused(await town.post("/v1/programs/resident_pension/roster", header))
    assert (await town.rows("SELECT count(*) AS n FROM enrolment WHERE ended_on IS NULL"))[0]["n"] == 30


async def test_a_file_without_rows_is_taken_for_a_day_without_events(town):
    answer = await town.send("身份证号,购药时间\n".encode())
    assert (answer.status_code, answer.json()["rows"], answer.json()["status"]) == (201, 0, "completed")


async def test_an_unknown_query_parameter_is_refused(town):
    await refused(await town.send(GOOD, confrim=True))


async def test_a_refused_copy_of_a_file_does_not_take_the_raw_file_of_another_source(town):
    assert (await town.send(GOOD)).status_code == 201
    kept = town.raw_files()
    await refused(await town.send(GOOD, "police_hotel"))
    assert town.raw_files() == kept


async def test_a_few_faulty_rows_never_stop_a_small_file(town):
    answer = await town.send(csv_of({name: list(values)[:3] for name, values in WRONG.items()}))
    assert (answer.status_code, answer.json()["quarantine_reasons"]) == (201, {"bad_check_digit": 3})


async def test_a_formula_in_a_cell_is_data_and_is_never_run_or_echoed(town):
    body = xlsx_of(pharmacy([IDS[0], "=cmd|'/c calc'!A0", "@SUM(1)"]))
    said = (await town.send(body)).json()
    assert (said["accepted"], said["quarantine_reasons"]) == (1, {"bad_citizen_id": 2})


@given(st.one_of(
    st.binary(max_size=300),
    st.builds(lambda body, cut, junk: body[:cut] + junk + body[cut + len(junk):],
              st.sampled_from([GOOD, xlsx_of(pharmacy(IDS)), parquet_of(pharmacy(IDS)), ndjson_of(pharmacy(IDS)),
                               gzip.compress(GOOD), PACKINGS["zstd"](GOOD), zipped(GOOD)]),
              st.integers(0, 3000), st.binary(min_size=1, max_size=8)),
))  # fmt: skip
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_no_bytes_make_it_stumble(town, body):
    for path in ("/v1/sources/medins_pharmacy/batches", "/v1/programs/low_income/roster"):
        before = await town.traces()
        answer = await town.post(path, body)
        assert answer.status_code < 500, answer.text
        after = await town.traces()
        assert after["scratch"] == 0
        # What is held waits with its reasons.
        if answer.status_code >= 400 and not answer.json()["code"].endswith("_held"):
            assert after == before
