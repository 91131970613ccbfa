"""Figures hold the numbers they were given, in shapes and colours that tell the regions and methods apart."""

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle
from matplotlib.text import Text

from gift_lib import metrics
from gift_lib.book import plots, theme
from gift_lib.errors import ConfigError, DataError
from gift_lib.intervals import Estimate
from gift_lib.runs.published import TITLES

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


@pytest.mark.parametrize("name", [r"$\frac{1$", "$_$", "a_b^c", "100 % <b>", "`x`|y", "two\nlines", r"\undefined"])
def test_names_are_drawn_as_they_are(name):
    """No task's or series' name is read as TeX; a figure is drawn and holds the name."""
    figures = [
        plots.heatmap(record(tasks=[name, "digits"])), plots.curves([record(tasks=[name, "digits"])]),
        plots.losses(record(tasks=[name, "digits"])), plots.lines({name: ([1, 2], [3.0, 4.0])}, xlabel=name),
        plots.points(estimates(name, "b")), plots.transfer_last(estimates(name, "gift")),
        plots.pictures(torch.zeros(1, 3, 8, 8, dtype=torch.uint8), [name]), plots.beside({name: {name: ([1], [2.0])}}),
    ]  # fmt: skip
    for figure in figures:
        assert figure._repr_png_().startswith(b"\x89PNG")
        texts = [t.get_text() for t in figure.findobj(Text)]
        assert any(name.split("\n")[0] in t for t in texts)


def estimates(*methods):
    return {
        m: {k: Estimate(60.0 + i, 1.0 if i else None, 5) for k in ("Transfer", "Avg", "Last")}
        for i, m in enumerate(methods)
    }


PARTS = {"before": {"products": 40.0, "norms": 10.0}, "now": {"products": 20.0, "norms": 30.0}}
PLOTS = {
    "heatmap": lambda **o: plots.heatmap(record(), **o),
    "curves": lambda **o: plots.curves([record("gift"), record("finetune"), record("gift", 1)], **o),
    "losses": lambda **o: plots.losses(record(), **o),
    "transfer_last": lambda **o: plots.transfer_last(estimates("gift", "zscl", "my-own"), zero_shot=62.0, **o),
    "points": lambda **o: plots.points(estimates("a", "b"), paper={"a": {"Last": 80.0}}, default="a", **o),
    "beside": lambda **o: plots.beside({t: {"a": ([1, 2], [3.0, 4.0]), "b": ([1, 2], [1.0, 2.0])} for t in "xy"}, **o),
    "lines": lambda **o: plots.lines({"gift": ([1, 2], [3.0, 4.0]), "other": ([1, 2], [1.0, 2.0])}, log=True, **o),
    "stacked": lambda **o: plots.stacked(PARTS, xlabel="ms", **o),
    "pictures": lambda **o: plots.pictures(torch.zeros(5, 3, 8, 8, dtype=torch.uint8), ["a prompt"] * 5, **o),
}


@pytest.mark.parametrize(("name", "chosen"), [*((n, "both") for n in PLOTS), ("lines", "light"), ("lines", "dark")])
def test_every_plot_draws_in_every_theme_and_fits_a_phone(name, chosen):
    figure = PLOTS[name](theme=chosen)
    assert isinstance(figure, Figure) and figure.get_figwidth() <= theme.WIDTH
    assert figure._repr_png_().startswith(b"\x89PNG")
    texts = [t for t in figure.findobj(lambda o: hasattr(o, "get_fontsize")) if t.get_text()]
    assert texts and min(t.get_fontsize() for t in texts) >= 9


@pytest.mark.parametrize("name", PLOTS)
def test_every_plot_draws_into_a_given_axis(name):
    figure = Figure(layout="constrained")
    left, right = figure.subplots(1, 2)
    assert PLOTS[name](ax=right) is figure
    assert left in figure.axes and not left.has_data()
    assert len(figure.axes) >= 2
    figure.draw_without_rendering()


def test_a_loose_axis_cannot_hold_panels():
    axis = Figure().add_axes([0, 0, 1, 1])
    with pytest.raises(ConfigError, match="outside a grid"):
        plots.curves([record()], ax=axis)


def test_style_does_not_leak():
    import matplotlib as mpl

    before = mpl.rcParams["text.color"], mpl.rcParams["font.size"]
    plots.heatmap(record(), theme="dark")
    assert (mpl.rcParams["text.color"], mpl.rcParams["font.size"]) == before
    with pytest.raises(ConfigError, match="'dark'"):
        plots.heatmap(record(), theme="darkk")


def test_heatmap_tells_the_regions_apart_by_shape_and_shows_every_number():
    r, n = record(), len(TASKS)
    ax = plots.heatmap(r).axes[0]
    discs = [p for p in ax.patches if isinstance(p, Circle)]
    frames = [p for p in ax.patches if isinstance(p, Rectangle) and not p.get_fill()]
    squares = [p for p in ax.patches if isinstance(p, Rectangle) and p.get_fill()]
    assert len(discs) == n + n * (n - 1) // 2 and len(squares) == n * (n + 1) // 2 and len(frames) == n
    shown = {(round(t.get_position()[0]), round(t.get_position()[1])): t.get_text() for t in ax.texts}
    for i, row in enumerate([r["result"]["zero_shot"], *r["result"]["R"]]):
        for j, value in enumerate(row):
            assert shown[j, i - 1] == f"{value:.0f}"
    assert ax.get_yticklabels()[0].get_text() == "zero-shot"
    assert len(plots.heatmap(r, numbers=False).axes[0].texts) == 0


def test_text_in_cells_has_contrast():
    for ax in (plots.heatmap(record(seed=s)).axes[0] for s in range(3)):
        faces = [p.get_facecolor() for p in ax.patches if p.get_fill()]
        for face, text in zip(faces, ax.texts, strict=True):
            assert contrast(face[:3], to_rgb(text.get_color())) >= 4.4


def contrast(a, b) -> float:
    low, high = sorted((theme.luminance(a), theme.luminance(b)))
    return (high + 0.05) / (low + 0.05)


def test_luminance_of_known_colours():
    assert theme.luminance((1, 1, 1)) == pytest.approx(1) and theme.luminance((0, 0, 0)) == 0
    assert contrast((1, 1, 1), to_rgb("#767676")) == pytest.approx(4.54, abs=0.01)  # WCAG's own example


def test_ink_is_readable_on_both_pages():
    """Text of the figure that serves both pages: WCAG's 4.5 on white; on the dark page as near as one grey can come."""
    ink = to_rgb(theme.THEMES["both"]["ink"])
    assert contrast(ink, (1, 1, 1)) >= 4.5 and contrast(ink, to_rgb(theme.THEMES["dark"]["paper"])) >= 3.5
    for name in ("light", "dark"):
        assert contrast(to_rgb(theme.THEMES[name]["ink"]), to_rgb(theme.THEMES[name]["paper"])) >= 7


@pytest.mark.parametrize("name", theme.METHOD_COLOURS)
def test_method_colours_show_on_light_and_dark(name):
    for paper in ("#ffffff", theme.THEMES["dark"]["paper"]):
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
        assert list(panel.lines[1].get_xdata()) == [k + 1, k + 1]


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
    panel = plots.losses(r, terms=["cd"]).axes[0]
    curves = [line for line in panel.lines if len(line.get_xdata()) == 8]
    assert [c.get_ydata().tolist() for c in curves] == [r["result"]["losses"][t]["cd"] for t in TASKS]
    for t, curve in enumerate(curves):
        assert t < curve.get_xdata()[0] < curve.get_xdata()[-1] < t + 1
    assert [label.get_text() for label in panel.get_xticklabels()] == TASKS
    assert len(plots.losses(r, terms=["cd"], smooth=3).axes[0].lines) == len(panel.lines) + len(TASKS)


def test_running_mean_is_a_mean_of_the_past():
    values = np.random.default_rng(0).random(20)
    naive = [values[max(0, k - 4) : k + 1].mean() for k in range(20)]
    assert plots._running_mean(values, 5) == pytest.approx(naive)


def test_points_are_where_the_numbers_are():
    numbers = estimates("a", "b")
    figure = plots.points(numbers, paper={"a": {"Last": 80.0}}, names=("Last",))
    ours, theirs = figure.axes
    assert [c.lines[0].get_xdata()[0] for c in ours.containers] == [60.0, 61.0]
    assert [c.lines[0].get_xdata()[0] for c in theirs.containers] == [80.0]
    assert len(ours.containers[0].lines[2]) == 0 and len(ours.containers[1].lines[2]) == 1  # one seed: no bar


def test_stacked_bars_add_up_from_the_left():
    axis = plots.stacked(PARTS).axes[0]
    assert [(b.get_x(), b.get_width()) for bars in axis.containers for b in bars] == [
        (0, 40),
        (0, 20),
        (40, 10),
        (20, 30),
    ]
    assert plots.alt_stacked(PARTS, "ms") == "before 50 ms, most of it products; now 50 ms, most of it norms."


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
        (lambda: plots.mean_record([]), "one order of tasks"),
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


def test_alt_texts_state_the_finding():
    text = plots.alt_heatmap(record())
    R = record()["result"]["R"]
    assert "GIFT over 3 tasks" in text and f"Last {metrics.last(R):.1f} %" in text
    assert "zero-shot 50.0 % in the mean, Last 60.0 %." in plots.alt_heatmap(
        {"result": {"tasks": ["a"], "R": [[60.0]], "zero_shot": [50.0]}}
    )
    assert "ZSCL has the highest Last, 61.0 ± 1.0 %" in plots.alt_transfer_last(estimates("gift", "zscl"))
    assert "no records yet" in plots.alt_transfer_last({}) and "no records yet" in plots.alt_points({})
    assert "highest for b (61.0 ± 1.0 %), lowest for a (60.0 %)" in plots.alt_points(estimates("a", "b"))


def test_trail_marks_the_chosen_point():
    points = {0.0: (70.0, 50.0), 0.5: (60.0, 65.0), 1.0: (40.0, 60.0)}
    chosen = plots.trail(points, 0.5).axes[0].lines[-1]
    assert [float(v) for v in (*chosen.get_xdata(), *chosen.get_ydata())] == [60.0, 65.0]
    with pytest.raises(ConfigError, match="no point at"):
        plots.trail(points, 0.3)
