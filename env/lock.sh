#!/usr/bin/env bash
# Writes env/requirements.lock: every package that requirements.txt leads to on Linux and macOS, Python 3.11 to 3.13,
# with the hashes of its files. What is locked stays as it is; UPGRADE=1 takes the newest. Needs uv (pip install uv).
set -euo pipefail
cd "$(dirname "$0")/.."
held=$(mktemp)
[ -n "${UPGRADE:-}" ] || grep -oE '^[A-Za-z0-9_.-]+==[^ ;]+' env/requirements.lock >"$held"
note="# The whole closure of requirements.txt with the hashes of its files: env/lock.sh writes it, make install uses it."
written=$(uv pip compile requirements.txt --universal --python-version 3.11.5 --generate-hashes --no-header --no-annotate \
  --quiet --constraint "$held")
printf '%s\n%s\n' "$note" "$written" >env/requirements.lock
rm -f "$held"
