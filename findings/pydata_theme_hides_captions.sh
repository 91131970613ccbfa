#!/usr/bin/env bash
# pydata-sphinx-theme 0.17.1 (sphinx 8.2.3), 2026-11-28: a figure with a light and a dark picture has no caption in either theme.
# Guess: of the two pictures of one figure, classes only-light and only-dark, one is shown, and the caption below them is always there.
# Behaviour: the theme hides the picture that is not meant for the page AND every caption that follows it in the same figure. Beside two
#   pictures one of them is always hidden, and so the caption is, whatever the theme of the page. Two whole figures with a caption each
#   are as meant, but have two numbers.
# Seen: in the theme's style sheet, for data-theme light and none: .only-dark~figcaption { display: none !important }; for dark:
#   .only-light~figcaption likewise. In a browser the caption had the height 0 in both themes.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet pydata-sphinx-theme==0.17.1 sphinx==8.2.3
venv/bin/python - <<'PY'
import re
from pathlib import Path

import pydata_sphinx_theme

root = Path(pydata_sphinx_theme.__file__).parent
(sheet,) = root.rglob("styles/pydata-sphinx-theme.css")
rules = re.findall(r"([^{}]*figcaption[^{}]*)\{([^{}]*)\}", sheet.read_text(encoding="utf-8"))
hiding = [selector for selector, what in rules if what.replace(" ", "") == "display:none!important"]
print(*hiding, sep="\n")
for theme, picture in (("light", "only-dark"), ("dark", "only-light")):
    assert any(f"data-theme={theme}] .{picture}~figcaption" in selector.replace('"', "") for selector in hiding)
PY
