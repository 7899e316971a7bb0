"""The same table in every form, encoding and packing reads the same; what is no table is refused in a sentence."""

import gzip
import io
import itertools
import json
import re
import zipfile
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.ingest.domain.catalogue import UNEVEN
from services.ingest.store.problems import FileTooLargeError, MissingColumnsError, UnreadableFileError
from services.ingest.store.reading import read_chunks
from services.ingest.store.unpacking import Limits
from tests.services.ingest.world import PACKINGS, csv_of, ndjson_of, parquet_of, xlsx_of, zipped

LIMITS = Limits(plain_bytes=3_000_000, ratio=200, columns=50, line_bytes=20_000, sheet_bytes=3_000_000, chunk_rows=7)
TABLE = {
    "证件号": ["341602194901011237", "34160219490101123x", " 3416 ", "", "１２３"],
    "无用": ["a", "b", "c", "d", "e"],
    "时间": ["2023-05-09", "2023年5月9日", "20230509", "2023/5/9 08:00:00", ""],
    "姓名": ["张三", "买买提·艾力", "李 四", "𠮷野", ""],
}
WANTED = {"证件号": "citizen_id", "时间": "occurred_on", "姓名": "name"}


def match(headers):
    found = {header: WANTED[header.strip()] for header in headers if header.strip() in WANTED}
    return found, [name for name in WANTED.values() if name not in found.values()]


def read(body: bytes, folder, limits: Limits = LIMITS) -> pl.DataFrame:
    path = folder / "body"
    path.write_bytes(body)
    chunks = list(read_chunks(path, folder, match, limits))
    assert all(len(chunk) == limits.chunk_rows for chunk in chunks[:-1])
    frame = pl.concat(chunks, how="diagonal") if chunks else pl.DataFrame()
    # An empty cell is empty or nothing, by the form of the file; the rules treat both alike.
    return frame.select(pl.col(name).fill_null("") for name in sorted(set(frame.columns) - {UNEVEN}))


def forms():
    text = csv_of(TABLE).decode()
    yield "csv", text.encode()
    yield "crlf", text.replace("\n", "\r\n").encode()
    yield "bom", b"\xef\xbb\xbf" + text.encode()
    yield "gb18030", text.encode("gb18030")
    yield "utf-16", text.encode("utf-16")
    yield "utf-16-be", b"\xfe\xff" + text.encode("utf-16-be")
    yield "utf-16-le without a mark", text.encode("utf-16-le")
    yield "utf-16-be without a mark", text.encode("utf-16-be")
    for name, delimiter in {"semicolon": ";", "tab": "\t", "bar": "|"}.items():
        yield name, csv_of(TABLE, delimiter).decode().encode("gb18030")
    yield "quoted", pl.DataFrame(TABLE).write_csv(quote_style="always").encode()
    yield "xlsx", xlsx_of(TABLE)
    yield "ndjson", ndjson_of(TABLE)
    yield "ndjson with a mark", b"\xef\xbb\xbf" + ndjson_of(TABLE)
    yield "parquet", parquet_of(TABLE)


@pytest.mark.parametrize("block_bytes", [1, 30, 64, 300, 100_000])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_where_a_block_ends_makes_no_difference(block_bytes, ending, tmp_path):
    lines = ["", "证件号,无用,时间,姓名", "1,x,2,三", "", " ,\t,,", "2,x", ",,", ",x,,", "3,x,4,五,六,七"]
    lines += [" 4 ,,5,", "5,x,6,末"]
    # A line of nothing is no row, nor is what a spreadsheet leaves behind the last one, however much it is.
    lines += ["", ",,,", " ,\t", *[""] * (1 << 18)]
    frame = read(ending.join(lines).encode(), tmp_path, replace(LIMITS, block_bytes=block_bytes))
    assert frame.rows() == [
        ("1", "三", "2"), ("2", "", ""), ("", "", ""), ("3", "五", "4"), (" 4 ", "", "5"), ("5", "末", "6"),
    ]  # fmt: skip


@pytest.mark.parametrize("block_bytes", [1, 30, 100_000])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_rows_with_more_or_fewer_cells_than_the_first_line_are_told(block_bytes, ending, tmp_path):
    lines = [
        "证件号,时间,姓名",
        "1,2,三",
        "1,2",
        "1,2,三,四",
        '"1,2",2,三',
        '"1\n,2",2,"三",',
        '"1""",2,三',
        "",
        '1,"2,三"',
        "1,2,三",
    ]
    path = tmp_path / "body"
    path.write_text(ending.join(lines), encoding="utf-8", newline="")
    frame = pl.concat(read_chunks(path, tmp_path, match, replace(LIMITS, block_bytes=block_bytes)))
    assert frame[UNEVEN].to_list() == [False, True, True, False, True, False, True, False]
    assert frame["citizen_id"].to_list()[3:6] == ["1,2", "1\n,2", '1"']


def test_a_chunk_of_long_cells_has_fewer_rows(tmp_path):
    columns = {"证件号": ["1" * 1000] * 40, "时间": ["2"] * 40, "姓名": ["三"] * 40}
    limits = replace(LIMITS, chunk_rows=30, chunk_bytes=10_000, block_bytes=3_000)
    for form in (csv_of(columns), parquet_of(columns), ndjson_of(columns)):
        path = tmp_path / "body"
        path.write_bytes(form)
        chunks = list(read_chunks(path, tmp_path, match, limits))
        assert sum(len(chunk) for chunk in chunks) == 40
        assert max(len(chunk) for chunk in chunks) < 20


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in forms()])
def test_every_form_reads_the_same(body, packing, tmp_path):
    expected = pl.DataFrame(TABLE).select(pl.col(header).alias(name) for header, name in WANTED.items())
    assert read(PACKINGS[packing](body), tmp_path).equals(expected.select(sorted(expected.columns)))


def test_chunks_have_the_asked_size_and_keep_the_order(tmp_path):
    many = {name: [f"{value}{row}" for row in range(100) for value in values[:1]] for name, values in TABLE.items()}
    for form in (csv_of(many), ndjson_of(many), parquet_of(many), xlsx_of(many)):
        assert read(form, tmp_path)["citizen_id"].to_list() == many["证件号"]


def test_marks_that_pair_may_hold_delimiters_lines_and_marks(tmp_path):
    body = '证件号,时间,姓名\n"1","2","a,b"\n3, "4" ,"c\nd"\n"5",6,"e""f"""\n'.encode()
    assert [row[1] for row in read(body, tmp_path).rows()] == ["a,b", "c\nd", 'e"f"']


def test_a_column_only_some_records_have_is_found(tmp_path):
    body = '{"证件号":"1","时间":"2"}\n{"证件号":3,"时间":"4","姓名":"张三"}\n'.encode()
    assert read(body, tmp_path).rows() == [("1", "", "2"), ("3", "张三", "4")]


def test_a_key_that_one_record_in_many_has_is_found_wherever_it_stands(tmp_path):
    wide = {f"k{number}": 1 for number in range(40)}
    deep = {"证件号": "1", "备注": {"姓名": "内"}, "说明": ',"姓名": 1'}
    records = [{"证件号": "1", "时间": "2", **wide}, *[deep] * 150]
    body = "\n".join(map(json.dumps, records)).encode()
    with pytest.raises(MissingColumnsError):
        read(body, tmp_path)
    path, asked = tmp_path / "body", set()

    def matching(headers):
        asked.update(headers)
        return match(headers)

    for known, key in itertools.product((WANTED, ()), ("\\u59d3\\u540d", "姓\\u540D", " 姓名 ")):
        path.write_bytes(body + f'\n{{"{key}" :"张", "晚": 1}}'.encode())
        asked.clear()
        frames = read_chunks(path, tmp_path, matching, replace(LIMITS, block_bytes=500), headers=known)
        assert pl.concat(frames)["name"].to_list()[-2:] == [None, "张"]
        # Where it is known which keys are meant, others are not even listed.
        assert ("晚" in asked) is not bool(known)


def test_cells_of_a_sheet_that_are_days_numbers_or_formulas_are_read_as_shown(tmp_path):
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out)
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, ["证件号", "时间", "姓名"])
    sheet.write_string(1, 0, "341602194901011237")
    sheet.write_datetime(1, 1, date(2023, 5, 9), book.add_format({"num_format": "yyyy-mm-dd"}))
    sheet.write_formula(1, 2, '=HYPERLINK("http://example.org","x")', value="张三")
    sheet.write_number(2, 0, 12)
    sheet.write_formula(2, 2, "=NA()", value="#N/A")
    book.close()
    assert read(out.getvalue(), tmp_path).rows() == [
        ("341602194901011237", "张三", "2023-05-09 00:00:00"),
        ("12", "", ""),
    ]


def workbook(*sheets: list[list[str]]) -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out) as book:
        for rows in sheets:
            sheet = book.add_worksheet()
            for place, row in enumerate(rows):
                sheet.write_row(place, 0, row)
    return out.getvalue()


def with_sheet(data: str, texts: str = "") -> bytes:
    """A workbook whose sheet and shared texts are written by hand."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(xlsx_of({name: ["x"] for name in WANTED}))) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for each in old.infolist():
            body = old.read(each).decode()
            if "sheet1.xml" in each.filename and "rels" not in each.filename:
                body = re.sub(
                    "(<sheetData>.*?</row>).*</sheetData>", lambda found: f"{found[1]}{data}</sheetData>", body
                )
            new.writestr(each.filename, body.replace("<si><t>x</t></si>", texts or "<si><t>x</t></si>"))
    return out.getvalue()


FAR = {
    "a cell in the last place": '<row r="600"><c r="XFD600"><v>1</v></c></row>',
    "the last row of few columns": '<row r="1048576"><c r="C1048576"><v>1</v></c></row>',
    "a namespace of its own": '<x:row xmlns:x="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><x:c r="XFD600"><x:v>1</x:v></x:c></x:row>',
    "another attribute first": '<row><c s="0" r="XFD600"><v>1</v></c></row>',
    "an empty cell is none, but what says so may lie": '<row><c r="XFD600" t="/>"><v>1</v></c></row>',
}


@pytest.mark.parametrize("case", FAR)
def test_cells_too_far_apart_are_refused_before_room_is_made_for_them(case, tmp_path):
    assert len(with_sheet(FAR[case])) < 10_000
    with pytest.raises(FileTooLargeError, match="spans too many cells"):
        read(with_sheet(FAR[case]), tmp_path)


HIDDEN = [
    "<row><c r='XFD600'><v>1</v></c></row>",
    '<row><c s=">" r="XFD600"><v>1</v></c></row>',
    '<row><c r ="XFD600"><v>1</v></c></row>',
    "<row r='1048576'><c><v>1</v></c></row>",
    '<row s=">" r="1048576"><c><v>1</v></c></row>',
]


@pytest.mark.parametrize("row", HIDDEN)
def test_a_place_that_is_hidden_is_refused(row, tmp_path):
    with pytest.raises(UnreadableFileError, match="hides the places"):
        read(with_sheet(row), tmp_path)


def test_cells_that_imply_their_places_are_read_where_they_stand(tmp_path):
    row = '<row ht="15"><c t="n"><v>1</v></c><c><v>2</v></c><c><v>3</v></c></row>'
    assert read(with_sheet(row * 2000), tmp_path).rows()[-1] == ("1", "3", "2")
    for far in ('<row r="1048576"><c><v>1</v></c></row>', row * 2000 + f"<row>{'<c/>' * 16_000}</row>"):
        with pytest.raises(FileTooLargeError, match="spans too many cells"):
            read(with_sheet(far), tmp_path)


def test_empty_cells_far_away_are_none(tmp_path):
    far = '<row r="1048576"><c r="A1048576" s="1"/><c r="XFD1048576"></c></row>'
    body = with_sheet(f'<row r="2"><c r="A2"><v>7</v></c></row>{far}')
    assert read(body, tmp_path)["citizen_id"].to_list() == ["7"]


def test_a_long_text_that_many_cells_share_is_refused_before_it_is_copied(tmp_path):
    rows = "".join(f'<row r="{row}"><c r="A{row}" t="s"><v>1</v></c></row>' for row in range(2, 1000))
    text = f"<si><t>{'1' * 30_000}</t></si>"
    with pytest.raises(FileTooLargeError, match="larger than allowed"):
        read(with_sheet(rows, text), tmp_path)
    assert len(read(with_sheet(rows.replace("<v>1", "<v>0"), text), tmp_path)) == 998


def test_a_directory_that_lies_about_sizes_is_not_believed(tmp_path):
    body = zipped(b"0" * 20_000_000, "[Content_Types].xml")
    place = body.index(b"PK\x01\x02") + 24
    lying = body[:place] + (1000).to_bytes(4, "little") + body[place + 4 :]
    with pytest.raises(FileTooLargeError):
        read(lying, tmp_path)


RECORDS, NOTES = [["证件号", "时间", "姓名"], ["1", "2", "三"]], [["填表说明"], ["请勿合并单元格"]]


@pytest.mark.parametrize("sheets", [[RECORDS, [], []], [NOTES, RECORDS], [[], RECORDS, NOTES]])
def test_the_sheet_with_the_records_is_read_wherever_it_stands(sheets, tmp_path):
    assert read(workbook(*sheets), tmp_path).rows() == [("1", "三", "2")]


def test_typed_columns_of_parquet_become_text(tmp_path):
    out = io.BytesIO()
    days = pa.array([date(2023, 5, 9)])
    pq.write_table(pa.table({"证件号": pa.array([12]), "时间": days, "姓名": pa.array(["x"]).dictionary_encode()}), out)
    assert read(out.getvalue(), tmp_path).rows() == [("12", "x", "2023-05-09")]


@pytest.mark.parametrize("zone", ["UTC", "+00:00", "-03:30", "America/New_York"])
def test_an_instant_of_parquet_is_read_as_our_clocks_show_it(zone, tmp_path):
    out = io.BytesIO()
    at = pa.array([datetime(2023, 4, 30, 17, tzinfo=UTC)], pa.timestamp("us", zone))
    pq.write_table(pa.table({"证件号": ["12"], "时间": at, "姓名": ["x"]}), out)
    assert read(out.getvalue(), tmp_path)[0, 2].startswith("2023-05-01 01:00:00")


def test_a_table_without_rows_is_read_as_such(tmp_path):
    assert read("证件号,时间,姓名\n".encode(), tmp_path).is_empty()


CSV, XLSX, PARQUET = csv_of(TABLE), xlsx_of(TABLE), parquet_of(TABLE)
LONG = "证件号,时间,姓名\n".encode()
BAD = {
    "empty": (b"", UnreadableFileError),
    "blank": (b"\r\n \n", UnreadableFileError),
    "only a BOM": (b"\xef\xbb\xbf", UnreadableFileError),
    "nuls": (b"\x00" * 5000, UnreadableFileError),
    "nul within": (CSV[:-5] + b"\x00" + CSV[-5:], UnreadableFileError),
    "other columns": (b"a,b,c\n1,2,3\n", MissingColumnsError),
    "a title above the header": ("购药明细\n".encode() + CSV, MissingColumnsError),
    "old mac lines": (CSV.replace(b"\n", b"\r"), UnreadableFileError),
    "big5": ("證件號,時間\n".encode("big5"), MissingColumnsError),
    "mixed encodings": (LONG + "1,2,张三\n".encode("gb18030") * 3, UnreadableFileError),
    "broken character at the end": (CSV + b"\xe5", UnreadableFileError),
    "random": (bytes(range(128, 256)) * 100, UnreadableFileError),
    "html": (b"<html><body>404</body></html>", MissingColumnsError),
    "xml": (b"<?xml version='1.0'?><a/>", MissingColumnsError),
    "json array": (b'[{"a":1}]', MissingColumnsError),
    "old xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 512, UnreadableFileError),
    "records on two sheets": (workbook(RECORDS, RECORDS), UnreadableFileError),
    "no sheet with records": (workbook(NOTES, []), MissingColumnsError),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj", UnreadableFileError),
    "cut xlsx": (XLSX[: len(XLSX) // 2], UnreadableFileError),
    "xlsx without a tail": (XLSX[:-100], UnreadableFileError),
    "xlsx with a hole": (XLSX[:1500] + b"\x00" * 200 + XLSX[1700:], UnreadableFileError),
    "cut parquet": (PARQUET[: len(PARQUET) // 2], UnreadableFileError),
    "parquet with a hole": (PARQUET[:8] + b"\xff" * 40 + PARQUET[48:], UnreadableFileError),
    "parquet with a header that is no text": (PARQUET.replace("证件号".encode(), b"\xff" * 9), UnreadableFileError),
    "parquet head": (b"PAR1", UnreadableFileError),
    "cut gzip": (gzip.compress(CSV)[:-20], UnreadableFileError),
    "gzip with a hole": (gzip.compress(CSV)[:40] + b"\xff\xff\xff" + gzip.compress(CSV)[43:], UnreadableFileError),
    "cut zstd": (PACKINGS["zstd"](CSV)[:-20], UnreadableFileError),
    "zstd garbage": (b"\x28\xb5\x2f\xfd" + b"\xff" * 50, UnreadableFileError),
    "cut zip": (zipped(CSV)[:-30], UnreadableFileError),
    "cut ndjson": (ndjson_of(TABLE)[:-9], UnreadableFileError),
    "ndjson with a broken line": (ndjson_of(TABLE) + b"{oops\n" + ndjson_of(TABLE), UnreadableFileError),
    "ndjson of other things": (b'{"a": 1}\n[1]\n', MissingColumnsError),
    "an open quotation mark": (LONG + b'1,"2,3\n' * 1 + b"4,5,6\n", UnreadableFileError),
    "two marks within cells that would swallow the rows between": (
        LONG + '1,2,3\n1,2,管"径\n4,5,6\n7,8,管"径\n9,9,9\n'.encode(),
        UnreadableFileError,
    ),
    "too many columns": (",".join(f"c{n}" for n in range(10_000)).encode() + b"\n", UnreadableFileError),
    "a very long line": (LONG + b"1" * 30_000, UnreadableFileError),
    "a very long header": (b"1" * 30_000 + b"\n", UnreadableFileError),
    "gzip bomb": (gzip.compress(b"\x30" * 20_000_000), FileTooLargeError),
    "zstd bomb": (PACKINGS["zstd"](b"\x30" * 20_000_000), FileTooLargeError),
    "zip bomb": (zipped(b"\x30" * 20_000_000), FileTooLargeError),
    "xlsx bomb": (zipped(b"\x30" * 20_000_000, "[Content_Types].xml"), FileTooLargeError),
    "two files in a zip": (None, UnreadableFileError),
}


def two_in_a_zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.csv", CSV)
        archive.writestr("b.csv", CSV)
    return out.getvalue()


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_read_is_refused_in_a_sentence(case, tmp_path):
    body, kind = BAD[case]
    with pytest.raises(kind) as refused:
        read(two_in_a_zip() if body is None else body, tmp_path)
    assert refused.value.detail
    assert "341602" not in refused.value.detail


def test_a_long_text_in_every_cell_of_parquet_is_refused_before_it_is_opened(tmp_path):
    out = io.BytesIO()
    cells = pa.DictionaryArray.from_arrays(pa.array([0] * 50_000, pa.int32()), pa.array(["1" * 60_000]))
    pq.write_table(pa.table(dict.fromkeys(WANTED, cells)), out)
    assert len(out.getvalue()) < 1_000_000
    with pytest.raises(UnreadableFileError, match="A cell is longer than 59999 bytes"):
        read(out.getvalue(), tmp_path, replace(LIMITS, cell_bytes=59_999))


def test_a_nested_column_of_parquet_is_refused(tmp_path):
    out = io.BytesIO()
    pq.write_table(pa.table({"证件号": [[1]], "时间": ["x"], "姓名": ["y"]}), out)
    with pytest.raises(UnreadableFileError, match="neither text nor numbers"):
        read(out.getvalue(), tmp_path)


@given(st.one_of(
    st.binary(max_size=400),
    st.builds(lambda head, tail: head + tail, st.sampled_from([b"PK\x03\x04", b"PAR1", b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"{", LONG, b"\xff\xfe", b"\xfe\xff"]),
              st.binary(max_size=300)),
    st.builds(lambda body, cut, junk: body[:cut] + junk + body[cut + len(junk):],
              st.sampled_from([CSV, XLSX, PARQUET, gzip.compress(CSV), PACKINGS["zstd"](PARQUET), zipped(CSV), ndjson_of(TABLE)]),
              st.integers(0, 3000), st.binary(min_size=1, max_size=12)),
))  # fmt: skip
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_read_or_refused(tmp_path, body):
    with suppress(UnreadableFileError, FileTooLargeError):
        read(body, tmp_path)
