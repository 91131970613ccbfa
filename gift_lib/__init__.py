"""GIFT (CVPR 2025): continual fine-tuning of CLIP with synthetic data, over MTIL, at three scales.

What lies where, in the order in which data flows:

    errors files device speed/ tasks config    what all others need
    data/ (data/mini/)                  MTIL, folders of one's own, the decoded cache; the scale model's tasks
    concepts pool                       the names that prompts are drawn from
    pictures generation/ generate       prompts to images: the cache, the pipeline, the work of several processes
    clip/ losses consolidation methods/ what is trained, and what it is held to
    metrics intervals evaluation checkpoint results training   the loop, and the record that it leaves
    world/                              how the scale model's weights are made and judged
    runs/                               batches, and commands about runs
    evidence/                           tables, claims and their tests, from records
    book/                               what only pages need
    live/                               the page that draws in the reader's browser: its networks as files
"""

import platform
import sys

from gift_lib.speed.lean import Lean

#: What is said where the library cannot run: files are locked as Linux and macOS lock them, and torch has no wheels
#: for Macs with Intel processors.
ELSEWHERE = "gift_lib runs on Linux and on macOS with Apple silicon. On Windows it runs in WSL (`wsl --install`)."

if not sys.platform.startswith("linux") and (sys.platform, platform.machine()) != ("darwin", "arm64"):
    raise ImportError(ELSEWHERE)

__version__ = "0.1.0"

#: Modules that moved into a house: whoever types an old name is told the new one.
MOVED = {
    "runs": "batch caches colab dry_run interpolation jobs overfitting published repository sweeps verify zero_shot",
    "evidence": "claims row tables",
    "book": "findings gallery pages plots why widgets",
}


class _Moved:
    """The last finder that is asked: it finds nothing, but knows where some have gone."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        last = name.rpartition(".")[2]
        house = next((h for h, names in MOVED.items() if last in names.split()), None)
        if house and name in (f"gift_lib.{last}", f"gift_lib.book.{last}"):
            raise ModuleNotFoundError(f"{name} is now gift_lib.{house}.{last}.", name=name)
        return None


sys.meta_path.append(_Moved)
sys.meta_path.insert(0, Lean)
