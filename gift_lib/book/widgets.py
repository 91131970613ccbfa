"""Controls to look with: ipywidgets where a kernel runs, HTML that needs neither kernel nor network on a built page.

A control is a few axes (guidance scale, denoising steps) and a function that draws what stands at each point.
Live, the function is called for what is chosen. On a page (`GIFT_STATIC` is set while the book is built) all
points are drawn beforehand, and `control.js` shows the chosen one. The explorer of matrices has nothing to draw:
it is the same HTML in both.
"""

import base64
import html
import io
import itertools
import json
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from IPython.display import HTML, Markdown, display
from jaxtyping import UInt8
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from gift_lib import metrics
from gift_lib.book import plots, theme
from gift_lib.config import Experiment
from gift_lib.errors import ConfigError, DataError
from gift_lib.evidence import tables
from gift_lib.files import digest
from gift_lib.pool import concepts_of, prompt_stream
from gift_lib.runs import published
from gift_lib.tasks import Task

SCRIPT, STYLE = (Path(__file__).with_name(f"control.{end}") for end in ("js", "css"))


@dataclass(frozen=True)
class Frame:
    """What stands at one point of a control: HTML to look at, and a sentence that says what it shows."""

    html: str
    text: str


def on_page() -> bool:
    """Whether the book is being built."""
    return bool(os.environ.get("GIFT_STATIC"))


def live() -> bool:
    """Whether a kernel will be there to answer: not while the book is built, and not without ipywidgets."""
    if on_page():
        return False
    try:
        import ipywidgets  # noqa: F401
    except ImportError:
        return False
    return True


def control(axes: Mapping[str, Sequence], draw: Callable[..., Frame], start: Sequence = ()) -> Any:
    """Sliders over `axes`, {name: values}, above the frame that `draw(*values)` gives; `start` is chosen at first."""
    start = tuple(start) or tuple(values[0] for values in axes.values())
    if len(start) != len(axes) or any(s not in v for s, v in zip(start, axes.values(), strict=True)):
        raise ConfigError(f"a control over {', '.join(axes)} cannot start at {start}: name one value of each.")
    return _live(axes, draw, start) if live() else HTML(_page(axes, draw, start))


def _live(axes: Mapping[str, Sequence], draw: Callable[..., Frame], start: Sequence) -> Any:
    import ipywidgets

    def show(**chosen: Any) -> None:
        frame = draw(*(chosen[name] for name in axes))
        display(HTML(f"{_style()}{frame.html}<p>{html.escape(frame.text)}</p>"))

    look = {"continuous_update": False, "style": {"description_width": "initial"}}
    sliders = {
        name: ipywidgets.SelectionSlider(options=list(values), value=at, description=name, **look)
        for (name, values), at in zip(axes.items(), start, strict=True)
    }
    return ipywidgets.interactive(show, **sliders)


def _page(axes: Mapping[str, Sequence], draw: Callable[..., Frame], start: Sequence) -> str:
    sliders = "".join(_slider(name, values, at) for (name, values), at in zip(axes.items(), start, strict=True))
    frames = "".join(_frame(axes, draw(*point), point, point == start) for point in itertools.product(*axes.values()))
    return box("frames", " and ".join(axes), f"{sliders}", f'<div aria-live="polite">{frames}</div>')


def _slider(name: str, values: Sequence, start: Any) -> str:
    at, text = list(values).index(start), html.escape(str(start), quote=True)
    every = html.escape(json.dumps([str(v) for v in values]), quote=True)
    attributes = f'min="0" max="{len(values) - 1}" value="{at}" data-values="{every}" aria-valuetext="{text}"'
    return f'<label>{html.escape(name)} <output>{text}</output><input type="range" {attributes}></label>'


def _frame(axes: Mapping[str, Sequence], frame: Frame, point: Sequence, shown: bool) -> str:
    key = " ".join(str(list(values).index(at)) for values, at in zip(axes.values(), point, strict=True))
    hidden = "" if shown else " hidden"
    return f'<div data-frame="{key}"{hidden}>{frame.html}<p class="gift-said">{html.escape(frame.text)}</p></div>'


def box(kind: str, name: str, controls: str, content: str) -> str:
    """A group of controls, hidden until the script is there to obey them, above their content."""
    inner = f'<div class="gift-controls" hidden>{controls}</div>{content}'
    key = digest(inner.encode(), 8)
    label = html.escape(name, quote=True)
    opening = f'<div class="gift-control" id="gift-{key}" data-kind="{kind}" role="group" aria-label="{label}">'
    return f"{_style()}{opening}{inner}</div><script>{SCRIPT.read_text(encoding='utf-8')}</script>"


def _style() -> str:
    """How controls look, where no page of the book around them says so."""
    return "" if on_page() else f"<style>{STYLE.read_text(encoding='utf-8')}</style>"


def picture(figure: Figure, alt: str) -> str:
    """A figure as an HTML image that brings its own bytes."""
    figure.savefig(buffer := io.BytesIO(), format="png")
    return _img(buffer.getvalue(), "png", alt, "gift-figure")


def strip(pixels: UInt8[Tensor, "n 3 h w"], alt: str, columns: int = 4, gap: int = 2) -> str:
    """Small pictures in a grid as one HTML image, enlarged by the browser without smoothing."""
    n, _, h, w = pixels.shape
    rows = -(-n // columns)
    sheet = np.zeros((rows * (h + gap) - gap, columns * (w + gap) - gap, 4), dtype=np.uint8)
    for k, one in enumerate(pixels.numpy()):
        y, x = (k // columns) * (h + gap), (k % columns) * (w + gap)
        sheet[y : y + h, x : x + w, :3] = np.moveaxis(one, 0, -1)
        sheet[y : y + h, x : x + w, 3] = 255
    Image.fromarray(sheet).save(buffer := io.BytesIO(), format="webp", lossless=True)  # a fifth less than PNG
    return _img(buffer.getvalue(), "webp", alt, "gift-strip")


def _img(content: bytes, form: str, alt: str, kind: str) -> str:
    data = base64.b64encode(content).decode()
    return f'<img class="{kind}" alt="{html.escape(alt, quote=True)}" src="data:image/{form};base64,{data}">'


MEAN = "mean"


def explorer(frame: pd.DataFrame, made_up: Mapping | None = None, scale: str = "mini") -> Any:
    """R of every method, order and seed of Tables 1 and 2 that has a record, and of `made_up` (a record's result).

    Only what has a record can be chosen. One can also pick a metric and see which cells it averages.
    """
    runs = explorer_runs(frame, scale)
    if made_up is not None:
        runs = [_run("made up", "none", "none", made_up), *runs]
    runs.sort(key=lambda run: run["method"] != published.title("gift"))  # what is shown at first
    if not runs:
        return Markdown(" ".join(tables.status(frame, name, scale) for name in tables.MAIN.values()))
    return HTML(_explorer(runs))


def explorer_runs(frame: pd.DataFrame, scale: str = "mini") -> list[dict[str, Any]]:
    """One entry per record of Tables 1 and 2, each row's mean over seeds before its seeds."""
    runs = []
    for order in tables.MAIN:
        sweep = tables.main_sweep(frame, order, scale)
        colour = {c.variant: theme.colour(c.experiment.method) for c in sweep.cells}
        for variant, found in tables.by_variant(frame, sweep).items():
            if len(found) > 1:
                mean = plots.mean_record(list(found.values()))["result"]
                runs.append(_run(variant, order, f"{MEAN} of {len(found)}", mean, colour[variant]))
            runs += [_run(variant, order, str(seed), r["result"], colour[variant]) for seed, r in found.items()]
    return runs


def _run(method: str, order: str, seed: str, result: Mapping, colour: str = "#7d7d7d") -> dict[str, Any]:
    """One matrix with its numbers, as the page's script reads it."""
    R = metrics.matrix(result["R"])
    return {
        "method": method, "order": order, "seed": seed, "colour": colour, "tasks": list(result["tasks"]),
        "zero": np.round(result["zero_shot"], 1).tolist(), "R": np.round(R, 1).tolist(),
        "numbers": {name: round(f(R), 1) for name, f in metrics.METRICS.items()},
    }  # fmt: skip


def _explorer(runs: Sequence[Mapping]) -> str:
    shades = [mpl.colormaps["viridis"](k / 20) for k in range(21)]
    inks = ["#000000" if theme.luminance(shade[:3]) > 0.18 else "#ffffff" for shade in shades]
    data = {"runs": runs, "colours": [to_hex(shade) for shade in shades], "inks": inks}
    data = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    choices = "".join(f"<label>{name} <select data-choice='{name}'></select></label>" for name in CHOICES)
    content = '<div class="gift-shown" aria-live="polite"></div>'
    content += f'<script type="application/json">{data}</script>'
    return box("explorer", "accuracy matrices", choices, content)


#: What the explorer lets one choose.
CHOICES = ("method", "order", "seed", "cells of")


def pool_growth(e: Experiment, tasks: Sequence[Task], shown: int = 10) -> Any:
    """A slider over the tasks: the names that the pool holds before each, and the first prompts sampled from them."""
    drawn = list(prompt_stream(e, tasks))
    if len(drawn) != len(tasks):
        raise DataError(f"{len(drawn)} lists of prompts for {len(tasks)} tasks: give the experiment's own tasks.")
    concepts = len(concepts_of(e))
    owner = {p: task.name for task in tasks for p in task.prompts()}

    def draw(before: str) -> Frame:
        t = int(before.split()[0]) - 1
        sizes = {task.name: len(task.classes) for task in tasks[:t]}
        names = Counter(owner.get(p, "") for p in drawn[t])
        past = 100 * (1 - names[""] / len(drawn[t]))
        text = f"Before task {t + 1} ({tasks[t].name}): {concepts} concepts and {sum(sizes.values())} classes of {t} "
        text += f"finished tasks; {past:.0f} % of {len(drawn[t])} prompts name a past class."
        return Frame(_pool_html(concepts, sizes, drawn[t][:shown], owner), text)

    places = [f"{t + 1} {task.name}" for t, task in enumerate(tasks)]
    return control({"before task": places}, draw, places[len(places) // 2 :][:1])


def _pool_html(concepts: int, sizes: Mapping[str, int], prompts: Sequence[str], owner: Mapping[str, str]) -> str:
    """A bar with one part per source of names, and prompts with the source of each."""
    total = concepts + sum(sizes.values())
    parts = [f'<span class="gift-concepts" style="flex:{concepts}">{concepts} concepts</span>']
    parts += [
        f'<span style="flex:{n}" title="{html.escape(name)}: {n} of {total}">{html.escape(name)}</span>'
        for name, n in sizes.items()
    ]
    lines = [f"<li>{html.escape(p)} <em>{html.escape(owner.get(p, 'concept'))}</em></li>" for p in prompts]
    return f'<div class="gift-pool">{"".join(parts)}</div><ol class="gift-prompts">{"".join(lines)}</ol>'
