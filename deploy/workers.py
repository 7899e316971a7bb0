"""Words of a command line that say how many processes each service has."""

import typer

from deploy.local.clients import SERVICES

_MOST = 16  # a service's people are cut into sixteen shards: more processes than shards would find nothing to do


def parse_workers(words: list[str]) -> dict[str, int]:
    """`["2", "scoring=4"]` as processes by service.

    Raises:
        typer.BadParameter: a word that is neither a number nor `service=number`, or a number beyond 1 to 16.
    """
    counts: dict[str, int] = {}
    for word in words:
        name, _, number = word.rpartition("=")
        if not number.isdecimal() or not 1 <= int(number) <= _MOST or (name and name not in SERVICES):
            msg = f"{word} is neither a number from 1 to {_MOST} nor one of {', '.join(SERVICES)} with “=” and a number"
            raise typer.BadParameter(msg)
        counts.update({name: int(number)} if name else {each: int(number) for each in SERVICES if each not in counts})
    return counts
