"""What the book's pages share: a function's source as it stands, and what the records say."""

import inspect
from collections.abc import Callable

import pandas as pd
from IPython.display import Code, Markdown

from gift_lib import results, tables
from gift_lib.repository import records_folder


def source(function: Callable) -> Code:
    """The source of a function of the library, as it stands in this version, highlighted."""
    return Code(inspect.getsource(inspect.unwrap(function)), language="python")


def records() -> pd.DataFrame:
    """All records of this book, one row per run."""
    return results.load_frame(records_folder())


def evidence(sweep: str, scale: str = "mini") -> Markdown:
    """A sweep's table, or how many of its runs have no record yet and the command that makes them."""
    frame = records()
    lines = [tables.status(frame, sweep, scale)]
    if any(tables.by_variant(frame, tables.sweeps.load(sweep, scale)).values()):
        lines.append(tables.markdown(tables.pretty(tables.ablation(frame, sweep, scale))))
    return Markdown("\n\n".join(lines))
