#!/usr/bin/env bash
# transformers 5.23.0 with tokenizers 0.23.3, 2026-11-27: a saved tokenizer remembers how it was called last.
# Guess: truncation=True, max_length=2 of one call hold for that call; what save_pretrained writes does not depend on it.
# Behaviour: the call sets them on the tokenizer underneath, and save_pretrained writes them to tokenizer.json. transformers itself sets them
#  anew at every call and hides it; the tokenizers library, and what else reads the file, cuts every text to two tokens. Padding as well.
# Seen: saved before the call [2, 3, 4, 5], after it [2, 3]; transformers from the second folder [2, 3, 4, 5].
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet transformers==5.23.0 tokenizers==0.23.3
venv/bin/python - <<'PY'
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

words = {word: number for number, word in enumerate(["[UNK]", "[PAD]", "a", "b", "c", "d"])}
core = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
core.pre_tokenizer = pre_tokenizers.Whitespace()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, unk_token="[UNK]", pad_token="[PAD]")
tokenizer.save_pretrained("before")
tokenizer("a b c d", truncation=True, max_length=2)
tokenizer.save_pretrained("after")
before, after = (Tokenizer.from_file(f"{at}/tokenizer.json").encode("a b c d").ids for at in ("before", "after"))
hidden = PreTrainedTokenizerFast.from_pretrained("after")("a b c d").input_ids
print(before, after, hidden)
assert before == hidden == [2, 3, 4, 5] and after == [2, 3]
PY
