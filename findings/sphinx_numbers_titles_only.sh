#!/usr/bin/env bash
# Sphinx 7.4.7 (docutils 0.21.2), 2026-11-27: an enumerable node without a title gets no number, and nobody says so.
# Guess: add_enumerable_node(node, figtype) numbers every such node under numfig = True. Its third argument, title_getter,
#   is optional and only says what a cross-reference shows.
# Behaviour: without title_getter no node of the type is numbered: the build ends well, with -n and -W too, and its table of
#   numbers is empty. With a getter that returns any constant all are numbered.
# Seen: {} without, {'task': {'one': (1,), 'two': (2,)}} with a getter.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet sphinx==7.4.7 docutils==0.21.2
mkdir pages
cat >pages/tasks.py <<'PY'
import os

from docutils import nodes
from docutils.parsers.rst import Directive


class task(nodes.Part, nodes.Element):
    pass


class Task(Directive):
    has_content = True

    def run(self):
        node = task(ids=[self.content[0]])
        node += nodes.paragraph(text="do it")
        return [node]


def ended(app, error):
    with open(os.environ["NUMBERS"], "w") as file:
        file.write(repr(app.env.toc_fignumbers.get("index", {})))


def setup(app):
    ways = (lambda w, node: w.body.append("<div>"), lambda w, node: w.body.append("</div>"))
    title = (lambda node: "Task") if os.environ.get("TITLE") else None
    app.add_enumerable_node(task, "task", title, html=ways)
    app.add_directive("task", Task)
    app.connect("build-finished", ended)
PY
cat >pages/conf.py <<'PY'
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
project, extensions, numfig = "Tasks", ["tasks"], True
numfig_format = {"task": "Task %s"}
PY
printf 'Tasks\n=====\n\n.. task::\n\n   one\n\n.. task::\n\n   two\n' >pages/index.rst
NUMBERS=without venv/bin/sphinx-build -q -n -W -E -b html pages out-1
NUMBERS=with TITLE=1 venv/bin/sphinx-build -q -n -W -E -b html pages out-2
echo "$(cat without) without, $(cat with) with a getter"
[ "$(cat without)" = "{}" ]
[ "$(cat with)" = "{'task': {'one': (1,), 'two': (2,)}}" ]
