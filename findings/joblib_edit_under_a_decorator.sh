#!/usr/bin/env bash
# joblib 1.6.0 (numpy 2.4.6), 2026-11-28: an evaluation that was corrected still gives the old number, when it has a decorator.
# Guess: after an edit of the body of a function under @memory.cache the next run computes anew, as Memory does for a plain function.
# Behaviour: with any wrapping decorator between @memory.cache and the function the edit is not seen. Memory compares the source that the code object
#  of what it is given points to (func_inspect.get_func_code): that is the wrapper, the same few lines for every function and every version of
#  it, in numpy's file for np.errstate. The folder of the cache has the wrapped function's name, so that nothing looks amiss; no warning.
# Costs: evaluation and feature functions are those that wear decorators (np.errstate here; a timer, no_grad and the like wrap in the same way):
#  a bug is mended, the run is repeated, and yesterday's accuracy is reported as the mended one.
# Seen: after the edit 0.75 plain; 0.5, the old result, under np.errstate and under a four-line timer.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet joblib==1.6.0 numpy==2.4.6
cat >timing.py <<'PY'
import functools


def timed(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*args)

    return wrapper
PY
venv/bin/python -W error - <<'PY'
import pathlib
import subprocess
import sys

SOURCE = """
import joblib, numpy as np
from timing import timed
memory = joblib.Memory("{cache}", verbose=0)

@memory.cache
{decorator}
def accuracy(right, wrong):
    return {body}

print(accuracy(3, 1))
"""
seen = {}
for number, decorator in enumerate(("", "@np.errstate(divide='ignore')", "@timed")):
    for body in ("(right - wrong) / (right + wrong)", "right / (right + wrong)"):
        pathlib.Path("evaluate.py").write_text(SOURCE.format(cache=f"cache{number}", decorator=decorator, body=body))
        run = subprocess.run([sys.executable, "-W", "error", "evaluate.py"], check=True, capture_output=True, text=True)
        seen.setdefault(decorator, []).append(float(run.stdout))
print(seen)
plain, *decorated = seen.values()
assert plain == [0.5, 0.75] and decorated == [[0.5, 0.5]] * 2
PY
