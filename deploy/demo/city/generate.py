"""A whole city into a folder: grids, rosters, a year of deliveries, and the truth beside them."""

import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl

from deploy.demo.city.city import City, make_city
from deploy.demo.city.deliveries import Delivery, read_deliveries, rows_of
from deploy.demo.city.faults import VERDICTS
from deploy.demo.city.manifest import LEDGER, MANIFEST, TRUTH, CityFile, Manifest, write_manifest
from deploy.demo.city.programs import Program, read_programs
from deploy.demo.city.rosters import make_grids, make_roster
from deploy.demo.city.source import Sheet, fill_source, pages
from deploy.demo.city.truth import Sightings, make_truth
from deploy.demo.city.writers import encode, save
from deploy.demo.city.year import FIRST_ON, TODAY_ON, date_of

BYTES_AT_FULL_SCALE = 3_200_000_000
_RESERVE = 100_000_000
_ROSTER_ON = FIRST_ON
_NO_ENCODING = ("xlsx", "parquet")
_BEGUN = "city.begun"
"""Stands in the folder from the first file to the manifest, so that what was broken off is known for ours."""

Progress = Callable[[str, int], None]
"""Called with what was written and how many rows it has."""


def generate(scale: float, seed: int, out: Path, tell: Progress | None = None, *, rolling: bool = False) -> Manifest:
    """Make a city and write all its files; the manifest comes last, so that a folder with one is complete.

    Args:
        scale: 1 is the whole city.
        seed: the same one gives the same files.
        out: folder.
        tell: of what is written.
        rolling: whether certifications end all through the year instead of all at once.

    Raises:
        OccupiedFolderError: the folder holds something that is not a generated city.
        NoRoomError: the disk has too little room for a city of this scale.
        TooSmallError: the city would have fewer records than sources.
    """
    tell = tell or (lambda _what, _rows: None)
    counts = rows_of(scale)
    _prepare(out, scale)
    city = make_city(scale, seed)
    files = [_write_grids(city, out, tell)]
    for program in read_programs():
        files.append(_write_roster(program, make_roster(city, program, rolling=rolling), out))
        tell(program.code, 0)
    ledger = [(file.path, "accepted", "", file.rows) for file in files]
    sightings = Sightings(city.people.beneficiaries)
    deliveries: list[CityFile] = []
    for salt, delivery in enumerate(read_deliveries()):
        filled = fill_source(city, delivery, counts[delivery.code])
        sightings.add(filled)
        for day, sheet in pages(city, filled, salt):
            file = _write_delivery(delivery, day, sheet, out)
            deliveries.append(file)
            ledger += _ledger_rows(file, sheet)
            tell(delivery.code, file.rows)
    _write_truth(city, sightings, ledger, out)
    files += sorted(deliveries, key=lambda file: (file.delivered_on, file.code))
    manifest = Manifest(
        root=out,
        scale=scale,
        seed=seed,
        today=TODAY_ON,
        people=city.people.beneficiaries,
        enrolments=sum(len(members) for members in city.held.values()),
        records=sum(file.rows for file in deliveries),
        monthly_fen=sum(int(amounts.sum()) for amounts in city.amounts.values()),
        grids=len(city.places.village),
        files=tuple(files),
    )
    write_manifest(manifest)
    (out / _BEGUN).unlink()
    return manifest


def _prepare(out: Path, scale: float) -> None:
    """An empty folder with enough room; an older city in it goes."""
    if out.exists() and any(out.iterdir()):
        if not any((out / name).exists() for name in (MANIFEST, _BEGUN, "deliveries")):
            raise OccupiedFolderError(out)
        (out / MANIFEST).unlink(missing_ok=True)
        for part in ("grids", "rosters", "deliveries", "truth"):
            shutil.rmtree(out / part, ignore_errors=True)
    out.mkdir(parents=True, exist_ok=True)
    (out / _BEGUN).touch()
    needed = round(BYTES_AT_FULL_SCALE * scale) + _RESERVE
    free = shutil.disk_usage(out).free
    if free < needed:
        raise NoRoomError(out, needed, free)


def _write_grids(city: City, out: Path, tell: Progress) -> CityFile:
    table = make_grids(city)
    path = "grids/grids.csv"
    digest = save(out / path, encode(table, form="csv"))
    tell("grids", 0)
    return CityFile(
        path=path,
        kind="grids",
        code="grids",
        department="hrss",
        rows=len(table),
        delivered_on=_ROSTER_ON,
        format="csv",
        encoding="utf-8",
        sha256=digest,
    )


def _write_roster(program: Program, table: pl.DataFrame, out: Path) -> CityFile:
    path = f"rosters/{program.code}.{program.format}"
    digest = save(out / path, encode(table, form=program.format, encoding=program.encoding))
    return CityFile(
        path=path,
        kind="roster",
        code=program.code,
        department=program.department,
        rows=len(table),
        delivered_on=_ROSTER_ON,
        format=program.format,
        encoding="" if program.format in _NO_ENCODING else program.encoding,
        sha256=digest,
    )


def _write_delivery(delivery: Delivery, day: int, sheet: Sheet, out: Path) -> CityFile:
    delivered_on = date_of(day)
    path = f"deliveries/{delivery.code}/{delivered_on}.{delivery.format}"
    return CityFile(
        path=path,
        kind="source",
        code=delivery.code,
        department=delivery.department,
        rows=sheet.rows,
        delivered_on=delivered_on,
        format=delivery.format,
        encoding="" if delivery.format in _NO_ENCODING else delivery.encoding,
        sha256=save(out / path, sheet.content),
    )


def _ledger_rows(file: CityFile, sheet: Sheet) -> list[tuple[str, str, str, int]]:
    counted = zip(VERDICTS, sheet.counts.tolist(), strict=True)
    return [(file.path, verdict, reason, rows) for (verdict, reason), rows in counted if rows]


def _write_truth(city: City, sightings: Sightings, ledger: list[tuple[str, str, str, int]], out: Path) -> None:
    save(out / TRUTH, encode(make_truth(city, sightings), form="parquet"))
    table = pl.DataFrame(ledger, schema=["path", "verdict", "reason", "rows"], orient="row")
    save(out / LEDGER, encode(table, form="parquet"))


class OccupiedFolderError(ValueError):
    """A folder with other people's files."""

    def __init__(self, out: Path) -> None:
        super().__init__(f"{out} holds files that are not a generated city; choose an empty folder.")


class NoRoomError(OSError):
    """A disk too small."""

    def __init__(self, out: Path, needed: int, free: int) -> None:
        super().__init__(
            f"{out} has {free // 1_000_000} MB free and the city needs about {needed // 1_000_000} MB; "
            "choose another folder or a smaller scale."
        )
