#!/usr/bin/env bash
# fastparquet 2026.9.0, pyarrow 26.0.1, polars 2.1.0 (pandas 3.1.1), 2026-11-27: durations longer than a day.
# Guess: a timedelta column written by one Parquet engine of pandas is read as durations by the other, and by polars.
# Behaviour: fastparquet stores it as a time of day. Its own reader gives durations, the others a time: polars null for
#   everything of a day or longer, without a word; pyarrow raises only when the values are looked at.
#   In the other direction pyarrow's durations reach fastparquet as plain nanoseconds, int64.
# Seen: polars time [00:01:37.500000, None]; pyarrow time64; fastparquet of pyarrow's file int64.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet pandas==3.1.1 fastparquet==2026.9.0 pyarrow==26.0.1 polars==2.1.0
venv/bin/python - <<'PY'
import pandas as pd
import polars as pl
import pyarrow.parquet as pq

frame = pd.DataFrame({"wall": pd.to_timedelta([97.5, 200000.25], unit="s")})
frame.to_parquet("fast.parquet", engine="fastparquet")
frame.to_parquet("arrow.parquet", engine="pyarrow")
seen = pl.read_parquet("fast.parquet")["wall"]
kind = pq.read_schema("fast.parquet").field("wall").type
back = pd.read_parquet("arrow.parquet", engine="fastparquet")["wall"]
print(seen.dtype, seen.to_list(), kind, back.dtype, back.tolist())
assert pd.read_parquet("fast.parquet", engine="fastparquet").equals(frame)
assert seen.dtype == pl.Time and seen.to_list()[1] is None
assert str(kind).startswith("time64")
assert back.tolist() == [97500000000, 200000250000000] and back.dtype == "int64"
PY
