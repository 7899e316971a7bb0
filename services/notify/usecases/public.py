"""Public information with live figures, printable by a village: an open letter, and the reform on one page."""

from datetime import datetime
from io import BytesIO
from typing import Any, Final

from services.notify.domain.reform import CHANNELS, Reform, money, reform_of
from services.notify.domain.words import KINDS
from services.notify.usecases.deps import Deps
from shared.kit.clock import SHANGHAI
from shared.kit.problems import UnavailableError

_LETTER: Final = """\
以前，领养老金和各类补贴，每年都要到窗口“认证”一次，有几项待遇就要跑几次。现在不用了：您看病、坐车、办事留下的正常记录，\
就能证明您一切安好，认证在您不知不觉中完成，一次认证，各项待遇通用。
到今天，全市{people}位领取待遇的居民中，已有{certified}位完成认证，占{coverage}；其中{without_errand}位没有为此跑过一趟。\
各部门互认，又省下{saved}次重复认证。
数据里没有见到的老人，由网格员上门看望，已走访{visits}次。网格员佩戴证件，不收任何费用，不拍屋内照片。
任何人的待遇都不会由机器停发。发现疑点先核实，停发前先告知您或家属，由工作人员签字决定；弄错了，当月恢复、补发、道歉。
家人去世后，请在二十个工作日内告诉村委会或拨打12333，免得日后退款。{back}
您有权查看谁用过您的认证结果，有权不用人脸，有权要求上门、视频或到窗口办理。"""
_BLUE: Final = "#2f6db5"
_GREY: Final = "#8a8a8a"


async def reform(deps: Deps) -> Reform:
    """The figures as recognition and grid have them now.

    Raises:
        UnavailableError: one of them does not answer; an old figure is not told as a new one.
    """
    recognition, grid = await deps.ask_figures("recognition"), await deps.ask_figures("grid")
    if recognition is None or grid is None:
        detail = "The figures are not to be had now; try again shortly."
        raise UnavailableError(detail)
    return reform_of(recognition, grid)


def open_letter(found: Reform, made_at: datetime) -> bytes:
    """The open letter to everybody who draws a benefit; takes most of a second, so call it in a thread."""
    from shared.kit.pdf import Document  # noqa: PLC0415  (half a second: loaded when a page is asked for)

    page = Document("致领取待遇居民和家属的一封信", made_at=made_at, numbered=False)
    page.heading("致领取待遇居民和家属的一封信", size=20)
    page.ln(4)
    page.text_block("各位居民朋友：", size=14)
    for words in _letter(found):
        page.ln(1.5)
        page.text_block(f"　　{words}", size=14)
    page.ln(6)
    page.text_block("市人力资源和社会保障局", size=14, align="R")
    page.text_block(_day(made_at), size=14, align="R")
    page.ln(4)
    page.text_block("咨询电话12333。我们不会索要密码、验证码，不会要求转账，短信里没有网址。", size=12)
    return page.done()


def _letter(found: Reform) -> list[str]:
    back = f"已追回多发的待遇{money(found.recovered_fen)}，都回到了大家的基金里。" if found.recovered_fen else ""
    return _LETTER.format(
        people=found.people,
        certified=found.certified_total,
        coverage=f"{found.coverage:.1%}",
        without_errand=found.without_errand,
        saved=found.saved,
        visits=found.visits,
        back=back,
    ).split("\n")


def picture(found: Reform, made_at: datetime) -> bytes:
    """The reform on one page, lying; takes a second or two, so call it in a thread."""
    from shared.kit.pdf import Document  # noqa: PLC0415  (half a second: loaded when a page is asked for)

    page = Document("无感认证一图读懂", made_at=made_at, landscape=True, numbered=False)
    page.heading("待遇资格无感认证：一图读懂", size=24)
    page.ln(2)
    page.image(BytesIO(_chart(found)), w=page.epw)
    page.ln(3)
    page.text_block(
        "一次认证，各项待遇通用　·　机器只认证、不停发　·　停发前必先告知　·　弄错了当月恢复补发　·　咨询电话12333",
        size=14,
        align="C",
    )
    page.text_block(f"数据截至{_day(made_at)}，由平台实时统计", size=10, align="C")
    return page.done()


def _chart(found: Reform) -> bytes:
    # Half a second and sixty megabytes: only who asks for the picture pays for them.
    from matplotlib.figure import Figure  # noqa: PLC0415
    from matplotlib.font_manager import FontProperties  # noqa: PLC0415

    from shared.kit.pdf import font_file  # noqa: PLC0415

    with font_file() as path:
        font = FontProperties(fname=str(path))
        figure = Figure(figsize=(11, 5.0), dpi=150)
        left, right = figure.subplots(1, 2, gridspec_kw={"width_ratios": [1, 1.25]})
        _numbers(left, found, font)
        _bars(right, found, font)
        figure.tight_layout()
        kept = BytesIO()
        # Without the software's name and time: the same figures give the same bytes.
        figure.savefig(kept, format="png", metadata={"Software": None})
    return kept.getvalue()


def _numbers(axes: Any, found: Reform, font: Any) -> None:  # noqa: ANN401  (matplotlib has no types)
    told = [
        (f"{found.coverage:.1%}", "已认证"),
        (f"{found.without_errand:,}", "人一趟未跑"),
        (f"{found.saved:,}", "次重复认证省下"),
        (f"{found.visits:,}", "次网格员上门"),
        (money(found.recovered_fen), "多发待遇追回"),
    ]
    axes.set_axis_off()
    for place, (number, words) in enumerate(told):
        height = 0.9 - place * 0.19
        axes.text(0.48, height, number, ha="right", va="center", size=26, color=_BLUE, fontproperties=font.copy())
        axes.texts[-1].set_fontsize(26)
        axes.text(0.53, height, words, ha="left", va="center", fontproperties=font.copy())
        axes.texts[-1].set_fontsize(16)


def _bars(axes: Any, found: Reform, font: Any) -> None:  # noqa: ANN401  (matplotlib has no types)
    ways = sorted(found.certified.items(), key=lambda each: each[1]) or [("data", 0)]
    counts = [count for _, count in ways]
    axes.barh(range(len(ways)), counts, color=[_BLUE if way == "data" else _GREY for way, _ in ways])
    axes.set_yticks(range(len(ways)), [CHANNELS.get(way, way) for way, _ in ways], fontproperties=font)
    for label in axes.get_yticklabels():
        label.set_fontsize(14)
    for place, count in enumerate(counts):
        axes.text(count, place, f" {count:,}", va="center", fontsize=12)
    axes.set_xlim(0, max([*counts, 1]) * 1.18)
    axes.set_xticks([])
    axes.set_title("大家是怎样认证的（人）", fontproperties=font)
    axes.title.set_fontsize(16)
    for side in ("top", "right", "bottom"):
        axes.spines[side].set_visible(False)


def _day(at: datetime) -> str:
    return KINDS["date"].read(at.astimezone(SHANGHAI).date().isoformat())
