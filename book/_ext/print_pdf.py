"""Print the book, built as a single page, into one PDF file with a headless Chromium.

python book/_ext/print_pdf.py _build/single/_build/singlehtml _build/gift-book.pdf
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
#: No network, and as much time of the page's own clock as MathJax needs for the whole book.
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=120000", "--no-pdf-header-footer",
)  # fmt: skip


def page(folder: Path) -> Path:
    """The single page, put where its relative addresses lead somewhere: Sphinx writes it one folder too deep."""
    found = folder / "book" / "intro.html"
    if not found.exists():
        raise SystemExit(f"{found} is not there. Run `make pdf`, which builds it.")
    return Path(shutil.copy(found, folder / "all.html"))


def browser() -> str:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise SystemExit("a PDF needs Chromium to print it, for example: apt-get install chromium")
    return found


def print_page(source: Path, target: Path) -> None:
    """Print one page; a SystemExit that says why where no PDF comes of it."""
    target.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [browser(), *FLAGS, f"--user-data-dir={profile}", f"--print-to-pdf={target}", source.as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if not target.exists():
        raise SystemExit(f"Chromium printed nothing ({done.returncode}): {done.stderr[-500:]}")


def main() -> None:
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    folder, target = (Path(a).resolve() for a in sys.argv[1:])
    print_page(page(folder), target)
    print(f"The book is in {target} ({target.stat().st_size / 1e6:.1f} MB)")


if __name__ == "__main__":
    main()
