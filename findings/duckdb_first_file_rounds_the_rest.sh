#!/usr/bin/env bash
# duckdb 2.0.1 with polars 2.1.0 (pandas 3.1.1, pyarrow 26.0.1, numpy 2.4.6), 2026-11-28: one run with accuracy 1 rounds the others.
# Expected: of two Parquet files read by a pattern, one with whole numbers and one with floats, the column is DOUBLE, or there is an error.
# Behaviour: the type is that of the file whose name comes first, and the others are cast to it: 0.7 is 1, 2.5 is 2, and after a boolean 0.7
#  is true. A filter on the column then misses the row. The same runs as CSV or JSON lines become DOUBLE, the file of floats first
#  as well; polars and pyarrow refuse the pair. A pandas column of kind object is judged by some 1000 of its rows: [1, 0.5, 1, 0.5, ...]
#  is right with 1000 rows, INTEGER with 2000, where its half becomes 0.
# Costs: the first run of a sweep that ends with accuracy 1, loss 0 or a patience of 5 turns a table of means into a table of rounded ones.
# Seen: [(1,), (1,)] from Parquet, below 0.9: none; [(1.0,), (0.7,)] from CSV and JSON; means of the objects 0.75 and 0.5.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet duckdb==2.0.1 polars==2.1.0 pandas==3.1.1 pyarrow==26.0.1 numpy==2.4.6
venv/bin/python - <<'PY'
import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset

for name, value in (("run1", 1), ("run2", 0.7)):
    run = pl.DataFrame({"acc": [value]})
    run.write_parquet(f"{name}.parquet")
    run.write_csv(f"{name}.csv")
    run.write_ndjson(f"{name}.jsonl")
seen = {kind: duckdb.sql(f"select acc from 'run?.{kind}' order by filename").fetchall() for kind in ("parquet", "csv", "jsonl")}
below = duckdb.sql("select acc from 'run?.parquet' where acc < 0.9").fetchall()
alone = duckdb.sql("select acc from 'run2.parquet' where acc < 0.9").fetchall()
turned = duckdb.sql("select acc from read_parquet(['run2.parquet', 'run1.parquet'])").fetchall()
refused = []
for read in (lambda: pl.scan_parquet("run?.parquet").collect(),
             lambda: pyarrow.dataset.dataset(["run1.parquet", "run2.parquet"]).to_table()):
    try:
        read()
    except (pl.exceptions.SchemaError, pa.ArrowInvalid) as error:
        refused.append(type(error).__name__)
means = []
for rows in (1000, 2000):
    frame = pd.DataFrame({"acc": pd.Series([1, 0.5] * (rows // 2), dtype=object)})
    means.append(duckdb.sql("select avg(acc) from frame").fetchall()[0][0])
print(seen, below, alone, turned, refused, means)
assert seen["parquet"] == [(1,), (1,)] and seen["csv"] == seen["jsonl"] == [(1.0,), (0.7,)]
assert below == [] and alone == [(0.7,)] and turned == [(0.7,), (1.0,)]
assert refused == ["SchemaError", "ArrowInvalid"] and means == [0.75, 0.5]
PY
