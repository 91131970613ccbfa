#!/usr/bin/env bash
# optuna 5.0.0 (numpy 2.4.6), 2026-11-28: a search with a fixed seed that no run repeats.
# Guess: with TPESampler(seed=1) and an objective without chance, two studies propose the same trials.
# Behaviour: HyperbandPruner sorts trials into brackets by a hash of the study's NAME and the trial's number, and the sampler learns from one bracket
#   at a time. A study without a name gets a random one. MedianPruner does not look at it.
# Costs: a hyperparameter search said to be seeded comes out otherwise for every reader, and for every renamed copy of the study.
# Seen: two studies without a name differ, two of one name agree, of two names differ; with MedianPruner studies without a name agree.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet optuna==5.0.0 numpy==2.4.6
venv/bin/python - <<'PY'
import optuna

optuna.logging.set_verbosity(optuna.logging.ERROR)


def objective(trial):
    x = trial.suggest_float("x", 0, 1)
    for step in range(1, 28):
        trial.report(x * step, step)
        if trial.should_prune():
            raise optuna.TrialPruned
    return x


def proposed(pruner, name=None):
    study = optuna.create_study(study_name=name, sampler=optuna.samplers.TPESampler(seed=1), pruner=pruner)
    study.optimize(objective, n_trials=60)
    return [trial.params["x"] for trial in study.trials]


def hyperband(name=None):
    return proposed(optuna.pruners.HyperbandPruner(min_resource=1, max_resource=27), name)


median = optuna.pruners.MedianPruner
seen = hyperband() == hyperband(), hyperband("a") == hyperband("a"), hyperband("a") == hyperband("b")
print(seen, proposed(median()) == proposed(median()))
assert seen == (False, True, False) and proposed(median()) == proposed(median())
PY
