# Batches of runs. `make sweep NAME=ablation-loss`, or plainly:
#     snakemake --cores 2 --keep-going --rerun-incomplete --config name=ablation-loss scale=mini
# A run's file name carries the digest of its config, world, weights and numerics version, so what is
# current is never run again and what is not current has another name. Nothing else is tracked.
import json, os, shlex, sys

sys.path.insert(0, workflow.basedir)
from gift_lib import sweeps
from gift_lib.batch import pictures_key, plan

NAME, SCALE = str(config.get("name", "all")), config.get("scale", "mini")
RESULTS, RUNS = config.get("results", "book/results"), config.get("runs", "runs")
DEVICE, GPUS = config.get("device", "cpu"), int(config.get("gpus", 0))
PLAN = plan(NAME, SCALE, str(config.get("seeds", "")), RESULTS)  # file stem -> experiment
PICTURES = {pictures_key(e): e for e in PLAN.values() if pictures_key(e)}
PYTHON = shlex.quote(sys.executable)


def needs(wildcards):
    """The pictures of a run, generated once for all runs that share them."""
    key = pictures_key(PLAN[wildcards.stem])
    return f"{RUNS}/{SCALE}/pictures-{key}.json" if key else []


def values(e):
    """ONE serialised parameter: named ones could be swapped without notice."""
    return shlex.quote(json.dumps({**sweeps.parameters(e), "results": os.path.abspath(RESULTS), "device": DEVICE}))


wildcard_constraints:
    stem=r"[^/]+",
    key=r"[0-9a-f]{16}",


localrules:
    all,


rule all:
    input:
        expand(f"{RESULTS}/{SCALE}/{{stem}}.json", stem=PLAN),


rule pictures:
    output:
        f"{RUNS}/{SCALE}/pictures-{{key}}.json",
    params:
        values=lambda w: shlex.quote(json.dumps(sweeps.parameters(PICTURES[w.key]))),
    threads: 1
    resources:
        gpu=1 if GPUS else 0,
        mem_mb=4000,
    shell:
        "{PYTHON} -m gift_lib.batch pictures {params.values} --device {DEVICE} --gpus {GPUS} --output {output}"


rule run:
    input:
        needs,
    output:
        f"{RESULTS}/{SCALE}/{{stem}}.json",
    params:
        values=lambda w: values(PLAN[w.stem]),
    log:
        f"{RUNS}/{SCALE}/{{stem}}.ipynb",
    threads: 1
    resources:
        gpu=1 if GPUS else 0,
        mem_mb=4000,
    shell:
        "{PYTHON} -m gift_lib.batch run {params.values} --gpus {GPUS} --notebook {log}"
