"""`python -m gift_lib.world make | check | choose | card | trial | leave | early`: see --help."""

import argparse
import json
import logging
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import torch

from gift_lib.device import find_device
from gift_lib.errors import GiftError
from gift_lib.files import read_json, write_json
from gift_lib.generate import early_folder, weights_digest
from gift_lib.world import card, check, choose, clip, diffusion, make, numbers, settings, tokenizer, trials


def main(arguments: list[str] | None = None) -> int:
    """Run one command; a GiftError is one line on stderr and exit status 2."""
    options = parser().parse_args(arguments)
    try:
        options.run(options)
    except GiftError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    return 0


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m gift_lib.world", description="Make and judge the scale model.")
    commands = top.add_subparsers(required=True)
    for name, run, text in (
        ("make", run_make, "train tokenizer, CLIP and diffusion model from nothing; goes on where it stopped"),
        ("check", run_check, "measure the scale model against the design's aims"),
        ("choose", run_choose, "learning rate and steps by validation accuracy of tasks fine-tuned alone"),
        ("card", run_card, "write the model card anew"),
        ("trial", run_trial, "calibrate: run the reference rows of drafts of the world and log them"),
        ("leave", run_leave, "write into the calibration log why a trial was left"),
        ("early", run_early, "save the diffusion model as it was early in its training (for an ablation)"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        command.add_argument("--weights", type=Path, default=settings.WEIGHTS, help="folder of the weights")
        command.add_argument("--seed", type=int, default=0, help="seed of the pre-training (0 is the shipped one)")
        if name == "trial":
            command.add_argument(
                "trials", nargs="+", help="JSON files with the fields of trials.Trial, or names of trials in the log"
            )
            command.add_argument("--rows", choices=trials.ROWS, nargs="+", help="other rows than the trial's own")
        if name == "leave":
            command.add_argument("trial", help="name of the trial")
            command.add_argument("why", help="why it was left")
        if name in ("make", "early"):
            command.add_argument("--device", default="cpu", help="cpu or cuda")
        if name == "early":
            command.add_argument(
                "--folder", type=Path, help="where to save it; by default where mini-early is looked for"
            )
        if name == "make":
            command.add_argument("--only", choices=make.PARTS, action="append", help="make this part only")
            for steps in ("clip", "vae", "unet"):
                command.add_argument(f"--{steps}-steps", type=int, help="another number of steps")
        if name in ("check", "choose"):
            command.add_argument("--lr", type=float, nargs="+", help="learning rates")
            command.add_argument("--steps", type=int, nargs="+", help="steps per task")
            command.add_argument("--world", choices=settings.RUNS, default="1", help="world, with its own settings")
        if name == "choose":
            command.add_argument("--method", default="finetune", help="method that is fine-tuned, e.g. moe-adapter")
        if name == "check":
            command.add_argument("--no-pictures", action="store_true", help="leave the generated pictures out")
            command.add_argument("--seeds", type=int, default=check.SEEDS, help="runs that the means are over")
            command.add_argument("--trial", type=Path, help="check the draft of a trial's file; nothing is written")
    return top


def run_make(o: argparse.Namespace) -> None:
    o.device = find_device(o.device)
    _quiet()
    parts = tuple(o.only or make.PARTS)
    make.make(
        o.weights, parts, o.seed, o.device, clip_steps=o.clip_steps, vae_steps=o.vae_steps, unet_steps=o.unet_steps
    )
    if set(parts) == set(make.PARTS):
        card.write(o.weights)


def run_card(o: argparse.Namespace) -> None:
    card.write(o.weights)


def run_early(o: argparse.Namespace) -> None:
    o.device = find_device(o.device)
    folder = o.folder or early_folder()
    make.make_early(o.weights, folder, o.device)
    print(f"{folder}: weights {weights_digest(str(folder))}")


def run_choose(o: argparse.Namespace) -> None:
    rows = choose.choose(o.lr or (2e-4, 5e-4, 1e-3), o.steps or (40, 80, 120), o.method, world=o.world)
    for row in sorted(rows, key=lambda r: -r["mean"]):
        print(f"{o.method}  lr {row['lr']:g}  steps {row['steps']:>4}  validation {row['mean']:.2f}")


def run_trial(o: argparse.Namespace) -> None:
    _quiet()
    for name in o.trials:
        trial = trials.Trial(**read_json(Path(name))) if name.endswith(".json") else trials.named(name)
        for line in trials.run(replace(trial, rows=o.rows) if o.rows else trial):
            trials.write(line)
            print(f"{line['trial']}: {line['cpu_seconds']} s\n{numbers.table(line['numbers'])}\n", flush=True)


def run_leave(o: argparse.Namespace) -> None:
    trials.leave(o.trial, o.why)


def run_check(o: argparse.Namespace) -> None:
    _quiet()
    torch.set_num_threads(1)
    words, model = _clip(o)
    changes = settings.RUNS[o.world] | {k: v[0] for k, v in (("lr", o.lr), ("steps", o.steps)) if v}
    if o.trial:
        changes |= trials.Trial(**read_json(o.trial)).run_settings
    folder = make.clip_folder(o.weights, o.seed)
    name = folder.name.replace("clip", "mini", 1) if o.weights == settings.WEIGHTS else str(folder)
    measured = check.measure(model, words, name, changes, o.seeds)
    if not o.no_pictures:
        measured |= check.measure_pictures(model, words, diffusion.load(o.weights / "diffusion"))
    measured["bars"] = [{**vars(b), "verdict": b.verdict} for b in check.bars(measured)]
    if not o.trial:
        write_json(o.weights / settings.CHECKED[o.world], json.loads(json.dumps(measured)))
    print(check.table(measured))


def _clip(o: argparse.Namespace):
    return tokenizer.load(o.weights / "tokenizer"), clip.load(make.clip_folder(o.weights, o.seed))


def _quiet() -> None:
    """The libraries tell of every component that they load; the table is what should be read."""
    warnings.filterwarnings("ignore", category=FutureWarning)
    for name in ("diffusers", "transformers"):
        logging.getLogger(name).setLevel(logging.ERROR)


if __name__ == "__main__":
    sys.exit(main())
