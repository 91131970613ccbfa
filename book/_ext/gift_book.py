"""What this book asks of Sphinx beyond Jupyter Book: no stale output, and a line that says how a page came to be."""

import hashlib
import html
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import dark
import exercises
import said
import tips
from docutils import nodes
from myst_nb.sphinx_ import NbMetadataCollector
from sphinx.application import Sphinx
from sphinx.config import Config
from typeset import typeset

#: Everything that an executed page depends on beside its own cells (those the cache compares itself).
SOURCES = ("gift_lib/**/*", "requirements.txt", "env/requirements.lock", "book/data/**/*", "book/results/**/*",
           "book/bench/*", "notebooks/sweeps/*.yml")  # fmt: skip
IGNORED = ("__pycache__", ".ipynb_checkpoints")


def fingerprint(root: Path) -> str:
    """12 hex digits over the names and bytes of all sources: another library, pin or record gives another."""
    total = hashlib.sha256()
    files = {p for pattern in SOURCES for p in root.glob(pattern) if p.is_file() and not set(p.parts) & set(IGNORED)}
    for path in sorted(files):
        total.update(path.relative_to(root).as_posix().encode() + b"\0")
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()[:12]


def cache_folder(root: Path) -> str:
    """Where executed pages are kept: a folder named after the fingerprint, so that nothing stale is ever found."""
    return str(root / "_build" / ".execution" / fingerprint(root))


def set_environment(root: Path) -> None:
    """Let kernels import this clone's library, and make figures and controls that need no kernel."""
    paths = [str(root), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))
    os.environ["GIFT_STATIC"] = "1"
    os.environ.setdefault("TQDM_DISABLE", "1")


def prepare_execution(app: Sphinx, config: Config) -> None:
    """Point the build to the cache of this very state of the book."""
    root = Path(app.srcdir)
    config.nb_execution_cache_path = cache_folder(root)
    config.gift_fingerprint = Path(config.nb_execution_cache_path).name
    set_environment(root)


def provenance(app: Sphinx, docname: str) -> str:
    """One line of HTML for an executed page, nothing for prose."""
    executed = NbMetadataCollector.get_exec_data(app.env, docname)
    if not executed:
        return ""
    day = datetime.fromtimestamp(executed["mtime"], UTC)
    seconds = executed["runtime"] or 0.0
    text = (
        f"Executed on {day.day} {day:%B %Y} in {seconds:.0f} s with gift_lib {_version()}, code and records "
        f"{app.config.gift_fingerprint}."
    )
    return f'<p class="gift-provenance">{html.escape(text)}</p>'


def add_provenance(app: Sphinx, pagename: str, templatename: str, context: dict, doctree: object) -> None:
    """Put the line under the page's title, and set the page's numbers well."""
    if doctree is not None and "body" in context:
        context["body"] = typeset(context["body"])
    line = provenance(app, pagename) if doctree is not None else ""
    if line and "</h1>" in context.get("body", ""):
        context["body"] = context["body"].replace("</h1>", "</h1>\n" + line, 1)


def let_links_reach(app: Sphinx, doctree: nodes.document) -> None:
    """Let the plain links that notebooks use, `glossary.md#term-Avg`, `bibliography.md#key`, reach terms and works.

    MyST itself only knows headings. A link to what is not there stays a warning, which a strict build refuses.
    """
    page, cite = app.env.docname, app.env.get_domain("cite")
    slugs = app.env.metadata[page].setdefault("myst_slugs", {})
    slugs |= {i: (0, i, term.astext()) for term in doctree.findall(nodes.term) for i in term["ids"]}
    here = (b.citation_nodes for key, b in cite.bibliographies.items() if key.docname == page)
    slugs |= {key: (0, work["ids"][0], key) for works in here for key, work in works.items()}


def slim(app: Sphinx, exception: Exception | None) -> None:
    """Empty the theme's script of every icon there is (1.5 MB): the icons in use come from its web fonts too."""
    script = Path(app.outdir) / "_static" / "scripts" / "fontawesome.js"
    if exception is None and script.exists():
        script.write_text("// Icons come from the web fonts.\n", encoding="utf-8")


#: The page that draws, the scripts that it needs in their order, and where `make live` puts its networks.
LIVE_PAGE = "book/live"
LIVE_SCRIPTS = ("load.js", "manifest.js", "noise.js", "draw.js", "name.js", "page.js")
LIVE_FILES = "build/live"


def add_live_scripts(app: Sphinx, pagename: str, templatename: str, context: dict, doctree: object) -> None:
    """Only the page that draws carries its scripts; its networks come when the reader asks for them."""
    if pagename == LIVE_PAGE:
        app.add_css_file("live/live.css")
        for name in LIVE_SCRIPTS:
            app.add_js_file(f"live/{name}")


def place_live_files(app: Sphinx) -> list[str]:
    """Put scripts and networks into the static files. Without networks the manifest is empty, and the page says so."""
    target = Path(app.outdir) / "_static" / "live"
    shutil.rmtree(target, ignore_errors=True)
    made = Path(app.srcdir) / LIVE_FILES
    if made.is_dir():
        shutil.copytree(made, target)
    shutil.copytree(Path(app.srcdir) / "book" / "live", target, dirs_exist_ok=True)
    if not (target / "manifest.js").exists():
        (target / "manifest.js").write_text("giftLive.manifest = null;\n", encoding="utf-8")
    return []


def _version() -> str:
    from gift_lib import __version__

    return __version__


def setup(app: Sphinx) -> dict[str, object]:
    app.add_config_value("gift_fingerprint", "", "env")
    app.connect("config-inited", prepare_execution, priority=100)
    app.connect("doctree-read", let_links_reach)
    app.connect("html-page-context", add_provenance)
    app.connect("html-page-context", add_live_scripts)
    app.connect("html-collect-pages", place_live_files)
    app.connect("build-finished", slim)
    exercises.setup(app)
    tips.setup(app)
    said.setup(app)
    dark.setup(app)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
