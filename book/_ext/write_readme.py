"""The README's results: `python book/_ext/write_readme.py` writes what the records say between its markers."""

import re
import sys
from pathlib import Path

import pandas as pd

from gift_lib import results
from gift_lib.errors import DataError, GiftError
from gift_lib.evidence import claims, tables
from gift_lib.files import atomic_write
from gift_lib.runs import batch, sweeps
from gift_lib.runs.published import METRICS
from gift_lib.runs.repository import ADDRESS, ROOT, forms

BETWEEN = re.compile(r"(<!-- results -->\n).*?(<!-- /results -->)", re.DOTALL)


def section(frame: pd.DataFrame) -> str:
    """The paragraphs between the markers: both orders beside the paper, or which command is missing, and the claims."""
    book = f"{forms(ADDRESS)['book']}/notebooks"
    about = (
        "Accuracy in percent, means with 95 % intervals over seeds. The two columns of a metric are measured with "
        "different models on different data: compare the order of the methods, not the levels. The pages of "
        f"[Order I]({book}/table_1.html) and [Order II]({book}/table_2.html) have differences and tests."
    )
    judged = f"{claims.headline(claims.evaluate(frame))} [Each with its verdict]({book}/claims.html)."
    parts = [*(_order(frame, order) for order in tables.MAIN), *([] if frame.empty else [about]), judged]
    parts += filter(None, [tables.age(frame)])
    return "\n\n".join(parts) + "\n"


def _order(frame: pd.DataFrame, order: str) -> str:
    table = tables.main(frame, order)
    shown = pd.DataFrame(index=table.index.rename(f"Order {order}"))
    for m in METRICS:
        shown[f"{m}, scale model"] = tables.pairs_of(table[m]["ours"], table[m]["±"])
        shown[f"{m}, paper"] = table[m]["published"].map(lambda v: "" if pd.isna(v) else f"{v:.1f}")
    here = table[METRICS[-1]]["n"] > 0
    status = tables.status(frame, tables.MAIN[order])
    marked = tables.marked(shown, frame, tables.main_sweep(frame, order))[here.to_numpy()]
    return f"{status}\n\n{tables.markdown(marked)}" if here.any() else status


def written(text: str, frame: pd.DataFrame) -> str:
    """A README with its results as the records have them; DataError without the markers."""
    if not BETWEEN.search(text):
        raise DataError("the README has no <!-- results --> ... <!-- /results -->: put the two lines back.")
    return BETWEEN.sub(lambda m: m[1] + section(frame) + m[2], text)


def main(path: Path = ROOT / "README.md", folder: Path = sweeps.RESULTS) -> int:
    """The command: write the README anew where it differs."""
    try:
        old = path.read_text(encoding="utf-8")
        new = written(old, results.load_frame(batch.standing_records(folder)))
    except GiftError as error:
        print(error, file=sys.stderr)
        return 1
    if new != old:
        with atomic_write(path) as temporary:
            temporary.write_text(new, encoding="utf-8")
    print("README.md is up to date" if new == old else "README.md was written anew")
    return 0


if __name__ == "__main__":
    sys.exit(main())
