"""What the README tells a newcomer to type is what the platform takes."""

import asyncio
import re
from pathlib import Path

import httpx
import polars as pl
import pytest

from deploy.demo.city.manifest import TRUTH
from deploy.local.ask import token

pytestmark = [pytest.mark.flow, pytest.mark.timeout(240)]
README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


async def test_the_first_call_is_answered(city):
    stack, gateway = city.run.stack, city.run.stack.urls["gateway"]
    client = re.search(r"wugan token (\S+) --data", README)
    said = re.findall(r'-H "([A-Za-z-]+): ([^"$]+)"', README)
    path = re.search(r"http://127.0.0.1:8000(/api\S+)", README)
    program = re.search(r'\\"program\\": \\"(\w+)\\"', README)
    assert client is not None
    assert path is not None
    assert program is not None
    assert len(said) == 4
    bearer = await asyncio.to_thread(token, client[1], data=stack.folder.root, gateway=gateway)
    people = pl.read_parquet(city.run.city / TRUTH)
    someone = people.filter(pl.col("programs").list.contains(program[1]) & (pl.col("state") == "alive"))
    async with httpx.AsyncClient() as http:
        answer = await http.post(
            gateway + path[1],
            json={"program": program[1], "citizen_id": someone["citizen_id"][0]},
            headers={**dict(said), "Authorization": f"Bearer {bearer}"},
        )
    assert answer.status_code == 200, answer.text
    assert answer.json()["answer"] in {"recognised", "not_yet"}
