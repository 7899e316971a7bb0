"""Names and phone numbers: common surnames and given-name characters, drawn together at random; nobody is meant."""

import numpy as np
import polars as pl

from deploy.demo.city.citizen_ids import from_bytes

_SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈"
    "钟姜崔谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛闫段雷龙黎史陶贺毛郝顾龚邵万覃武钱戴严莫孔向汤代怀支亓祖"
)
_MALE_OLD = "国建华文德明福金玉永志家学春长正世庆云海兴树生光荣发义成天新保根胜军龙山林有全喜忠祥"
_FEMALE_OLD = "秀桂英玉兰凤珍芳素美花荣梅香莲翠爱春云月红菊淑金霞侠琴巧芝娥枝文贞霜瑞银彩俊丽华敏"
_MALE_YOUNG = "伟强磊军勇杰涛超明刚平辉鹏飞波斌浩宇俊峰旭子轩昊睿博文凯龙毅晨阳振东亮坤航翔恒"
_FEMALE_YOUNG = "芳娜敏静丽艳娟霞燕玲婷雪慧莹倩蕾颖佳欣怡梦洁雨璐琳晓萍红梅丹云月思涵悦诗语嘉琪"
_OLD_BEFORE = -3_000
"""Birth day number (days since 1970) before which names follow the older fashion: about 1961."""
_ONE_CHARACTER = 0.16
_MOBILE = np.array(
    [135, 136, 137, 138, 139, 150, 151, 152, 158, 159, 182, 183, 187, 188, 130, 131, 132, 155, 186, 133, 153, 189, 199]
)


def make_names(rng: np.random.Generator, born: np.ndarray, male: np.ndarray) -> pl.Series:
    """A name for each person, in the fashion of the years of birth."""
    count = len(born)
    ranks = np.arange(1, len(_SURNAMES) + 1)
    surname = rng.choice(len(_SURNAMES), size=count, p=(1 / ranks**0.85) / (1 / ranks**0.85).sum())
    fashions = (_FEMALE_YOUNG, _FEMALE_OLD, _MALE_YOUNG, _MALE_OLD)
    starts = np.cumsum([0, *(len(characters) for characters in fashions)])
    sizes = np.diff(starts)
    fashion = male.astype(np.int8) * 2 + (born < _OLD_BEFORE)
    given = [starts[fashion] + (rng.random(count) ** 1.3 * sizes[fashion]).astype(np.int64) for _ in range(2)]
    characters = pl.Series(["", *"".join(fashions)])
    second = np.where(rng.random(count) < _ONE_CHARACTER, 0, given[1] + 1)
    return pl.Series(list(_SURNAMES))[surname] + characters[given[0] + 1] + characters[second]


def rename(rng: np.random.Generator, name: pl.Series) -> pl.Series:
    """Names with the same surname and another given name."""
    given = list(_MALE_YOUNG + _FEMALE_YOUNG)
    first, second = (rng.integers(0, len(given), len(name)) for _ in range(2))
    return name.str.head(1) + pl.Series(given).gather(first) + pl.Series(given).gather(second)


def make_phones(rng: np.random.Generator, count: int) -> pl.Series:
    """Mobile numbers of eleven digits."""
    digits = np.empty((count, 11), dtype=np.uint8)
    heads = _MOBILE[rng.integers(0, len(_MOBILE), count)]
    tails = rng.integers(0, 100_000_000, count)
    for place in range(3):
        digits[:, 2 - place] = heads // 10**place % 10
    for place in range(8):
        digits[:, 10 - place] = tails // 10**place % 10
    return from_bytes(digits + ord("0"))
