"""Rosters: who draws a program's benefit and how much, read by columns from the form in which owners keep it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from services.ingest.domain import citizen_id, dates, names
from services.ingest.domain.catalogue import UNEVEN
from services.ingest.domain.columns import Array
from services.ingest.domain.places import COUNTY_DIGITS, PLACE

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "citizen_id": ("身份证号", "身份证号码", "公民身份号码", "证件号码", "id_no"),
    "name": ("姓名", "领取人姓名", "享受人", "享受对象", "name"),
    "phone": ("手机号", "联系电话", "手机号码", "phone"),
    "division": ("村居代码", "村(居)代码", "行政区划代码", "division"),
    "group_no": ("村民组", "村民组号", "小组", "组别", "group_no"),
    "amount_yuan": ("待遇金额", "月标准", "月发放标准", "发放金额", "补助金额", "amount"),
    "started": ("开始享受年月", "享受起始年月", "起始年月", "started"),
    "card_tail": ("银行卡尾号", "卡尾号", "社保卡尾号", "card_tail"),
    "household_no": ("户编号", "家庭编号", "household_no"),
    "due_on": ("认证截止", "认证截止日期", "资格认证截止日期", "due_on"),
    "family_phone": ("联系人手机", "家属手机", "家属联系电话", "family_phone"),
    "ended": ("终止享受年月", "停止享受年月", "终止享受日期", "停发日期", "ended"),
}
"""Accepted headers by canonical column."""
HEADERS = [each for aliases in COLUMNS.values() for each in aliases]
REQUIRED = ("citizen_id", "name", "division", "amount_yuan")
OPTIONAL = {"group_no": "group_no", "started": "started_on", "due_on": "due_on", "household_no": "household",
            "ended": "ends_on"}  # fmt: skip
"""What an enrolment keeps where a roster has no such column, by canonical column."""
_TENS = ("", "十", "二十", "三十", "四十", "五十", "六十", "七十", "八十", "九十")
_NUMERALS = {f"{ten}{one}": 10 * tens + ones for tens, ten in enumerate(_TENS)
             for ones, one in enumerate(("", *"一二三四五六七八九")) if ten or one}  # fmt: skip
_COUNTY = pl.col("division").str.extract(rf"^([0-9]{{{COUNTY_DIGITS}}})")
_TO_COME = pl.col("leaves") & pl.col("ends_on").is_not_null()
_LEAVING = ("row_no", "number", "division", "started_on", "ended_on")
_YUAN = r"^\d{1,12}(\.\d{1,2}0*)?$"
_FAULTS = {citizen_id.MISSING: "missing_field", citizen_id.MALFORMED: "bad_citizen_id",
           citizen_id.BAD_CHECK: "bad_check_digit"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Seen:
    """Who stood in the rows before.

    Attributes:
        codes: of the ids of people whose enrolment goes on, uint64.
        households: numbers of households that have their payee.
    """

    codes: Array
    households: pl.Series


NOBODY = Seen(np.empty(0, dtype=np.uint64), pl.Series(dtype=pl.String))


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedRoster:
    """Rows of a roster.

    Attributes:
        good: one row a person: row_no, number, name, phone, family_phone, card_tail, division, group_no, amount_fen,
            started_on, due_on, ends_on, household_no, born_on, sex.
        counts: rows by verdict or reason (`accepted`, `duplicate`, `second_payee`, faults).
        reasons: row number and reason of each row not taken.
        seen: everybody of these rows and of those before.
        again: number, household_no and PLACE of the duplicates, which may be listings of their own.
        leaving: row_no, number, day, `ended_on`, whether it lies `ahead`, and where they are said `division`, `county`
            and `started_on`, of each row that says that an enrolment has ended, or only when it will; one that goes on
            in another row, of this part or another one, has not.
        named: numbers of those whose row is faulty but tells who they are: nobody may be thought gone for a slip.
        rivals: number and household_no of those who are listed beside the payee of their household.
    """

    good: pl.DataFrame
    counts: Mapping[str, int]
    reasons: pl.DataFrame
    seen: Seen
    again: pl.DataFrame
    leaving: pl.DataFrame
    named: pl.Series
    rivals: pl.DataFrame


def match(headers: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Header to canonical name, and what is missing with its accepted names."""
    clean = {header.replace(" ", "").replace("\ufeff", ""): header for header in reversed(headers)}
    # Of two columns that mean the same the one that is named first here.
    standing = {name: [clean[alias] for alias in aliases if alias in clean] for name, aliases in COLUMNS.items()}
    found = {headers[0]: name for name, headers in standing.items() if headers}
    present = set(found.values())
    missing = [f"{name} ({'/'.join(COLUMNS[name][:3])})" for name in REQUIRED if name not in present]
    return found, missing


def judge_roster(
    frame: pl.DataFrame, *, today: date, first_row: int = 0, seen: Seen = NOBODY, by_household: bool = False
) -> JudgedRoster:
    """Judge rows of a roster.

    Args:
        frame: canonical columns as strings; optional ones may be absent.
        today: nobody is born later; an end that lies ahead of it is one to come.
        first_row: number of the first of these rows within the file.
        seen: who stood in the rows before.
        by_household: the program pays households: a row is one, and its person draws the money for all of it.
    """
    whole = frame.with_columns(pl.lit(None, pl.String).alias(name) for name in COLUMNS if name not in frame.columns)
    checked = citizen_id.check(whole["citizen_id"], this_year=today.year)
    yuan = whole["amount_yuan"].str.replace_all(r"[,,元¥￥\s]", "")
    paid, ended = _filled(yuan), dates.parse(whole["ended"])
    ahead = (ended > today).fill_null(value=False)
    amount = pl.DataFrame({"yuan": yuan}).select(
        pl.when(pl.col("yuan").str.contains(_YUAN)).then(pl.col("yuan")).cast(pl.Decimal(38, 2), strict=False) * 100
    )
    table = pl.DataFrame(
        {
            "row_no": np.arange(first_row, first_row + len(whole), dtype=np.uint32),
            "number": checked.numbers,
            "name": whole["name"].str.strip_chars(),
            "compared": names.normalise(whole["name"]),
            "phone": _unguarded(whole["phone"]),
            "family_phone": _unguarded(whole["family_phone"]),
            "card_tail": _unguarded(whole["card_tail"]),
            "division": whole["division"].str.strip_chars(),
            "group_no": _groups(whole["group_no"]),
            "amount_fen": amount.to_series().cast(pl.Int64, strict=False),
            "no_amount": ~paid,
            "started_on": dates.parse(whole["started"]),
            "due_on": dates.parse(whole["due_on"]),
            "ended_on": ended,
            # An end to come ends nothing yet, and beside an amount it is a row like any other.
            "leaves": _filled(whole["ended"]) & ~(ahead & paid),
            "ends_on": ended.zip_with(ahead, ended.clear(len(ended))),
            # A cell that is there but empty is no household; else all such people would be one.
            "household_no": whole["household_no"].str.strip_chars().replace("", None),
        }
    )
    uneven = whole[UNEVEN] if UNEVEN in whole.columns else pl.lit(value=False)
    homeless = pl.col("household_no").is_null() if by_household else pl.lit(value=False)
    no_day = _unread(whole["started"], table["started_on"]) | _unread(whole["due_on"], table["due_on"])
    no_code = pl.col("amount_fen").is_null() | pl.lit(_unread(whole["group_no"], table["group_no"]))
    fault = pl.Series(checked.fault).replace_strict(_FAULTS, default=None, return_dtype=pl.String)
    reason = (
        pl.when(uneven)
        .then(pl.lit("uneven_row"))
        .when(fault.is_not_null())
        .then(fault)
        .when(pl.col("leaves") & pl.col("ended_on").is_null())
        .then(pl.lit("impossible_date"))
        # Of whoever leaves it is enough to know who he is.
        .when(pl.col("leaves"))
        .then(None)
        .when(pl.col("compared").is_null() | pl.col("no_amount") | pl.col("division").is_null() | homeless)
        .then(pl.lit("missing_field"))
        .when(no_day)
        .then(pl.lit("impossible_date"))
        .when(~pl.col("division").str.contains(r"^[0-9]{12}$") | no_code)
        .then(pl.lit("wrong_code"))
    )
    table = table.with_columns(reason.alias("reason"))
    named = table.filter(fault.is_null() & pl.col("reason").is_not_null())["number"]
    table, codes = _first_of_each(table, seen.codes)
    households = seen.households
    if by_household:
        table, households = _one_payee_each(table, households)
    rivals = table.filter(pl.col("reason") == "second_payee").select("number", "household_no")
    taken = table.filter(pl.col("reason").is_null())
    good = taken.filter(~pl.col("leaves")).drop("reason", "no_amount", "ended_on", "leaves")
    again = table.filter(pl.col("reason") == "duplicate").select("number", "household_no", *PLACE)
    counts = {"accepted": len(taken)} | {
        row["reason"]: row["len"] for row in table.drop_nulls("reason").group_by("reason").len().to_dicts()
    }
    return JudgedRoster(
        good=pl.concat([good, citizen_id.birth_and_sex(good["number"])], how="horizontal"),
        counts=counts,
        reasons=table.drop_nulls("reason").select("row_no", "reason"),
        seen=Seen(np.union1d(seen.codes, codes), households),
        again=again,
        leaving=taken.filter("leaves").select(*_LEAVING, county=_COUNTY, ahead=_TO_COME),
        named=named,
        rivals=rivals,
    )


def _unguarded(raw: pl.Series) -> pl.Series:
    """Numbers without the mark by which a spreadsheet keeps them from being read as a formula."""
    return raw.str.strip_chars().str.replace("^'", "")


def _filled(raw: pl.Series) -> pl.Series:
    return raw.str.strip_chars().str.len_bytes().fill_null(0) > 0


def _unread(raw: pl.Series, read: pl.Series) -> pl.Series:
    """Cells in which something stands that is not understood: it must not pass for nothing."""
    return _filled(raw) & read.is_null()


def _groups(raw: pl.Series) -> pl.Series:
    """Numbers of village groups, 3, 第3组 or 三组; null where there is none."""
    text = raw.str.normalize("NFKC")
    numeral = text.str.extract(r"([一二三四五六七八九十]+)", 1)
    digits = text.str.extract(r"(\d+)", 1)
    numbers = numeral.replace_strict(_NUMERALS, default=None, return_dtype=pl.Int16)
    return pl.select(pl.when(digits.is_null()).then(numbers).otherwise(digits.cast(pl.Int16, strict=False))).to_series()


def _first_of_each(table: pl.DataFrame, seen: Array) -> tuple[pl.DataFrame, Array]:
    """Rows of people who came before become duplicates; and the codes of those who had not.

    A row that says that an enrolment has ended may be the history of one that goes on: it is nobody's duplicate.
    """
    rows = (table["reason"].is_null() & ~table["leaves"]).arg_true()
    codes = citizen_id.codes_of(table["number"].gather(rows))
    distinct, first = np.unique(codes, return_index=True)
    new = ~np.isin(distinct, seen)
    again = np.setdiff1d(np.arange(len(codes)), first[new])
    repeated = rows.gather(again)
    return table.with_columns(table["reason"].scatter(repeated, ["duplicate"] * len(repeated))), distinct[new]


def _one_payee_each(table: pl.DataFrame, known: pl.Series) -> tuple[pl.DataFrame, pl.Series]:
    """Rows of households that have their payee get a reason; and all households that have one by now."""
    good = table.filter(pl.col("reason").is_null(), ~pl.col("leaves")).select("row_no", "household_no")
    first = good.unique("household_no", keep="first", maintain_order=True)
    first = first.filter(~pl.col("household_no").is_in(known.implode()))
    again = good.join(first, on="row_no", how="anti").select("row_no", second=pl.lit("second_payee"))
    joined = table.join(again, on="row_no", how="left", maintain_order="left")
    told = joined.with_columns(pl.coalesce("reason", "second").alias("reason")).drop("second")
    return told, pl.concat([known, first["household_no"]])
