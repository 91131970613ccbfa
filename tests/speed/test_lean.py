"""A run imports what it uses; what open_clip and torchvision are loaded without is there when asked for."""

import shutil
import subprocess
import sys

import numpy as np
import open_clip
import pytest
import torch
import torchvision
from torch import nn

from gift_lib.clip import load
from gift_lib.clip.loading import WEIGHTS
from gift_lib.clip.tokenizer import FileTokenizer
from gift_lib.data.mini import digits
from gift_lib.speed import lean

#: Where nothing is drawn and nothing is trained, no run needs these.
NOT_NEEDED = (
    "diffusers", "transformers", "timm", "scipy", "sklearn", "pandas", "matplotlib", "seaborn", "IPython", "ipywidgets",
    "torch._dynamo", "torch._inductor", "sympy", "datasets", "accelerate", "peft",
)  # fmt: skip

RUN = """
import sys
import torch
names = [m for m in {names!r} if m != "sympy" or not torch.__version__.startswith("2.6.")]  # which needs it itself
import gift_lib.training as training
from gift_lib.config import experiment
imported = [m for m in names if m in sys.modules]
training.run(experiment(method="zero-shot", tasks=("digits",)), training.Runtime(progress=False, cache_dir={cache!r}))
print(imported, [m for m in names if m in sys.modules])
"""


def test_a_run_without_drawing_imports_neither_drawing_nor_tables_nor_the_compiler(tmp_path):
    code = RUN.format(names=NOT_NEEDED, cache=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] []"


def test_digits_are_those_that_scikit_learn_loads():
    from sklearn.datasets import load_digits

    theirs = load_digits()
    for d, mine in enumerate(digits.scans()):
        assert mine.dtype == np.uint8 and np.array_equal(mine, theirs.images[theirs.target == d])


def test_the_tokenizer_gives_what_transformers_gives(tmp_path):
    folder = WEIGHTS / "clip"
    mine, theirs = FileTokenizer(folder, 24), open_clip.tokenizer.HFTokenizer(str(folder), 24)
    texts = [
        "a photo of a café.",
        "",
        "  two\n lines &amp; don't ",
        "<|endoftext|> in it <|pad|>",
        "日本 42",
        "x " * 60,
    ]
    assert torch.equal(mine(texts), theirs(texts)) and mine([]).shape == (0, 24)
    mine.save_pretrained(tmp_path)
    assert torch.equal(FileTokenizer(tmp_path, 7)(texts), open_clip.tokenizer.HFTokenizer(str(tmp_path), 7)(texts))


def test_a_tokenizer_of_another_make_is_left_to_transformers(tmp_path):
    shutil.copytree(WEIGHTS / "clip", tmp_path / "clip")
    config = tmp_path / "clip" / "tokenizer_config.json"
    assert isinstance(load(str(tmp_path / "clip")).tokenize, FileTokenizer)
    config.write_text(config.read_text().replace('"CLIPTokenizer"', '"PreTrainedTokenizerFast"'))
    assert isinstance(load(str(tmp_path / "clip")).tokenize, open_clip.tokenizer.HFTokenizer)


def test_a_tower_of_timm_is_there_when_asked_for():
    tower = open_clip.model.TimmModel("test_vit", 8, 160)
    assert isinstance(tower, nn.Module) and tower(torch.zeros(1, 3, 160, 160)).shape == (1, 8)


def test_a_text_tower_of_transformers_is_there_when_asked_for():
    import transformers

    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    config = transformers.BertConfig(vocab_size=50, **sizes)
    tower = open_clip.model.HFTextEncoder("bert", 8, config=config, pretrained=False)
    assert isinstance(tower, nn.Module) and tower(torch.tensor([[1, 2, 3]])).shape == (1, 8)


def test_the_compiler_answers_as_itself():
    import torch._dynamo.utils as real

    assert torchvision.ops.roi_align is not None
    for device in ("cpu", "cuda"):
        assert lean._Compiler(lean.COMPILER).is_compile_supported(device) == real.is_compile_supported(device)
    assert lean._Compiler(lean.COMPILER).counters is real.counters
    with pytest.raises(AttributeError):
        _ = lean._Compiler(lean.COMPILER).no_such_name
