"""Numbered exercises, and what stands beside links to terms and works."""

import exercises
import pytest
import tips
from docutils import nodes


class App:
    """What `find` needs of Sphinx."""

    def __init__(self):
        self.env = type("Env", (), {"docname": "notebooks/metrics", "metadata": {"notebooks/metrics": {}}})


def page(title: str, *lists: int) -> nodes.document:
    """A document with one section and numbered lists of these lengths."""
    document = nodes.document(None, None)
    section = nodes.section("", nodes.title(title, title))
    for count in lists:
        items = [nodes.list_item("", nodes.paragraph("", f"text {k}")) for k in range(count)]
        section += nodes.enumerated_list("", *items)
    document += section
    return document


@pytest.mark.parametrize("title", exercises.HEADINGS)
def test_exercises_and_solutions_name_each_other(title):
    app, document = App(), page(title, 2, 2)
    exercises.find(app, document)
    asked, solved = (list(document.findall(kind)) for kind in (exercises.exercise, exercises.solution))
    assert [a["ids"] for a in asked] == [["exercise-metrics-1"], ["exercise-metrics-2"]]
    assert (
        [a["solution"] for a in asked] == [s["ids"][0] for s in solved] == ["solution-metrics-1", "solution-metrics-2"]
    )
    assert [s["exercise"] for s in solved] == [a["ids"][0] for a in asked]
    assert [a.astext() for a in asked] == ["text 0", "text 1"] and not list(document.findall(nodes.enumerated_list))
    assert app.env.metadata["notebooks/metrics"]["myst_slugs"]["exercise-2"][1] == "exercise-metrics-2"


def test_exercises_without_solutions_lead_nowhere():
    document = page("Exercises", 1)
    exercises.find(App(), document)
    (asked,) = document.findall(exercises.exercise)
    assert asked["solution"] == ""


@pytest.mark.parametrize(("title", "lists"), [("Losses", (2, 2)), ("Exercises", ())])
def test_other_lists_stay(title, lists):
    document = page(title, *lists)
    exercises.find(App(), document)
    assert len(list(document.findall(nodes.enumerated_list))) == len(lists)


@pytest.mark.parametrize(("fignumbers", "number"), [
    ({"figure": {"e": (9,)}, "exercise": {"e": (4,)}}, "4"), ({"book/intro/exercise": {"e": (4,)}}, "4"), ({}, ""),
])  # fmt: skip
def test_the_number_is_the_one_that_sphinx_gave(fignumbers, number):
    writer = type("Writer", (), {"builder": type("Builder", (), {"fignumbers": fignumbers})})
    assert exercises.number(writer, "e") == number


def test_a_link_to_a_term_or_a_work_says_what_it_leads_to():
    body = (
        '<a class="x" href="../book/glossary.html#term-Last">Last</a> <a href="bibliography.html#k" title="old">W</a>'
    )
    said = tips.add_tips(body, {"term-Last": 'the "last" row'}, {"k": "Wu: T."})
    assert '<a data-tip="the &quot;last&quot; row" class="x" href="../book/glossary.html#term-Last">Last</a>' in said
    assert '<a data-tip="Wu: T." href="bibliography.html#k">W</a>' in said


@pytest.mark.parametrize("href", ["glossary.html#term-none", "metrics.html#term-Last", "#term-Last", "glossary.html"])
def test_other_links_say_nothing(href):
    body = f'<a href="{href}">x</a>'
    assert tips.add_tips(body, {"term-Last": "a"}, {}) == body


def test_long_definitions_are_cut_at_a_word():
    short, long = nodes.paragraph("", "one  two"), nodes.paragraph("", "word " * 200)
    assert tips.plain(short) == "one two"
    assert tips.plain(long).endswith("word ...") and len(tips.plain(long)) <= tips.LONGEST + 4
