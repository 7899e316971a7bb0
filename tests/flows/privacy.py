"""What no log may hold of a city's people, and a look for it in any way of writing."""

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import unquote

import polars as pl

from deploy.demo.city.manifest import TRUTH, CityFile, read_manifest

_PHONES = r"(?i)phone|手机|电话"
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
_WITHIN = re.compile(r"(?<=\d)[ \-'](?=[\dX])")
_ID, _OLD_ID = re.compile(r"(?=(\d{17}))"), re.compile(r"(?=(\d{15}))")
_PHONE = re.compile(r"(?<![0-9A-Z])(?:\+?86[ -]?)?(1\d\d[ -]?\d{4}[ -]?\d{4})(?![0-9A-Z])")
_ANYBODYS = re.compile(
    r"(?<![0-9A-Z])\d{6}(?:18|19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dX](?![0-9A-Z])"
)
_CHINESE = re.compile(r"[\u4e00-\u9fff]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """Numbers of a city's people; names, places and addresses need no list: our logs have no Chinese in them at all.

    Attributes:
        ids: the first 17 characters, which clerks who mistype the last one write too.
        old_ids: the 15 digits of the first generation.
        phones: of the people, their families, and the grid's people.
    """

    ids: frozenset[str]
    old_ids: frozenset[str]
    phones: frozenset[str]

    @classmethod
    def of(cls, city: Path) -> Self:
        """Of everybody whom the city's truth or one of its rosters or grids names."""
        ids = pl.read_parquet(city / TRUTH)["citizen_id"]
        phones: set[str] = set()
        for file in read_manifest(city).files:
            if file.kind in {"roster", "grids"}:
                table = _table(city, file)
                phones.update(*(table[name].drop_nulls() for name in table.columns if re.search(_PHONES, name)))
        return cls(
            ids=frozenset(ids.str.slice(0, 17)),
            old_ids=frozenset(ids.str.slice(0, 6) + ids.str.slice(8, 9)),
            phones=frozenset(phones),
        )

    def told_by(self, text: str) -> set[str]:
        """What a text tells, whatever the way it is written: escaped, full width, with spaces within."""
        plain = unicodedata.normalize("NFKC", _ESCAPED.sub(lambda found: chr(int(found[1], 16)), unquote(text))).upper()
        told = {*_CHINESE.findall(plain), *_ANYBODYS.findall(plain)}
        for each in (plain, _WITHIN.sub("", plain)):
            told |= self.ids.intersection(_ID.findall(each)) | self.old_ids.intersection(_OLD_ID.findall(each))
        return told | self.phones.intersection(re.sub(r"\D", "", each) for each in _PHONE.findall(plain))


def _table(root: Path, file: CityFile) -> pl.DataFrame:
    path = root / file.path
    if file.format == "xlsx":
        return pl.read_excel(path, infer_schema_length=0)
    encoding = {"utf-8-bom": "utf-8-sig"}.get(file.encoding, file.encoding)
    return pl.read_csv(path.read_bytes().decode(encoding).encode(), infer_schema=False)
