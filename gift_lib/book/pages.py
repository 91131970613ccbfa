"""What the book's pages share: a function's source as it stands, and what the records say."""

import functools
import inspect
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import yaml
from IPython.display import Code, Markdown
from matplotlib.figure import Figure

from gift_lib import results
from gift_lib.book import findings
from gift_lib.book.openings import CONTRASTS, box, contrasts
from gift_lib.evidence import claims, tables
from gift_lib.files import expanded
from gift_lib.intervals import Estimate
from gift_lib.runs import batch, sweeps
from gift_lib.runs import published as paper
from gift_lib.runs.repository import book_folder, records_folders


def source(function: Callable) -> Code:
    """The source of a function of the library, as it stands in this version, highlighted."""
    return Code(inspect.getsource(inspect.unwrap(function)), language="python")


def records(folder: str | Path | None = None) -> pd.DataFrame:
    """The records that stand, one row per run; of another world or other weights they count as missing.

    They are this book's own, or those of a folder. Read again only where a file has changed: a page asks often.
    """
    folders = tuple(map(expanded, [folder] if folder else records_folders()))
    files = sorted(path for f in folders for path in f.rglob("*.json"))
    return _frame(folders, tuple((path, path.stat().st_mtime_ns, path.stat().st_size) for path in files)).copy()


@functools.lru_cache(maxsize=2)
def _frame(folders: tuple[Path, ...], _: tuple) -> pd.DataFrame:
    return results.load_frame(batch.standing_records(*folders))


def age(frame: pd.DataFrame | None = None) -> Markdown | None:
    """One line where records of a frame (of all, without one) are of an older version of the numerics; else nothing."""
    said = tables.age(records() if frame is None else frame)
    return Markdown(said) if said else None


def evidence(sweep: str, scale: str = "mini", folder: str | Path | None = None) -> Markdown:
    """A sweep's table, or how many of its runs have no record yet and the command that makes them.

    `sweep` is its name or the path of its file, `folder` where its records are (the book's own by default).
    """
    frame, loaded = records(folder), sweeps.load(sweep, scale)
    lines = [tables.status(frame, sweep, scale)]
    if any(tables.by_variant(frame, loaded).values()):
        lines += _two(tables.ablation(frame, sweep, scale), frame, loaded)
    return Markdown("\n\n".join(lines))


def _two(table: pd.DataFrame, frame: pd.DataFrame, sweep: sweeps.Sweep) -> list[str]:
    """Levels, then differences with their tests (one table of both is wider than a screen), then the records' age."""
    shown = tables.marked(tables.pretty(table), frame, sweep)
    parts = [part.rename(columns={"published": "paper"}, level=1) for part in tables.halves(shown)]
    printed = paper.load()
    stands = sorted(set(printed["where"][printed["table"] == sweep.paper]))
    beside = f"Published: [{'; '.join(stands)}]({findings.SLIDES})." if stands else ""
    return [*(typeset(tables.markdown(part)) for part in parts), *filter(None, [beside, tables.age(frame, sweep)])]


def typeset(text: str) -> str:
    """Numbers with a true minus, and not torn from their intervals; names may end in a full stop of their own."""
    return re.sub(r"(?<=[ (>])-(?=\d)", "\u2212", text).replace(" ± ", "\u00a0±\u00a0").replace(".*.", ".*")


def table(order: str, scale: str = "mini") -> Markdown:
    """Table 1 (Order I) or 2 (Order II): how complete it is, then published beside ours, differences and tests."""
    frame = records()
    table, sweep = tables.main(frame, order, scale), tables.main_sweep(frame, order, scale)
    return Markdown("\n\n".join([tables.status(frame, tables.MAIN[order], scale), *_two(table, frame, sweep)]))


def per_task(sweep: str, metric: str, scale: str = "mini") -> Markdown:
    """A metric per task of every row of a sweep that has records, means over seeds."""
    frame = records()
    found = tables.per_task(frame, sweeps.load(sweep, scale), metric)
    if not found.shape[1]:
        return _missing(frame, sweep, scale)
    shown = found.dropna(how="all").map(tables.one)
    shown = shown.T if len(shown) < 5 else shown  # tasks are many: few rows are columns, which a phone shows
    return Markdown(tables.markdown(shown.rename_axis(f"{metric} (%)")))


def per_task_points(sweep: str, metric: str, scale: str = "mini") -> Figure | Markdown:
    """`per_task` as a figure: how many points each setting lies above or below the default in each task."""
    from gift_lib.book import plots

    frame, loaded = records(), sweeps.load(sweep, scale)
    found, default = tables.per_task(frame, loaded, metric), tables.default_variant(loaded)
    others = [v for v in found.dropna(how="all").index if v != default]
    if default not in found.index or not others:
        return _missing(frame, sweep, scale)
    above = (found - found.loc[default]).loc[others].drop(columns="mean").rename_axis(index="of", columns="number")
    return plots.dots(above.stack().rename("value").reset_index().astype({"number": str}))


def tiles(sweep: str, metric: str, scale: str = "mini") -> Figure | Markdown:
    """`per_task` as tiles: points above the untouched model, the best row first."""
    from gift_lib.book import tiles

    frame = records()
    found = tables.gains(frame, sweeps.load(sweep, scale), metric)
    return tiles.gains(found, metric) if found.notna().any(axis=None) else _missing(frame, sweep, scale)


def folded(title: str, *texts: str | Markdown) -> Markdown:
    """Markdown below a title that unfolds it."""
    said = "\n\n".join(typeset(t.data if isinstance(t, Markdown) else t) for t in texts)
    return Markdown(f"<details><summary>{title}</summary>\n\n{said}\n\n</details>")


def per_task_difference(sweep: str, a: str, b: str, metric: str, scale: str = "mini") -> Markdown:
    """Two rows of a sweep task by task, and in how many tasks they clearly differ."""
    frame = records()
    found = tables.per_task_difference(frame, sweeps.load(sweep, scale), a, b, metric)
    if not len(found):
        return _missing(frame, sweep, scale)
    delta = tables.pairs_of(found["Δ"], found["Δ ±"], sign=True)
    shown = found[[a, b]].map(tables.one).assign(Δ=delta, p=found["p"].map(tables.p_text)).rename_axis(f"{metric} (%)")
    return Markdown(typeset(f"{tables.markdown(shown)}\n\n{findings.tasks(found, metric)}"))


def ranking(order: str, scale: str = "mini") -> Markdown:
    """Where the order of methods differs from the paper's, in words."""
    said = "\n\n".join(findings.ranking(frame := records(), order, scale))
    return Markdown(typeset(said)) if said else _missing(frame, tables.MAIN[order], scale)


def finding(sweep: str, scale: str = "mini") -> Markdown:
    """What came out of a sweep, how sure, and what it contradicts: the box at the head of its page."""
    return Markdown(typeset(str(box(records(), sweep, scale))))


def result(sweep: str, scale: str = "mini") -> Markdown:
    """The first sentence of a page's box, as the first item of its summary."""
    return Markdown(f"- {typeset(box(records(), sweep, scale).lead)}")


def claimed(part: str, scale: str = "mini") -> Markdown:
    """The claims on a part that are not the slides', each with its verdict and what that hangs on."""
    mine = [c for c in claims.own() if c.part == part]
    judged = claims.evaluate(records(), scale, mine)
    return Markdown(
        typeset("\n".join(f"- {j.claim.text} **{j.verdict.capitalize()}.** {findings.reason(j)}" for j in judged))
    )


def readings(sweep: str, scale: str = "mini") -> Markdown:
    """What a sweep's settings tell: of the texts of `book/data/readings.yml` those that the records bear out."""
    of = yaml.safe_load((book_folder() / "data" / "readings.yml").read_text(encoding="utf-8"))[sweep]
    said = "\n".join(findings.readings(frame := records(), sweep, of, scale))
    return Markdown(typeset(said)) if said else _missing(frame, sweep, scale)


def pairs(sweep: str, scale: str = "mini") -> Markdown:
    """The pairs of settings that a page asks about, a row each: points with the 95 % interval over shared seeds."""
    frame, loaded = records(), sweeps.load(sweep, scale)
    if not (found := findings.compared(frame, loaded, findings.question(sweep)["pairs"])):
        return _missing(frame, sweep, scale)
    texts = pd.Series({(f"{c.first} less {c.second}", c.metric): findings.signed(c.ours) for c in found})
    table = texts.unstack(sort=False).fillna("").rename_axis("difference")
    return Markdown(typeset(f"{tables.markdown(table)}\n\n{findings.within(found)}"))


def matrix(sweep: str, variant: str, scale: str = "mini") -> Figure | Markdown:
    """The mean accuracy matrix of a row of a sweep."""
    from gift_lib.book import plots  # what draws is imported where something is drawn

    frame = records()
    found = tables.by_variant(frame, sweeps.load(sweep, scale))[variant]
    return plots.heatmap(plots.mean_record(list(found.values()))) if found else _missing(frame, sweep, scale)


def points(sweep: str, scale: str = "mini") -> Figure | Markdown:
    """A sweep's differences (to its default, or its contrasts) beside the published; its means where it has neither."""
    from gift_lib.book import forest, plots

    frame, loaded = records(), sweeps.load(sweep, scale)
    numbers = tables.long(frame, loaded)
    if numbers["value"].isna().all():
        return _missing(frame, sweep, scale)
    if found := contrasts(frame, CONTRASTS.get(sweep, ()), scale):
        return forest.draw(forest.of(found))
    return forest.draw(forest.rows(frame, scale, sweep)) if tables.default_variant(loaded) else plots.points(numbers)


def curve(sweep: str, setting: str, xlabel: str, scale: str = "mini") -> Figure | Markdown:
    """Each metric over the one setting, a number, in which a sweep's variants differ: means, and bands over seeds."""
    from gift_lib.book import plots

    frame, loaded = records(), sweeps.load(sweep, scale)
    at = {c.variant: float(getattr(c.experiment, setting)) for c in loaded.cells}
    numbers = tables.long(frame, loaded).dropna().sort_values("setting", key=lambda s: s.map(at), kind="stable")
    if numbers.empty:
        return _missing(frame, sweep, scale)
    series = {m: (own["setting"].map(at), own["value"]) for m, own in numbers.groupby("metric", sort=False)}
    return plots.lines(series, xlabel=xlabel, ylabel="accuracy (%)", log=True)


def transfer_last(order: str, scale: str = "mini") -> Figure | Markdown:
    """Transfer against Last for every method of Table 1 or 2 that has records, and below as published."""
    from gift_lib.book import plots

    frame = records()
    sweep = tables.main_sweep(frame, order, scale)
    title = {c.variant: c.experiment.method for c in sweep.cells}
    numbers = {title[v]: row for v, row in tables.estimates(frame, sweep).items() if row["Last"]}
    printed = {k: {m: Estimate(row[m], None, 1) for m in paper.METRICS} for k, row in paper.main(order).iterrows()}
    return plots.transfer_last(numbers, printed) if numbers else _missing(frame, tables.MAIN[order], scale)


#: Transfer, Avg and Last of runs made on the page.
scores = findings.scores


def _missing(frame: pd.DataFrame, sweep: str, scale: str) -> Markdown:
    return Markdown(tables.status(frame, sweep, scale))
