"""The book's files keep the rules that its readers, Colab and the strict build rely on."""

import ast
import importlib
import inspect
import re
from pathlib import Path

import nbformat
import pytest
import yaml

from gift_lib.errors import ConfigError
from gift_lib.runs import repository

ROOT = repository.ROOT
NOTEBOOKS = sorted(p for p in (ROOT / "notebooks").rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts)
LONGEST_CELL, WIDEST_LINE = 20, 76  # lines that say something; what a page shows without scrolling


def entries(node) -> list[str]:
    """Every page that a table of contents names."""
    if isinstance(node, list):
        return [e for item in node for e in entries(item)]
    if not isinstance(node, dict):
        return []
    return [v for k, v in node.items() if k in ("file", "root")] + [e for v in node.values() for e in entries(v)]


PAGES = entries(yaml.safe_load((ROOT / "book" / "_toc.yml").read_text()))


def test_every_page_of_the_contents_exists_once():
    missing = [p for p in PAGES if not any((ROOT / f"{p}{end}").exists() for end in (".md", ".ipynb"))]
    assert missing == []
    assert len(PAGES) == len(set(PAGES)) > 0


def test_every_notebook_is_a_page():
    pages = {str(p.relative_to(ROOT).with_suffix("")) for p in NOTEBOOKS}
    assert pages - set(PAGES) == set()


def lost_names(source: str) -> list[str]:
    """What a page's code asks of the library's modules and classes that they do not have, as dotted names."""
    tree, known, lost = ast.parse(source), {}, []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gift_lib"):
            for alias in node.names:
                found = _part(importlib.import_module(node.module), alias.name)
                lost += [] if found is not None else [f"{node.module}.{alias.name}"]
                known[alias.asname or alias.name] = found
    for node in (n for n in ast.walk(tree) if isinstance(n, ast.Attribute)):
        owner = _owner(node.value, known)
        if (inspect.ismodule(owner) or inspect.isclass(owner)) and _part(owner, node.attr) is None:
            lost.append(ast.unparse(node))
    return lost


def _owner(node: ast.expr, known: dict):
    """The module or class that a chain of names stands for, where it starts from an imported one."""
    if isinstance(node, ast.Name):
        return known.get(node.id)
    owner = _owner(node.value, known) if isinstance(node, ast.Attribute) else None
    return _part(owner, node.attr) if inspect.ismodule(owner) or inspect.isclass(owner) else None


def _part(owner, name: str):
    """A module's or class's part of that name: None where there is none."""
    if inspect.ismodule(owner) and not hasattr(owner, name):
        try:
            return importlib.import_module(f"{owner.__name__}.{name}")
        except ImportError:
            return None
    annotated = name in getattr(owner, "__annotations__", {})  # a field without a default
    return getattr(owner, name, owner if annotated else None)


def test_names_that_the_library_lacks_are_found():
    page = "from gift_lib.methods import gift\nfrom gift_lib import metrics, no_such\ngift.Gift.lost\nmetrics.transfer"
    assert lost_names(page) == ["gift_lib.no_such", "gift.Gift.lost"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_what_a_page_asks_of_the_library_is_there(path):
    cells = [c.source for c in nbformat.read(path, 4).cells if c.cell_type == "code"]
    assert lost_names("\n".join(cells)) == []


def only_shows(source: str) -> bool:
    """Whether a cell does nothing but call `pages.*`: a reader of the book wants what it shows."""
    said = [n for n in ast.parse(source).body if not isinstance(n, (ast.Import, ast.ImportFrom))]
    return bool(said) and all(re.match(r"pages\.\w+\(", ast.unparse(n)) and isinstance(n, ast.Expr) for n in said)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_keeps_the_conventions(path):
    notebook = nbformat.read(path, 4)
    nbformat.validate(notebook)
    code = [c for c in notebook.cells if c.cell_type == "code"]
    assert code[0].source == repository.first_cell(), "the first cell installs the library: see CONTRIBUTING.md"
    first = notebook.cells.index(code[0])
    assert all("remove-cell" in c.metadata.get("tags", []) for c in notebook.cells[first - 1 : first + 1]), (
        "the first cell and its sentence are for those who run the notebook, not for the page"
    )
    tagged = [c for c in code if "parameters" in c.metadata.get("tags", [])]
    assert len(tagged) == 1
    assert all(re.fullmatch(r"\w+ = .+", line) for line in tagged[0].source.splitlines() if line[:1] != "#")
    assert [c.id for c in code if c.outputs or c.execution_count] == [], "outputs are not committed"
    longest = 80 if path.stem == "gift_in_one_cell" else LONGEST_CELL  # its very subject
    assert [c.id for c in code if sum(map(bool, c.source.splitlines())) > longest] == []
    assert [c.id for c in code if any(len(line) > WIDEST_LINE for line in c.source.splitlines())] == []
    folded = {"hide-input", "remove-input"}
    open_ = [c.id for c in code if only_shows(c.source) and not folded & set(c.metadata.get("tags", []))]
    assert open_ == [], "what only shows is folded"
    heads = [i for i, c in enumerate(notebook.cells) if re.search(r"^pages\.finding", c.source, re.MULTILINE)]
    around = [c.metadata.tags for i in heads for c in notebook.cells[i - 1 : i + 1]]
    assert around == [["remove-cell"], ["remove-input"]] * len(heads), "a finding stands first: no code, no heralds"
    silent = [
        b.id for a, b in zip(notebook.cells, notebook.cells[1:], strict=False) if {a.cell_type, b.cell_type} == {"code"}
    ]
    assert silent == [], "a sentence stands before every cell"
    assert notebook.metadata.kernelspec.name == "python3"


@pytest.mark.parametrize(
    ("source", "shows"),
    [
        ("pages.table(order, scale)", True), ("from gift_lib.book import pages\n\npages.age()", True),
        ("frame = pages.records()\npages.age(frame)", False), ("import pandas", False), ("x = pages.records()", False),
        ("print(pages.records())", False), ("runs = run(e)\npages.scores(runs)", False),
    ],
)  # fmt: skip
def test_what_only_shows_is_told(source, shows):
    assert only_shows(source) is shows


#: Parts whose pages are looked up rather than read.
UNSUMMED = (
    "book/intro",
    "book/live",
    "book/how-to",
    "notebooks/settings",
    "book/notation",
    "book/api",
    "book/glossary",
    "book/bibliography",
)


@pytest.mark.parametrize("page", [p for p in PAGES if p not in UNSUMMED])
def test_a_chapter_ends_with_a_summary_of_three_lines(page):
    path = ROOT / f"{page}.ipynb"
    text = "\n\n".join(prose(path)) if path.exists() else (ROOT / f"{page}.md").read_text(encoding="utf-8")
    (said,) = re.findall(r"^## Summary\n\n((?:- .+\n?)+)(?=\n## (?:Exercises|Try it)$|\n*\Z)", text, re.MULTILINE)
    code = [c.source for c in nbformat.read(path, 4).cells if c.cell_type == "code"] if path.exists() else []
    (box,) = [re.search(r"pages\.finding(\(.+\))", c)[1] for c in code if "pages.finding" in c] or [""]
    assert (f"pages.result{box}" in code) == bool(box), "the finding that opens a page ends it, too"
    assert said.strip().count("\n") == 2 - bool(box)


#: What only MyST reads: directives, roles, targets, labels of equations, attributes, comments, breaks, substitutions.
MYST = {
    "directive": r"^ {0,3}(:{3,}|`{3,}|~{3,})\s*\{",
    "end of a directive": r"^ {0,3}:{3,}\s*$",
    "role": r"\{[\w:+-]+\}`",
    "target": r"^\([\w-]+\)=\s*$",
    "label": r"\$\$\s*\([\w:-]+\)\s*$",
    "attributes": r"[\])]\{[.#]",
    "comment or break": r"^(%|\+\+\+)",
    "substitution": r"\{\{.+?\}\}",
    "reference without a text": r"(?<!!)\[\]\(|<(project|path|inv|myst):",
}


def raw(text: str) -> list[str]:
    """What a notebook would show as it stands; code is meant to."""
    shown = re.sub(r"^```\w*\n.*?^```$|(?<!\})`[^`\n]+`", "", text, flags=re.DOTALL | re.MULTILINE)
    return [name for name, form in MYST.items() if re.search(form, shown, re.MULTILINE)]


def prose(path) -> list[str]:
    return [c.source for c in nbformat.read(path, 4).cells if c.cell_type == "markdown"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_page_reads_well_as_a_plain_notebook(path):
    assert {cell: found for cell in prose(path) if (found := raw(cell))} == {}
    for cell in prose(path):
        folded = r"^<details>\n<summary>[^<\n]+</summary>\n\n.+?\n\n</details>$"
        opened = re.findall(folded, cell, re.DOTALL | re.MULTILINE)
        assert len(opened) == cell.count("<details>") == cell.count("</details>"), "blank lines, or it stays raw"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (":::{dropdown} Solutions\n1. a\n:::", "directive"), ("```{note}\na\n```", "directive"),
        ("see {doc}`Table 1 <table_1>`", "role"), ("as in {cite:t}`wu2025gift`", "role"), ("(here)=\n# A", "target"),
        ("$$a$$ (eq-a)", "label"), ("[a](b){.c}", "attributes"), ("% a", "comment or break"),
        ("so {{ many }}", "substitution"), ("see [](table_1.ipynb)", "reference without a text"),
        ("a\n:::", "end of a directive"),
    ],
)  # fmt: skip
def test_what_only_the_book_would_read_is_found(text, name):
    assert name in raw(text)
    good = "`{c}` and $x_{i}$ of [Last](../book/glossary.md#term-Last), ![](a.png)\n\n```bash\n% a {b}`c`\n```"
    assert raw(good) == []


def anchors(path) -> set[str]:
    """What a plain link can name in a page of prose: terms of the glossary, works of the bibliography, headings."""
    text = path.read_text(encoding="utf-8")
    found = {re.sub(r"\W+", "-", h.lower()).strip("-") for h in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}
    if "{glossary}" in text:
        terms = re.findall(r"^(?![ :#(\[`])(\S.*)$", text.partition("{glossary}")[2], re.MULTILINE)
        found |= {"term-" + re.sub(r"[^A-Za-z0-9_.]+", "-", t).strip("-") for t in terms}
    if "{bibliography}" in text:
        found |= set(re.findall(r"^@\w+\{(\w+),", (ROOT / "book" / "references.bib").read_text(), re.MULTILINE))
    return found


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_pages_plain_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)\s]+)\)", "\n".join(prose(path))):
        file, _, anchor = target.partition("#")
        if "://" in target or not file:
            continue
        assert (path.parent / file).is_file(), target
        assert str((path.parent / file).resolve().relative_to(ROOT).with_suffix("")) in PAGES, target
        assert not anchor or anchor in anchors(path.parent / file), target


def test_the_book_cites_what_pages_name():
    """Names and year beside a link are those of the work."""
    works = (ROOT / "book" / "references.bib").read_text(encoding="utf-8")
    cited = [m for p in NOTEBOOKS for m in re.findall(r"\[([^\]]+), (\d{4})\]\([^)]*#(\w+)\)", "\n".join(prose(p)))]
    assert len(cited) > 8
    for names, year, key in cited:
        entry = re.search(rf"@\w+\{{{key},(.*?)\n\}}", works, re.DOTALL)[1]
        assert re.search(rf"year\s*=\s*\W?{year}", entry), key
        assert all(n in entry for n in re.split(r" and | et al\.", names) if n), key


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_every_figure_has_a_name_a_caption_and_an_alternative_text(path):
    for cell in nbformat.read(path, 4).cells:
        shown = cell.metadata.get("mystnb", {})
        if "figure" in shown:
            assert shown["figure"].get("name", "").startswith("fig-")
            assert shown["figure"].get("caption")
            assert shown.get("image", {}).get("alt")


def test_figure_names_are_unique():
    cells = [c for p in NOTEBOOKS for c in nbformat.read(p, 4).cells]
    names = [c.metadata.mystnb.figure.name for c in cells if "figure" in c.metadata.get("mystnb", {})]
    assert len(names) == len(set(names))


def test_every_file_agrees_on_the_address():
    """No file holds a GitHub address of this book's name that is not the one in gift_lib.runs.repository."""
    slug = repository.slug(repository.ADDRESS)
    name = slug.split("/")[1]
    for path in repository.places():
        text = path.read_text(encoding="utf-8")
        found = set(re.findall(rf"github(?:\.com)?/([\w.-]+/{re.escape(name)})(?![\w-])", text))
        assert found <= {slug}, path
    assert f'Repository = "{repository.ADDRESS}"' in (ROOT / "pyproject.toml").read_text()
    assert f"url: {repository.ADDRESS}\n" in (ROOT / "_config.yml").read_text()


def test_the_address_is_rewritten_everywhere_and_back(tmp_path):
    places = [p.relative_to(ROOT) for p in repository.places()]
    for place in places:
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_bytes((ROOT / place).read_bytes())
    new = "https://github.com/Some-One/another.book"
    changed = repository.rewrite(new, tmp_path)
    old = repository.slug(repository.ADDRESS)
    assert len(changed) > 3
    assert not [p for p in repository.places(tmp_path) if old in p.read_text(encoding="utf-8")]
    assert new in (tmp_path / "gift_lib" / "runs" / "repository.py").read_text()
    repository.rewrite(repository.ADDRESS, tmp_path, old=new)
    assert all((tmp_path / p).read_bytes() == (ROOT / p).read_bytes() for p in places)


@pytest.mark.parametrize("address", ["", "gift", "https://example.org/a/b", "https://github.com/only-owner"])
def test_a_bad_address_is_one_clear_error(address):
    with pytest.raises(ConfigError, match="OWNER/NAME"):
        repository.slug(address)


def test_records_go_to_the_book_in_a_clone():
    assert repository.in_clone()
    assert repository.records_folder() == ROOT / "book" / "results"


def test_the_fingerprint_moves_with_the_library_and_with_records(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "book" / "_ext")
    from gift_book import fingerprint

    (tmp_path / "gift_lib").mkdir()
    (tmp_path / "book" / "results" / "mini").mkdir(parents=True)
    code, record = tmp_path / "gift_lib" / "a.py", tmp_path / "book" / "results" / "mini" / "r.json"
    seen = {fingerprint(tmp_path)}
    for path, text in ((code, "x = 1"), (code, "x = 2"), (record, "{}"), (record, "[]")):
        path.write_text(text)
        seen.add(fingerprint(tmp_path))
    assert len(seen) == 5
    (tmp_path / "gift_lib" / "__pycache__").mkdir()
    (tmp_path / "gift_lib" / "__pycache__" / "a.pyc").write_bytes(b"1")
    assert fingerprint(tmp_path) in seen


def test_links_between_pages_lead_somewhere():
    """Relative links in prose pages (roles are checked by the strict build)."""
    for page in (p for p in PAGES if (ROOT / f"{p}.md").exists()):
        path = ROOT / f"{page}.md"
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists() or any(
                Path(f"{path.parent / target}{end}").exists() for end in (".md", ".ipynb")
            ), f"{page}: {target}"
