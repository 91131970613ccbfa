#!/usr/bin/env bash
# Runs the tests with the lowest or the newest versions that pyproject.toml allows: env/bounds.sh lowest|newest [PYTEST ARGUMENTS]
# in an environment of their own, build/bounds/WHICH. PYTHON=python3.13 takes another Python. Needs uv (pip install uv).
set -euo pipefail
cd "$(dirname "$0")/.."
which=${1:-}
case $which in
  lowest) order=lowest-direct ;;
  newest) order=highest ;;
  *) echo "usage: env/bounds.sh lowest|newest [PYTEST ARGUMENTS]" >&2; exit 2 ;;
esac
shift
folder=build/bounds/$which
mkdir -p "$folder"
"${PYTHON:-python3}" -m venv --clear "$folder/venv"
# One package of Snakemake's closure has no wheel; of all others the lowest version is the lowest with a wheel.
uv pip compile pyproject.toml --extra book --extra crate --extra sweep --extra test --resolution $order --python "$folder/venv/bin/python" \
  --only-binary :all: --no-binary connection-pool --no-header --no-annotate --quiet --output-file "$folder/versions.txt"
uv pip install --quiet --python "$folder/venv/bin/python" -r "$folder/versions.txt" "setuptools>=77"
echo "$which, $("$folder/venv/bin/python" --version):" $(grep -iE '^(torch|transformers|diffusers|open-clip-torch|numpy|pandas)==' "$folder/versions.txt")
# Only the pinned versions must be free of warnings.
PYTHONPATH=$PWD OMP_NUM_THREADS=1 "$folder/venv/bin/python" -m pytest -W default -p no:cacheprovider "$@"
