"""The page that draws in the reader's browser: networks, weights and settings as files that a page can load.

A network is an ONNX graph without weights (`graphs`). These lie beside it in fp16, as they are shipped, and the page
widens them to fp32: nothing is lost. CLIP after a task (`models`) is its difference to the pre-trained CLIP, in 8 bits
with a scale per row. What else the page must know is in `told`, and `packs` makes scripts of all of it. The page's own
scripts are in book/live.
"""
