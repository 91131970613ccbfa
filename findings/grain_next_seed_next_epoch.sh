#!/usr/bin/env bash
# grain 0.2.18 and webdataset 1.0.2 (numpy 2.4.6), 2026-11-28: the second epoch of seed 0 is the first epoch of seed 1.
# Guess: shuffles with two seeds have nothing to do with each other, in any epoch.
# Behaviour: grain's MapDataset.shuffle(seed) and its IndexSampler, and webdataset's detshuffle(seed) shuffle each epoch by the sum of the seed and the
#   number of the epoch. Seeds that follow each other so share all orders but one, moved by an epoch. grain's seed(0).shuffle() does not.
# Costs: three runs with seeds 0, 1 and 2 over ten epochs see 12 orders in place of 30; a spread over such runs is no spread over data orders.
# Seen: epochs 1 and 2 of seed 0 equal epochs 0 and 1 of seed 1 in all three; by seed(0).shuffle() they differ.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet grain==0.2.18 webdataset==1.0.2 numpy==2.4.6
venv/bin/python - <<'PY'
import grain
import webdataset

n, epochs = 100, 3


def cut(order):
    return [order[i * n : (i + 1) * n] for i in range(epochs)]


def chain(seed):
    return cut(list(grain.MapDataset.range(n).shuffle(seed=seed).repeat(epochs)))


def seeded(seed):
    return cut(list(grain.MapDataset.range(n).seed(seed).shuffle().repeat(epochs)))


def sampler(seed):
    sampled = grain.samplers.IndexSampler(n, seed=seed, shuffle=True, num_epochs=epochs)
    return cut([sampled[i].record_key for i in range(n * epochs)])


def shards(seed):
    names = webdataset.SimpleShardList([str(i) for i in range(n)])
    pipeline = webdataset.DataPipeline(names, webdataset.detshuffle(n, seed=seed))
    return [[sample["url"] for sample in pipeline] for _ in range(epochs)]


shared = {f.__name__: [a == b for a, b in zip(f(0)[1:], f(1))] for f in (chain, sampler, shards, seeded)}
print(shared)
assert shared == {"chain": [True, True], "sampler": [True, True], "shards": [True, True], "seeded": [False, False]}
assert all(f(0)[0] != f(0)[1] for f in (chain, sampler, shards))
PY
