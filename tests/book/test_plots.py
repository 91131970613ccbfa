"""Figures hold the numbers they were given, in shapes and colours that tell the regions and methods apart."""

import re

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle
from matplotlib.text import Text

from gift_lib import intervals, metrics
from gift_lib.book import plots, theme
from gift_lib.errors import ConfigError, DataError
from gift_lib.intervals import Estimate
from gift_lib.runs.published import TITLES
from gift_lib.runs.repository import ROOT

TASKS = ["silhouettes", "digits", "flowers"]


def record(method="gift", seed=0, tasks=TASKS):
    rng = np.random.default_rng(seed)
    n = len(tasks)
    losses = {t: {"ce": rng.random(8).tolist(), "cd": rng.random(8).tolist()} for t in tasks}
    return {
        "config": {"method": method, "seed": seed},
        "result": {
            "tasks": list(tasks),
            "R": rng.uniform(20, 95, (n, n)).tolist(),
            "zero_shot": rng.uniform(20, 60, n).tolist(),
            "losses": losses,
        },
    }


NAMES = [r"$\frac{1$", "$_$", "a_b^c", "100 % <b>", "`x`|y", "two\nlines", r"\undefined"]


def test_names_are_drawn_as_they_are():
    """No task's or series' name is read as TeX; a figure is drawn and holds the names."""
    numbers = dict.fromkeys(NAMES, ([1, 2], [3.0, 4.0]))
    figures = [
        plots.heatmap(record(tasks=NAMES)), plots.curves([record(tasks=NAMES)]), plots.losses(record(tasks=NAMES)),
        plots.points(values(*NAMES)), plots.transfer_last(estimates(*NAMES)),
        plots.beside(dict.fromkeys(NAMES, numbers)), plots.pictures(torch.zeros(7, 3, 8, 8, dtype=torch.uint8), NAMES),
    ]  # fmt: skip
    for figure in figures:
        assert figure._repr_png_().startswith(b"\x89PNG")
        texts = [t.get_text() for t in figure.findobj(Text)]
        assert all(any(name.split("\n")[0] in t for t in texts) for name in NAMES)


def estimates(*methods):
    return {
        m: {k: Estimate(60.0 + i, 1.0 if i else None, 5) for k in ("Transfer", "Avg", "Last")}
        for i, m in enumerate(methods)
    }


def values(*settings, seeds=3, names=("Transfer", "Last")):
    """A frame like `tables.long`: setting k has 60 + k - 1, ... in the mean 60 + k."""
    rows = [
        (s, m, 60.0 + k + d)
        for k, s in enumerate(settings)
        for m in names
        for d in range(-(seeds // 2), seeds // 2 + 1)
    ]
    return pd.DataFrame(rows, columns=["setting", "metric", "value"])


PARTS = {"before": {"products": 40.0, "norms": 10.0}, "now": {"products": 20.0, "norms": 30.0}}
PLOTS = {
    "heatmap": lambda: plots.heatmap(record()),
    "curves": lambda: plots.curves([record("gift"), record("finetune"), record("gift", 1)]),
    "losses": lambda: plots.losses(record()),
    "transfer_last": lambda: plots.transfer_last(estimates("gift", "zscl", "my-own")),
    "points": lambda: plots.points(values("a", "b")),
    "beside": lambda: plots.beside({t: {"a": ([1, 2], [3.0, 4.0]), "b": ([1, 2], [1.0, 2.0])} for t in "xy"}),
    "lines": lambda: plots.lines({"gift": ([1, 2], [3.0, 4.0]), "other": ([1, 2], [1.0, 2.0])}, log=True),
    "stacked": lambda: plots.stacked(PARTS, xlabel="ms"),
    "pictures": lambda: plots.pictures(torch.zeros(5, 3, 8, 8, dtype=torch.uint8), ["a prompt"] * 5),
}


@pytest.mark.parametrize("name", PLOTS)
def test_every_plot_fits_a_phone_and_stays_out_of_pyplots_hands(name):
    import matplotlib.pyplot as plt

    figure = PLOTS[name]()
    assert isinstance(figure, Figure) and figure.get_figwidth() <= theme.WIDTH and plt.get_fignums() == []
    assert figure._repr_png_().startswith(b"\x89PNG")
    texts = [t for t in figure.findobj(lambda o: hasattr(o, "get_fontsize")) if t.get_text()]
    assert texts and min(t.get_fontsize() for t in texts) >= 9


def test_style_does_not_leak():
    import matplotlib as mpl

    before = mpl.rcParams["text.color"], mpl.rcParams["font.size"]
    plots.heatmap(record())
    assert (mpl.rcParams["text.color"], mpl.rcParams["font.size"]) == before


def test_heatmap_tells_the_regions_apart_by_shape_and_shows_every_number():
    r, n = record(), len(TASKS)
    ax = plots.heatmap(r).axes[0]
    discs = [p for p in ax.patches if isinstance(p, Circle)]
    squares = [p for p in ax.patches if isinstance(p, Rectangle)]
    frames = [p for p in squares if to_hex(p.get_edgecolor()) == "#d55e00"]
    assert len(discs) == n + n * (n - 1) // 2 and len(squares) == n * (n + 1) // 2 and len(frames) == n
    shown = {(round(t.get_position()[0]), round(t.get_position()[1])): t.get_text() for t in ax.texts}
    for i, row in enumerate([r["result"]["zero_shot"], *r["result"]["R"]]):
        for j, value in enumerate(row):
            assert shown[j, i - 1] == f"{value:.0f}"
    assert ax.get_yticklabels()[0].get_text() == "zero-shot"


def test_text_in_cells_has_contrast():
    for ax in (plots.heatmap(record(seed=s)).axes[0] for s in range(3)):
        faces = [p.get_facecolor() for p in ax.patches if p.get_fill()]
        for face, text in zip(faces, ax.texts, strict=True):
            assert contrast(face[:3], to_rgb(text.get_color())) >= 4.4


def contrast(a, b) -> float:
    low, high = sorted((theme.luminance(a), theme.luminance(b)))
    return (high + 0.05) / (low + 0.05)


def test_transfer_and_last_are_shown_as_published_below():
    printed = {"gift": {"Transfer": Estimate(69.3, None, 1), "Last": Estimate(86.0, None, 1)}}
    figure = plots.transfer_last(estimates("gift", "zscl"), printed)
    assert [a.get_title() for a in figure.axes] == ["here", "published"]
    assert [(m.get_xdata()[0], m.get_ydata()[0]) for m in figure.axes[1].lines if len(m.get_xdata())] == [(69.3, 86.0)]
    assert [[t.get_text() for t in a.texts] for a in figure.axes] == [["ZSCL", "GIFT"], ["GIFT"]] and not figure.legends


def test_a_name_beside_its_point_hides_nothing_and_one_without_room_stands_in_the_legend():
    figure = plots.transfer_last(
        {m: estimates("gift")["gift"] for m in theme.METHOD_COLOURS} | estimates("gift", "zscl")
    )
    (ax,) = figure.axes
    beside, below = [t.get_text() for t in ax.texts], [t.get_text() for t in figure.legends[0].get_texts()]
    assert sorted(beside + below) == sorted(p.get_label() for p in ax.get_legend_handles_labels()[0])
    boxes = [t.get_window_extent() for t in ax.texts]
    assert len(below) > 3 and not any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[:k])


def test_luminance_of_known_colours():
    assert theme.luminance((1, 1, 1)) == pytest.approx(1) and theme.luminance((0, 0, 0)) == 0
    assert contrast((1, 1, 1), to_rgb("#767676")) == pytest.approx(4.54, abs=0.01)  # WCAG's own example


def test_ink_is_readable_on_both_pages():
    """WCAG's 4.5 on white, and on what dark pages lay under a figure."""
    css = (ROOT / "book" / "static" / "gift.css").read_text(encoding="utf-8")
    (below,) = re.findall(r'html\[data-theme="dark"\] [^{}]*img\.gift-figure \{ background-color: (#\w+);', css)
    for paper in ("#ffffff", below):
        assert contrast(to_rgb(theme.INK), to_rgb(paper)) >= 4.5
    assert contrast(to_rgb(theme.INK), to_rgb(DARK)) >= 3.5, "a figure outside a cell"


#: The page of the dark theme.
DARK = "#14181e"


@pytest.mark.parametrize("name", theme.METHOD_COLOURS)
def test_method_colours_show_on_light_and_dark(name):
    for paper in ("#ffffff", DARK):
        assert contrast(to_rgb(theme.colour(name)), to_rgb(paper)) >= 3


def test_methods_have_their_own_colour_and_marker():
    assert list(theme.METHOD_COLOURS) and set(theme.METHOD_COLOURS) == set(TITLES)
    assert len(set(theme.METHOD_COLOURS.values())) == len(set(theme.METHOD_MARKERS.values())) == len(TITLES)
    assert theme.colour("my-own") == theme.colour("my-own") in theme.SERIES_COLOURS


#: Machado et al. 2009, severity 1, on linear RGB.
VISION = {
    "normal": np.eye(3),
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
}


@pytest.mark.parametrize("vision", VISION)
def test_gift_stands_out_for_everybody(vision):
    def seen(name):
        c = np.array(to_rgb(theme.colour(name)))
        linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
        return oklab(np.clip(VISION[vision] @ linear, 0, 1))

    others = [m for m in theme.METHOD_COLOURS if m != "gift"]
    assert min(np.linalg.norm(seen("gift") - seen(m)) for m in others) > 0.06


def oklab(rgb):
    lms = np.array([[0.41222, 0.53633, 0.05145], [0.2119, 0.6807, 0.1074], [0.0883, 0.28172, 0.62998]]) @ rgb
    return np.array([[0.21045, 0.79362, -0.00407], [1.978, -2.42859, 0.45059], [0.0259, 0.78277, -0.80868]]) @ np.cbrt(
        lms
    )


def test_curves_average_seeds_and_start_at_zero_shot():
    runs = [record("gift", 0), record("gift", 1)]
    figure = plots.curves(runs)
    for k, name in enumerate(TASKS):
        panel = next(a for a in figure.axes if a.get_title() == name)
        y = panel.lines[0].get_ydata()
        assert y[0] == pytest.approx(np.mean([r["result"]["zero_shot"][k] for r in runs]))
        assert y[1:] == pytest.approx(np.mean([np.array(r["result"]["R"])[:, k] for r in runs], axis=0))
        assert [k + 1, k + 1] in [list(line.get_xdata()) for line in panel.lines]


def test_a_band_is_the_t_interval_over_seeds():
    runs = [record("gift", s) for s in range(4)]
    panel = next(a for a in plots.curves(runs).axes if a.get_title() == TASKS[1])
    (band,) = panel.collections
    ends = band.get_paths()[0].vertices
    for trained, row in enumerate(["zero_shot", 0, 1, 2]):
        found = [r["result"]["zero_shot"][1] if row == "zero_shot" else r["result"]["R"][row][1] for r in runs]
        e = intervals.interval(found)
        at = sorted({round(y, 6) for x, y in ends if x == trained})
        assert (at[0], at[-1]) == (pytest.approx(e.low), pytest.approx(e.high))
    (none,) = plots.curves(runs[:1]).axes[0].collections
    assert not none.get_paths(), "one seed: no band"


def test_a_line_over_lists_of_seeds_has_a_band():
    (panel,) = plots.lines({"gift": ([1, 2], [[3.0, 5.0], [4.0, 8.0]]), "other": ([1, 2], [1.0, 2.0])}).axes
    assert panel.lines[0].get_ydata().tolist() == [4.0, 6.0] and panel.lines[1].get_ydata().tolist() == [1.0, 2.0]
    ends = panel.collections[0].get_paths()[0].vertices[:, 1]
    e = intervals.interval([4.0, 8.0])
    assert (ends.min(), ends.max()) == (pytest.approx(e.low), pytest.approx(e.high))


def test_mean_record():
    runs = [record("gift", s) for s in range(3)]
    mean = plots.mean_record(runs)
    assert metrics.last(mean["result"]["R"]) == pytest.approx(np.mean([metrics.last(r["result"]["R"]) for r in runs]))


def test_losses_follow_the_order_of_training_though_files_sort_by_name():
    r = record()
    r["result"]["losses"] = dict(sorted(r["result"]["losses"].items(), reverse=True))
    shown = plots.losses(r).axes[-1]
    assert [t.get_text() for t in shown.get_xticklabels()] == TASKS
    assert [a.get_ylabel() for a in plots.losses(r).axes] == ["CE", "CD"]


def test_losses_run_through_the_tasks():
    r = record()
    panel = plots.losses(r).axes[1]
    curves = [line for line in panel.lines if len(line.get_xdata()) == 8]
    assert [c.get_ydata().tolist() for c in curves] == [r["result"]["losses"][t]["cd"] for t in TASKS]
    for t, curve in enumerate(curves):
        assert t < curve.get_xdata()[0] < curve.get_xdata()[-1] < t + 1
    assert [label.get_text() for label in panel.get_xticklabels()] == TASKS


def test_smoothed_losses_are_means_of_the_past_of_their_task():
    r = record()
    lines = [line for line in plots.losses(r, smooth=5).axes[1].lines if len(line.get_xdata()) == 8]
    for line, task in zip(lines, TASKS, strict=True):
        own = np.array(r["result"]["losses"][task]["cd"])
        assert line.get_ydata() == pytest.approx([own[max(0, k - 4) : k + 1].mean() for k in range(8)])


def test_points_are_where_the_numbers_are():
    figure = plots.points(values("a", "b"))
    assert [a.get_xlabel() for a in figure.axes] == ["Transfer (%)", "Last (%)"]
    panel = figure.axes[0]
    assert [t.get_text() for t in panel.get_yticklabels()] == ["a", "b"]
    means = [line for line in panel.lines if line.get_marker() == "o"]
    assert [float(x) for line in means for x in line.get_xdata()] == [60.0, 61.0]
    e = intervals.interval([59.0, 60.0, 61.0])
    spans = {(round(min(x), 6), round(max(x), 6)) for line in panel.lines if len(x := line.get_xdata()) > 2}
    assert (round(e.low, 6), round(e.high, 6)) in spans
    assert sorted(np.concatenate([c.get_offsets()[:, 0] for c in panel.collections])) == [59, 60, 60, 61, 61, 62]


def test_a_setting_without_a_value_keeps_its_place():
    frame = pd.concat([values("a"), pd.DataFrame({"setting": ["b"] * 2, "metric": ["Transfer", "Last"]})])
    panel = plots.points(frame).axes[0]
    assert [t.get_text() for t in panel.get_yticklabels()] == ["a", "b"]


def test_dots_stand_at_their_values_in_the_panel_of_their_order():
    lines = [("gain", "I", "published", 0.7), ("gain", "I", "world 1", 0.4), ("lost", "I", "published", -0.1),
             ("gain", "II", "world 1", 0.2)]  # fmt: skip
    figure = plots.dots(pd.DataFrame(lines, columns=["number", "order", "of", "value"]))
    one, two = figure.axes
    assert [p.get_title() for p in (one, two)] == ["Order I", "Order II"]
    places = {tuple(xy) for c in one.collections for xy in np.round(c.get_offsets().data, 3).tolist()}
    assert places == {(0.7, 0.0), (0.4, 0.0), (-0.1, 1.0)}
    assert [t.get_text() for t in one.get_yticklabels()] == ["gain", "lost"]
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["published", "world 1"]


def test_stacked_bars_add_up_from_the_left():
    axis = plots.stacked(PARTS).axes[0]
    assert [(b.get_x(), b.get_width()) for bars in axis.containers for b in bars] == [
        (0, 40),
        (0, 20),
        (40, 10),
        (20, 30),
    ]
    many = plots.stacked({"a": {f"part {k}": 1.0 for k in range(8)}}).axes[0]
    assert [bars[0].get_hatch() for bars in many.containers] == [None] * 6 + ["///"] * 2


def test_pictures_take_a_synthetic_set():
    class Store:
        pixels = torch.arange(6 * 3 * 4 * 4, dtype=torch.uint8).reshape(6, 3, 4, 4)

        def __len__(self):
            return 6

        def batch(self, index):
            return self.pixels[index]

    class Set:
        prompts, images = tuple(f"p{k}" for k in range(6)), Store()

    axes = plots.pictures(Set(), limit=3, columns=2).axes
    assert [t.get_text() for a in axes for t in a.texts] == ["p0", "p1", "p2"]
    assert np.array_equal(axes[2].images[0].get_array(), Store.pixels[2].permute(1, 2, 0).numpy())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plots.curves([]), "no record"),
        (lambda: plots.curves([record(), record("zscl", tasks=TASKS[::-1])]), "one order of tasks"),
        (lambda: plots.mean_record([]), "no record"),
        (lambda: plots.heatmap({"result": {"tasks": TASKS}}), "run its experiment again"),
        (lambda: plots.heatmap({"result": {**record()["result"], "zero_shot": [1.0]}}), "1 zero-shot"),
        (lambda: plots.losses({"result": {"losses": {}}}), "trains nothing"),
        (lambda: plots.pictures(torch.zeros(2, 8, 8)), "bytes of shape"),
        (lambda: plots.pictures(torch.zeros(2, 3, 8, 8)), "bytes of shape"),
    ],
)
def test_bad_input_gives_one_clear_error(call, message):
    with pytest.raises(DataError, match=message):
        call()


def test_the_alt_text_states_the_finding():
    text = plots.alt_heatmap(record())
    R = record()["result"]["R"]
    assert "GIFT over 3 tasks" in text and f"Last {metrics.last(R):.1f} %" in text
    assert "zero-shot 50.0 % in the mean, Last 60.0 %." in plots.alt_heatmap(
        {"result": {"tasks": ["a"], "R": [[60.0]], "zero_shot": [50.0]}}
    )


def test_trail_marks_the_chosen_point():
    points = {0.0: (70.0, 50.0), 0.5: (60.0, 65.0), 1.0: (40.0, 60.0)}
    chosen = plots.trail(points, 0.5).axes[0].lines[-1]
    assert [float(v) for v in (*chosen.get_xdata(), *chosen.get_ydata())] == [60.0, 65.0]
    with pytest.raises(ConfigError, match="no point at"):
        plots.trail(points, 0.3)
