"""PDF pages: Chinese text is inside, and the same content gives the same bytes."""

from datetime import UTC, datetime

from shared.kit.pdf import Document

AT = datetime(2023, 11, 1, 2, 0, tzinfo=UTC)


def made(rows: int = 60) -> bytes:
    document = Document("样张", made_at=AT, landscape=True)
    document.heading("待遇领取资格核查月报表")
    document.text_block("直、骨、角、门:简体字形。" * 8)
    document.grid(
        ("村居", "状态"), [(f"白布社区{row}", "已锁定") for row in range(rows)], (3, 1), colours=[(255, 235, 156)]
    )
    return document.done()


def test_a_long_table_goes_on_over_pages_and_the_same_content_is_the_same_file():
    # One test, since loading the font takes longer than anything done with it.
    first, second = made(), made()
    assert first == second
    assert first.startswith(b"%PDF-")
    assert first.count(b"/Type /Page\n") >= 3
    assert b"+NotoSansCJK" in first
    assert len(first) < 200_000, "the font belongs into the file as a subset"
    document = Document("样张", made_at=AT)
    lines = document._broken("一二三四五六七八九十、" * 20 + "\n完").split("\n")
    assert "".join(lines) == "一二三四五六七八九十、" * 20 + "完"
    assert not [line for line in lines if line.startswith("、")]
    assert all(document.get_string_width(line) <= document.epw for line in lines)
    document.done()  # closes the font's file
