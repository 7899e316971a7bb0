"""Names as they are compared: without spaces, points and forms of writing, so that only a different name differs."""

import re
from collections.abc import Iterator
from importlib.resources import files
from unicodedata import normalize

import polars as pl

_POINTS = "·•・．.‧∙⋅"
# Surnames that registers write one way or the other; no table of characters holds them.
_SURNAMES = {"肖": "萧", "阎": "闫", "邱": "丘"}
# What simplified names write in two ways, and forms that clerks use.
_FORMS = {"喆": "哲", "囯": "国", "㛃": "洁", "䶮": "龑"}
_BLANK = re.compile(r"[\s\u200b-\u200d\u2060\ufeff]")


def _variants() -> Iterator[tuple[str, str]]:
    for line in files(__package__).joinpath("variants.txt").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            yield line[0], line[1]


def _table() -> dict[str, str]:
    usual = _SURNAMES | _FORMS
    return dict.fromkeys(_POINTS, "") | {form: usual.get(plain, plain) for form, plain in _variants()} | usual


_TABLE = str.maketrans(_table())
# Nearly every name is of plain characters only and stays as it is.
_ODD = rf"[^\u4e00-\u9fff]|[{''.join(form for form in map(chr, _TABLE) if form not in _POINTS)}]"


def normalise(raw: pl.Series) -> pl.Series:
    """Names for comparison; null and empty stay null."""
    text = raw.cast(pl.String)
    odd = text.str.contains(_ODD).fill_null(value=False).arg_true()
    if len(odd):
        some = text.gather(odd)
        distinct = some.unique()
        plain = pl.Series([_plain(each) for each in distinct.to_list()], dtype=pl.String)
        text = text.scatter(odd, some.replace_strict(distinct, plain, return_dtype=pl.String))
    return pl.select(pl.when(text.str.len_bytes() > 0).then(text)).to_series()


def _plain(text: str) -> str:
    """Without widths, cases, blanks and variants; what these steps bring forth goes with the second round."""
    for _ in range(2):
        text = _BLANK.sub("", normalize("NFKC", text).upper()).translate(_TABLE)
    return normalize("NFKC", text)
