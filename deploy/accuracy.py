"""`wugan accuracy`: ask a running stack about everybody of a city that was sent through it; compare with the truth.

`make accuracy` measures rules by themselves, on several cities and beside other methods; this asks the real thing.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

from pydantic import SecretStr
from rich.console import Console
from rich.progress import Progress

from deploy.demo import truth
from deploy.demo.city.manifest import TRUTH, read_manifest
from deploy.demo.client import client
from deploy.demo.screen import truth_table
from deploy.demo.truth import Accuracy
from deploy.local.ask import key_of
from deploy.local.secrets import load
from shared.kit.crypto import Pseudonymiser

_CLIENT = "demo-operator"


def accuracy(
    city: Path, *, data: Path, gateway: str, listed: Callable[[str, list[UUID]], object] | None = None
) -> Accuracy:
    """How right the platform's answers about the people of a city are.

    Args:
        city: folder of a generated city.
        data: folder of the stack it was sent through.
        gateway: its address.
        listed: is told whom each odd figure is about.

    Raises:
        NotACityError: the folder holds no generated city.
        NoSuchClientError: the other one holds no stack.
        NoSecretsError: it holds no key under which people are known there.
        RefusedError: the platform answered with a problem.
    """
    manifest = read_manifest(city)
    key = key_of(_CLIENT, data=data)
    subjects = Pseudonymiser.from_hex(SecretStr(load(data / "secrets").subject_key)) if listed else None
    people = truth.read_truth(manifest.root / TRUTH)
    console = Console(stderr=True)

    async def ask() -> Accuracy:
        async with client(gateway, f"{gateway}/api/recognition", _CLIENT, key) as caller:
            with Progress(console=console, disable=not console.is_terminal) as progress:
                task = progress.add_task("asking as a partner would", total=len(people))
                answered = await truth.ask(caller, people, told=lambda count: progress.advance(task, count))
            if listed and subjects:
                for name, ids in truth.odd_ones(answered).items():
                    listed(name, [subjects.one(each) for each in ids])
            return truth.compare(answered, by_data=await truth.by_data(caller))

    return asyncio.run(ask())


def show_list(name: str, subjects: list[UUID]) -> None:
    """Print whom an odd figure is about, one a line, as scoring and grid know them."""
    print(f"{name}: {len(subjects)}", *subjects, sep="\n  ")


def show(found: Accuracy, console: Console) -> None:
    """Print the table."""
    console.print(truth_table(found))
