"""What a command says, as it says it when the book is built: `{said} gift_lib.runs.batch status NAME`."""

import shlex
import subprocess
import sys

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

SECONDS = 120


class Said(SphinxDirective):
    """A module and its arguments, run from the root; a command that fails is an error of the page."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        command = [sys.executable, "-m", *shlex.split(self.arguments[0])]
        try:
            done = subprocess.run(command, cwd=self.env.srcdir, capture_output=True, text=True, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            raise self.error(f"{self.arguments[0]} took more than {SECONDS} seconds") from None
        if done.returncode:
            raise self.error(f"{self.arguments[0]}: {done.stderr.strip()}")
        return [nodes.literal_block(done.stdout, done.stdout, language="text")]


def setup(app: Sphinx) -> None:
    app.add_directive("said", Said)
