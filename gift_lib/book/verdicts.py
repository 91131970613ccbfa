"""Claims as a forest: a line per claim, coloured by its verdict, to filter and to unfold; HTML that needs no kernel."""

import html
import math
from collections.abc import Sequence

from gift_lib.book import findings, pages, widgets
from gift_lib.evidence.claims import Comparison, Judged, count, details

#: Where the axis has its ticks, in points. It is linear about 0 and logarithmic further out.
TICKS = (-20, -5, -1, 0, 1, 5, 20)


def place(points: float) -> float:
    """Where a difference stands on the axis: percent of its width from the left, at most the ends."""
    x = math.copysign(math.log1p(abs(points)) / math.log1p(1.5 * TICKS[-1]), points)
    return round(50 + 50 * max(-1.0, min(1.0, x)), 2)


def forest(judged: Sequence[Judged]) -> str:
    """All claims as HTML: filters by verdict and part, then for each its line, and on a click all its comparisons."""
    boxes = "".join(
        f'<label><input type="checkbox" checked data-verdict="{v}"> {v} ({n})</label>'
        for v, n in count(judged).items() if n
    )  # fmt: skip
    parts = ["all parts", *dict.fromkeys(html.escape(j.claim.part) for j in judged)]
    chosen = "".join(f"<option>{p}</option>" for p in parts)
    ticks = "".join(f'<span style="left:{place(t)}%">{t:{"+d" if t else "d"}}</span>' for t in TICKS)
    head = f'<div class="gift-axis"><span class="gift-ticks">{ticks}</span></div>'
    rows = "".join(map(_row, judged))
    controls = f'{boxes}<label>part <select>{chosen}</select></label><output aria-live="polite"></output>'
    return pages.typeset(widgets.box("claims", "claims", controls, f"{head}<ol>{rows}</ol>"))


def _row(j: Judged) -> str:
    late = " <em>Written after its records.</em>" if j.claim.after_records else ""
    said = f"{html.escape(j.claim.text)}{late} <small>({html.escape(j.claim.where)})</small>"
    here = f" Here: {html.escape(j.claim.here)}." if j.claim.here else ""
    table = details(j).reset_index().to_html(index=False, border=0)
    return (
        f'<li data-verdict="{j.verdict}" data-part="{html.escape(j.claim.part)}"><details><summary>'
        f"<span><strong>{j.verdict}</strong> {said}</span>{_line(j)}</summary>"
        f"<p>{_code(findings.reason(j))} It stands on {_slide(j.claim.where)}.{here}</p>"
        f'<div class="gift-scroll" tabindex="0">{table}</div></details></li>'
    )


def _slide(where: str) -> str:
    """A slide's number that leads to the slides' entry: the page of the book, or in a notebook its source."""
    address = findings.SLIDES.replace(".md", ".html") if widgets.on_page() else findings.SLIDES
    return f'<a href="{address}">{html.escape(where)}</a>'


def _code(text: str) -> str:
    """Text whose commands stand between backticks, as HTML."""
    parts = html.escape(text).split("`")
    return "".join(f"<code>{p}</code>" if k % 2 else p for k, p in enumerate(parts))


def _line(j: Judged) -> str:
    """The comparison that the verdict hangs on: the claimed side, our interval, the published difference."""
    o = j.deciding
    shift = o.comparison.margin if o.comparison.test == "above" else 0.0
    left, right = (place(x) for x in _claimed(o.comparison))
    drawn = [f'<rect x="{left}%" width="{right - left:.2f}%" height="100%"></rect>']
    drawn.append('<line x1="50%" x2="50%" y2="100%"></line>')
    if o.effect:
        ends = (o.effect.low, o.effect.high) if o.effect.low is not None else (o.effect.mean, o.effect.mean)
        low, high = (place(x - shift) for x in ends)
        drawn.append(f'<line class="gift-interval" x1="{low}%" x2="{high}%" y1="50%" y2="50%"></line>')
        drawn.append(f'<circle cx="{place(o.effect.mean - shift)}%" cy="50%" r="4.5"></circle>')
    if o.paper is not None:
        drawn.append(f'<text x="{place(o.paper - shift)}%" y="50%">\u25c7</text>')
    return f'<svg role="img" aria-label="{html.escape(findings.reason(j).replace("`", ""))}">{"".join(drawn)}</svg>'


def _claimed(c: Comparison) -> tuple[float, float]:
    """The differences for which a comparison passes; for "above" they are counted from its limit."""
    end = math.inf
    return {"higher": (c.margin, end), "above": (0.0, end), "lower": (-end, -c.margin),
            "not lower": (-c.margin, end), "equal": (-c.margin, c.margin)}[c.test]  # fmt: skip
