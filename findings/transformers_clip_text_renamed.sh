#!/usr/bin/env bash
# transformers 5.6.0 and 5.4.0 with torch 2.14.0, 2026-11-28: an older 5.x fills a newer one's CLIP text encoder with random numbers.
# Guess: what save_pretrained of one 5.x release writes, from_pretrained of another 5.x loads; where names differ it raises.
# Behaviour: 5.6 writes the tensors without the prefix "text_model." that 5.4 expects. 5.4 matches none of them, starts every weight at
#   random, prints a report and returns the model. (The other way round 5.6 finds all.)
# Seen: 5.4.0 lists all 20 tensors as missing and the same 20, without the prefix, as unexpected; the embedding differs from the saved one.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.14.0 numpy==2.4.6 transformers==5.6.0
cat >save.py <<'PY'
import sys
import torch
from transformers import CLIPTextConfig, CLIPTextModel

sizes = dict(vocab_size=20, hidden_size=8, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2)
torch.manual_seed(0)
CLIPTextModel(CLIPTextConfig(max_position_embeddings=6, bos_token_id=18, eos_token_id=19, pad_token_id=0, **sizes)).save_pretrained(sys.argv[1])
PY
cat >load.py <<'PY'
import sys
import torch
from safetensors.torch import load_file
from transformers import CLIPTextModel

saved = load_file(f"{sys.argv[1]}/model.safetensors")
model, info = CLIPTextModel.from_pretrained(sys.argv[1], output_loading_info=True)
(key,) = [k for k in saved if k.endswith("token_embedding.weight")]
same = torch.equal(model.get_input_embeddings().weight, saved[key])
print(len(saved), len(info["missing_keys"]), len(info["unexpected_keys"]), same)
PY
venv/bin/python save.py newer 2>/dev/null
test "$(venv/bin/python load.py newer 2>/dev/null | tail -n 1 | cut -d' ' -f2-)" = "0 0 True"
venv/bin/pip install --quiet transformers==5.4.0
venv/bin/python save.py older 2>/dev/null
found=$(venv/bin/python load.py newer 2>/dev/null | tail -n 1)
echo "$found"
read -r tensors missing unexpected same <<<"$found"
test "$missing" = "$tensors" && test "$unexpected" = "$tensors" && test "$same" = False
venv/bin/pip install --quiet transformers==5.6.0
test "$(venv/bin/python load.py older 2>/dev/null | tail -n 1 | cut -d' ' -f2-)" = "0 0 True"
