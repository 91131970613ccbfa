# Batches of runs. `make sweep NAME=ablation-loss`, or plainly:
#     snakemake --cores 2 --keep-going --keep-incomplete --rerun-incomplete --nolock --config name=ablation-loss scale=mini
# A run's file name carries the digest of its config, world, weights and numerics version, so what is
# current is never run again and what is not current has another name. Nothing else is tracked: a record
# that is there is no part of the batch. Runs hold locks of their own (hence --nolock) and write what they leave in
# one step (hence --keep-incomplete: what is there is whole, and stays when its job dies afterwards).
import json, os, shlex, sys

sys.path.insert(0, workflow.basedir)
from gift_lib.errors import GiftError
from gift_lib.runs import batch, parameters

try:
    ASKED_FOR = batch.asked(config, workflow.resource_settings.cores, workflow.local_exec)
    PLAN = batch.plan(ASKED_FOR.name, ASKED_FOR.scale, ASKED_FOR.seeds, ASKED_FOR.results)  # file stem -> experiment
except GiftError as error:
    raise WorkflowError(str(error)) from None
SCALE, RESULTS, RUNS, DEVICE, GPUS = (getattr(ASKED_FOR, k) for k in ("scale", "results", "runs", "device", "gpus"))
TO_DO = batch.to_do(PLAN, RESULTS, SCALE)
PICTURES = {batch.pictures_key(e): batch.pictures_of(e) for e in PLAN.values()}
# No value is read as shell text: all are quoted, by `:q` or by `shlex.quote`.
# What a cluster is asked for. On one machine a run takes one of `gpus` devices by a lock.
ASKED = {"gpu": int(DEVICE.startswith("cuda")), "mem_mb": 4000 if SCALE == "mini" else 32000}
PYTHON = shlex.quote(sys.executable)


def needs(wildcards):
    """The pictures of a run, generated once for all runs that share them."""
    key = batch.pictures_key(PLAN[wildcards.stem])
    return str(batch.drawn(DEVICE, key)) if key else []


def values(e, **more):
    """ONE serialised parameter: named ones could be swapped without notice."""
    return shlex.quote(json.dumps({**parameters.of(e), **more}))


wildcard_constraints:
    stem=r"[^/]+",
    key=r"[0-9a-f]{16}",


localrules:
    all,


rule all:
    input:
        expand(f"{RESULTS}/{SCALE}/{{stem}}.json", stem=TO_DO),


# `update` keeps what another batch has written meanwhile.
rule pictures:
    output:
        update(str(batch.drawn(DEVICE, "{key}"))),
    params:
        values=lambda w: values(PICTURES[w.key]),
    threads: 1
    resources:
        **ASKED,
    shell:
        "{PYTHON} -m gift_lib.runs.batch pictures {params.values} --device {DEVICE:q} --gpus {GPUS} --output {output:q}"


# Runs come before pictures for later runs: tables fill early.
rule run:
    input:
        needs,
    output:
        update(f"{RESULTS}/{SCALE}/{{stem}}.json"),
    params:
        values=lambda w: values(PLAN[w.stem], results=os.path.abspath(RESULTS), device=DEVICE),
    log:
        f"{RUNS}/{SCALE}/{{stem}}.ipynb",
    priority: 1
    threads: 1
    resources:
        **ASKED,
    shell:
        "{PYTHON} -m gift_lib.runs.jobs {params.values} --gpus {GPUS} --notebook {log:q} --output {output:q}"
