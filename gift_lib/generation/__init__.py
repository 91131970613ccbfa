"""What stands behind `gift_lib.generate`: what to draw, the pipeline, one chunk, work shared by processes."""
