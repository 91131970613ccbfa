"""Exercises with numbers of their own over the whole book, each linked with its solution and back.

A notebook writes them as plain Markdown, so that it reads the same in Colab and JupyterLab: a numbered list under the
heading `Exercises` (or `Try it`), then the solutions as another one in `<details>`.
"""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

HEADINGS = ("Exercises", "Try it")


class exercise(nodes.Part, nodes.Element):
    """One exercise; `solution` is the id of its solution, or empty."""


class solution(nodes.Part, nodes.Element):
    """One solution; `exercise` is the id of what it solves."""


def name(docname: str, kind: str, k: int) -> str:
    """An id that no other page has, since the single page holds them all."""
    return nodes.make_id(f"{kind}-{docname.rsplit('/', 1)[-1]}-{k}")


def find(app: Sphinx, doctree: nodes.document) -> None:
    """Turn the lists of a page into exercises and solutions; plain links can name them: `metrics.ipynb#exercise-2`."""
    page = app.env.docname
    for section in doctree.findall(nodes.section):
        lists = [n for n in section.children if isinstance(n, nodes.enumerated_list)]
        if section.next_node(nodes.title).astext() not in HEADINGS or not lists:
            continue
        ways = [(name(page, "exercise", k), name(page, "solution", k)) for k in range(1, len(lists[0]) + 1)]
        slugs = app.env.metadata[page].setdefault("myst_slugs", {})
        slugs |= {f"exercise-{k}": (0, asked, f"exercise {k}") for k, (asked, _) in enumerate(ways, 1)}
        solved = len(lists) > 1
        replace(lists[0], [exercise(ids=[a], solution=s if solved else "") for a, s in ways])
        if solved:
            replace(lists[1], [solution(ids=[s], exercise=a) for a, s in ways])


def replace(old: nodes.enumerated_list, new: list[nodes.Element]) -> None:
    """Items of a list by elements of their own, with the same content."""
    for element, item in zip(new, old.children, strict=True):
        element += item.children
    old.replace_self(new)


def title(node: exercise) -> str:
    """Sphinx numbers only what has a title."""
    return "Exercise"


def number(writer: HTML5Translator, ident: str) -> str:
    """The number that Sphinx gave to an exercise: over the book, in the order of the table of contents."""
    for key, found in writer.builder.fignumbers.items():
        if key.rpartition("/")[2] == "exercise" and ident in found:  # a single page puts the document before it
            return ".".join(map(str, found[ident]))
    return ""


def opened(writer: HTML5Translator, node: nodes.Element, asked: str) -> None:
    """The start of an exercise, or of a solution: its frame, and the number of what is asked as a link."""
    said = f'<a href="#{asked}">Exercise {number(writer, asked)}</a>'
    writer.body.append(writer.starttag(node, "div", CLASS="gift-exercise") + f'<p class="gift-ask">{said}</p>')


def visit_exercise(writer: HTML5Translator, node: exercise) -> None:
    opened(writer, node, node["ids"][0])


def depart_exercise(writer: HTML5Translator, node: exercise) -> None:
    way = f'<p class="gift-way"><a href="#{node["solution"]}">Solution</a></p>' if node["solution"] else ""
    writer.body.append(f"{way}</div>\n")


def visit_solution(writer: HTML5Translator, node: solution) -> None:
    opened(writer, node, node["exercise"])


def depart_solution(writer: HTML5Translator, node: solution) -> None:
    writer.body.append("</div>\n")


def setup(app: Sphinx) -> None:
    """Numbers come from Sphinx, as those of figures do."""
    app.add_enumerable_node(exercise, "exercise", title, html=(visit_exercise, depart_exercise))
    app.add_node(solution, html=(visit_solution, depart_solution))
    app.connect("doctree-read", find)
