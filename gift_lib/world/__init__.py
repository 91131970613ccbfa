"""How the scale model is made: tokenizer, small CLIP, small Stable Diffusion pipeline, and their judging.

`python -m gift_lib.world make` trains everything from nothing (`make world`);
`python -m gift_lib.world check` prints the world-check table (`make world-check`).
"""
