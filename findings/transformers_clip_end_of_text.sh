#!/usr/bin/env bash
# transformers 5.23.0 with torch 2.14.0 (numpy 2.4.6), 2026-11-28: a small CLIP gives every text one embedding.
# Guess: CLIPTextConfig(vocab_size=100) makes a text encoder for a vocabulary of 100; two texts have two embeddings.
# Behaviour: a text is read off at its end token, and the default for that is 49407 whatever the vocabulary. It never occurs, the search for it then
#   says position 0, and there the causal mask shows the start token only. Making the configuration logs one line about the vocabulary; the model runs and trains.
# Seen: largest difference of two texts: 0.0; with eos_token_id=99: above 0.1.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.14.0 numpy==2.4.6 transformers==5.23.0
venv/bin/python - <<'PY'
import torch
from transformers import CLIPTextConfig, CLIPTextModel

texts = torch.tensor([[98, 5, 6, 7, 99], [98, 8, 9, 10, 99]])


def apart(**settings):
    torch.manual_seed(0)
    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = CLIPTextConfig(vocab_size=100, max_position_embeddings=16, bos_token_id=98, **small, **settings)
    one, two = CLIPTextModel(config).eval()(texts).pooler_output
    return (one - two).abs().max().item()


print(apart(), apart(eos_token_id=99))
assert apart() == 0 and apart(eos_token_id=99) > 0.1
PY
