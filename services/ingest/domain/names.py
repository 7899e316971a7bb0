"""Names as they are compared: without spaces, points and forms of writing, so that only a different name differs."""

import polars as pl

# Forms of one character that clerks and old systems write for another; a small table of common ones.
_VARIANTS = {
    "·": "", "•": "", "・": "", ".": "", "．": "", "‧": "", "㛃": "洁", "䶮": "龑",
    "喆": "哲", "峯": "峰", "昇": "升", "陞": "升", "囯": "国", "國": "国", "華": "华", "蘭": "兰",
    "鳳": "凤", "龍": "龙", "劉": "刘", "張": "张", "陳": "陈", "馬": "马", "楊": "杨", "趙": "赵",
    "吳": "吴", "孫": "孙", "鄭": "郑", "馮": "冯", "蔣": "蒋", "韓": "韩", "蕭": "萧", "肖": "萧",
    "閆": "闫", "閻": "闫", "阎": "闫", "邱": "丘", "葉": "叶", "羅": "罗", "鍾": "钟", "鐘": "钟",
}  # fmt: skip


def normalise(raw: pl.Series) -> pl.Series:
    """Names for comparison; null and empty stay null."""
    text = raw.cast(pl.String).str.replace_all(r"\s|\u3000|\u00a0", "").str.to_uppercase()
    text = text.str.replace_many(list(_VARIANTS), list(_VARIANTS.values()))
    return pl.select(pl.when(text.str.len_bytes() > 0).then(text)).to_series()
