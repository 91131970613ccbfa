"""What a term means and which work is cited, beside the link: `gift.js` shows it where a pointer or the focus is.

The text is on the page itself, so nothing is asked of any server, and it works from disk.
"""

import html
import re

from docutils import nodes
from sphinx.application import Sphinx

LINK = re.compile(r'<a ([^>]*\bhref="[^"#]*\b(glossary|bibliography)\.html#([^"]+)"[^>]*)>')
TITLE = re.compile(r' title="[^"]*"')
LONGEST = 400


def terms(app: Sphinx) -> dict[str, str]:
    """Every term's definition by its anchor."""
    found = app.env.get_doctree("book/glossary").findall(nodes.definition_list_item)
    items = [(i.next_node(nodes.term), i.next_node(nodes.definition)) for i in found]
    return {ident: plain(said) for term, said in items for ident in term["ids"]}


def works(app: Sphinx) -> dict[str, str]:
    """Authors, title, place and year of every work by its key."""
    return {key: entry(work) for key, work in app.env.get_domain("cite").bibdata.data.entries.items()}


def entry(work) -> str:
    """A work in one line: Wu, Shi, Wang and Ye: Synthetic Data ..., CVPR, 2025."""
    names = [" ".join(p.last_names) for p in work.persons["author"]]
    shown = ", ".join(names[:3]) + (" and others" if len(names) > 3 else "")
    place = work.fields.get("booktitle") or work.fields.get("journal", "")
    said = f"{shown}: {work.fields['title']}. {place}, {work.fields['year']}."
    return re.sub(r"[{}]|\\\"", "", said)


def plain(node: nodes.Element) -> str:
    """The text of a definition in one line, cut at a word where it is long."""
    text = " ".join(node.astext().split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST].rsplit(' ', 1)[0]} ..."


def add_tips(body: str, glossary: dict[str, str], bibliography: dict[str, str]) -> str:
    """The body of a page with a `data-tip`, and no `title` beside it, on every link to a term or a work."""

    def one(link: re.Match) -> str:
        said = (glossary if link[2] == "glossary" else bibliography).get(link[3])
        return f'<a data-tip="{html.escape(said)}" {TITLE.sub("", link[1])}>' if said else link[0]

    return LINK.sub(one, body)


def on_page(app: Sphinx, pagename: str, templatename: str, context: dict, doctree: object) -> None:
    if doctree is not None and "body" in context and app.builder.name == "html":
        if not hasattr(app, "gift_tips"):
            app.gift_tips = terms(app), works(app)
        context["body"] = add_tips(context["body"], *app.gift_tips)


def setup(app: Sphinx) -> None:
    app.connect("html-page-context", on_page, priority=600)
