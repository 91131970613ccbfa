"""What is about time alone: which library multiplies, and imports that leave out what a run does not use."""
