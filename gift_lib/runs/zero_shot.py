"""The pre-trained model's accuracy on every task of a scale, beside the published row: what to check first.

`python -m gift_lib.runs.zero_shot --scale paper --device cuda`, or `make zero-shot SCALE=paper DEVICE=cuda`.
"""

import argparse
import sys

import pandas as pd
from tqdm.auto import tqdm

from gift_lib import data
from gift_lib.config import SCALES, Experiment, experiment
from gift_lib.errors import DataError, GiftError
from gift_lib.evaluation import accuracy
from gift_lib.runs import published
from gift_lib.training import LOCAL, Runtime, build_method


def zero_shot(e: Experiment, runtime: Runtime = LOCAL) -> pd.Series:
    """Zero-shot test accuracy in percent by task, in the experiment's order, through the same `predict` as ever."""
    e = e.replace(method="zero-shot", method_options={})
    tasks = data.load_tasks(e, runtime.data_dir, runtime.cache_dir)
    method = build_method(e, runtime, len(tasks))
    method.model.eval()
    bar = tqdm(tasks, desc="zero-shot", leave=False, disable=not runtime.progress)
    return pd.Series({t.name: accuracy(method, t, t.test) for t in bar}, name="zero-shot")


def beside_published(ours: pd.Series) -> pd.DataFrame:
    """Our row, the published one for the data sets that have one, and the difference; means at the end."""
    table = pd.DataFrame({"ours": ours, "published": pd.Series(published_row()).reindex(ours.index)})
    table.loc["mean"] = table.mean(skipna=False)
    return table.assign(difference=table["ours"] - table["published"]).round(1)


def at_hand() -> bool:
    """Whether the published numbers are here: they come with a clone, not with the library alone (Colab)."""
    try:
        return bool(published_row())
    except DataError as error:
        print(f"Ours alone: {error}", file=sys.stderr)
        return False


def published_row() -> dict[str, float]:
    """The published zero-shot accuracies of OpenAI's ViT-B/16 by data set."""
    rows = published.rows("per-dataset")
    rows = rows[rows["method"] == "zero-shot"]
    return dict(zip(rows["dataset"], rows["Last"], strict=True))


def main(arguments: list[str] | None = None) -> int:
    """The command; a GiftError is one line and exit status 2."""
    parser = argparse.ArgumentParser(prog="python -m gift_lib.runs.zero_shot", description=__doc__.splitlines()[0])
    parser.add_argument("--scale", choices=sorted(SCALES), default="mini")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--data", help="folder of the data sets (real scales)")
    args = parser.parse_args(arguments)
    try:
        found = zero_shot(experiment(args.scale), Runtime(device=args.device, data_dir=args.data))
        print((found.round(1) if args.scale == "mini" or not at_hand() else beside_published(found)).to_string())
    except GiftError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
