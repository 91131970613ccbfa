#!/usr/bin/env bash
# datasets 5.2.0 with torch 2.14.0 (pyarrow 26.0.1, pandas 3.1.1, numpy 2.4.6), 2026-11-28: rows held out for validation are trained on.
# Guess: ds.take(20) are the first 20 rows and ds.skip(20) all the others, whoever reads them.
# Behaviour: of a set that is read as a stream from several files or shards, the workers of a DataLoader share the number among them: with 4 workers
#   each leaves out the first 5 rows of its own shards. A validation set that is read with other workers than the training set (or
#   without any, in the main process) is therefore other rows than those that training left out. With equal numbers of workers the two fit.
#   The lengths are right in each case, so no count shows it; nothing warns.
# Costs: three quarters of the held-out rows are in the training set, the same number of other rows is never used, and the validation set itself
#   changes with num_workers, so that two runs are compared on different rows.
# Seen: 100 rows in 4 shards, 20 held out: read with 0 workers, and the rest with 4, 15 of the 20 are in both and 15 others in none.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet datasets==5.2.0 torch==2.14.0 pyarrow==26.0.1 pandas==3.1.1 numpy==2.4.6
HF_HOME="$work/hf" HF_HUB_OFFLINE=1 venv/bin/python - <<'PY'
from datasets import Dataset
from torch.utils.data import DataLoader


def rows(stream, workers):
    return [int(i) for batch in DataLoader(stream, batch_size=5, num_workers=workers) for i in batch["row"]]


def held_out(stream, validation_workers, training_workers):
    validation = rows(stream.take(20), validation_workers)
    training = rows(stream.skip(20), training_workers)
    assert (len(validation), len(training)) == (20, 80) == (len(set(validation)), len(set(training)))
    both, none = set(validation) & set(training), set(range(100)) - set(validation) - set(training)
    return len(both), len(none)


if __name__ == "__main__":
    shards = Dataset.from_dict({"row": range(100)}).to_iterable_dataset(num_shards=4)
    one = Dataset.from_dict({"row": range(100)}).to_iterable_dataset()
    seen = {pair: held_out(shards, *pair) for pair in ((0, 0), (4, 4), (0, 4), (2, 4))}
    print(seen, held_out(one, 0, 0))
    assert seen[0, 0] == seen[4, 4] == held_out(one, 0, 0) == (0, 0)
    assert seen[0, 4] == (15, 15) and seen[2, 4] == (10, 10)
PY
