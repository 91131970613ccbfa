"""A headless Chromium with every host but this one blocked, and what it has to say about a page."""

import contextlib
import functools
import http.server
import importlib.util
import json
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

WIDTHS = (1280, 390)
MISSING = "needs Chromium and its driver, for example: apt-get install chromium chromium-driver"
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)  # fmt: skip


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A file server that does not print every request."""

    def log_message(self, *_: Any) -> None:
        """Nothing."""


class Server(http.server.ThreadingHTTPServer):
    """A server to which it is nothing that a browser hangs up."""

    def handle_error(self, *_: Any) -> None:
        """Nothing."""


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on this machine; yields its address."""
    handler = functools.partial(Quiet, directory=str(folder))
    with Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """A driven browser; skips the test where there is none."""
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (binary and driver):
        pytest.skip(MISSING)
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = binary
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        browser = webdriver.Chrome(options, webdriver.ChromeService(driver))
        try:
            # A window without a screen may never have the focus, and pages then hear of none.
            browser.execute_cdp_cmd("Emulation.setFocusEmulationEnabled", {"enabled": True})
            yield browser
        finally:
            browser.quit()


def resize(browser: Any, width: int, height: int = 900) -> None:
    """Lay pages out for a screen of this width in CSS pixels."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def visit(browser: Any, address: str) -> list[str]:
    """Load a page, wait until its formulas are set, and list what is wrong with it."""
    browser.get_log("browser"), browser.get_log("performance")
    browser.get(address)
    browser.set_script_timeout(60)
    browser.execute_async_script(SETTLE)
    host = address.split("/book/")[0].split("/notebooks/")[0]
    return script_errors(browser) + external_requests(browser, host) + browser.execute_script(FAULTS)


SETTLE = """
const done = arguments[0];
const shown = [...document.images].filter(i => i.getClientRects().length);
for (const image of shown) image.loading = "eager";
const formulas = window.MathJax && MathJax.startup ? MathJax.startup.promise : Promise.resolve();
const images = shown.map(i => i.complete ? null : new Promise(r => { i.onload = i.onerror = r; }));
Promise.all([formulas, document.fonts.ready, ...images]).then(() => setTimeout(done, 150));
"""

FAULTS = """
const faults = [];
for (const i of document.images)
  if (i.getClientRects().length && !i.naturalWidth && !(i.currentSrc || i.src).endsWith(".svg"))
    faults.push("broken image " + i.src);
const width = document.documentElement.clientWidth;
if (document.documentElement.scrollWidth > width) {
  const wide = [...document.querySelectorAll("main *")].filter(e => e.getBoundingClientRect().right > width + 1);
  faults.push(`overflow: ${document.documentElement.scrollWidth} > ${width}, ` +
    wide.slice(0, 3).map(e => e.tagName + "." + e.className).join(" "));
}
for (const t of document.querySelectorAll(".bd-article table:not(.gift-matrix)"))
  if (t.checkVisibility() && t.scrollWidth > t.clientWidth + 2 && !t.classList.contains("gift-more"))
    faults.push("a table goes on unseen: " + t.textContent.slice(0, 80));
for (const i of document.querySelectorAll(".bd-article img.only-dark"))
  if (i.parentElement.checkVisibility() && !i.getClientRects().length === !i.nextElementSibling.getClientRects().length)
    faults.push("a figure is shown twice or never: " + i.src);
for (const i of document.querySelectorAll("main img:not([alt])")) faults.push("image without alt text " + i.src);
for (const e of document.querySelectorAll("mjx-merror, .jupyter-widgets-view, script[type*='widget-view']"))
  faults.push("not shown: " + e.outerHTML.slice(0, 80));
return faults;
"""


def script_errors(browser: Any) -> list[str]:
    """Severe console messages since the last call."""
    return [f"console: {m['message']}" for m in browser.get_log("browser") if m["level"] == "SEVERE"]


def external_requests(browser: Any, host: str) -> list[str]:
    """Requests to anything but the page's own host; the browser's own pages (its first tab) ask for `chrome:`."""
    events = (json.loads(m["message"])["message"] for m in browser.get_log("performance"))
    asked = (e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent")
    return [f"external: {u}" for u in asked if not u.startswith((host, "data:", "blob:", "about:", "chrome:"))]


def dress(browser: Any, address: str, theme: str) -> None:
    """Make the pages of this host light or dark from now on."""
    browser.get(address)
    browser.execute_script("for (const k of ['mode', 'theme']) localStorage.setItem(k, arguments[0]);", theme)


def axe() -> str:
    """The script of axe-core, from the package that brings it."""
    spec = importlib.util.find_spec("axe_core_python")
    if spec is None:
        pytest.skip("needs axe: pip install axe-core-python")
    return (Path(spec.submodule_search_locations[0]) / "axe.min.js").read_text(encoding="utf-8")


def barriers(browser: Any, script: str) -> list[str]:
    """What axe finds serious or critical on the page at hand."""
    browser.set_script_timeout(300)  # a long page on a busy machine
    browser.execute_script(script)
    return browser.execute_async_script(AXE)


AXE = """
const done = arguments[0];
axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) => done(violations
  .filter(v => ["serious", "critical"].includes(v.impact))
  .map(v => `${v.id}: ${v.nodes.slice(0, 3).map(n => n.target.join(" ")).join(" | ")}`)));
"""


# The controls of gift_lib.book.widgets


def choose(browser: Any, **chosen: str) -> None:
    """Set selects of the explorer by their names, `_` standing for a space."""
    for name, value in chosen.items():
        browser.execute_script(CHOOSE, name.replace("_", " "), value)


def frames(browser: Any, places: list[tuple[int, int]]) -> list[dict]:
    """The one frame that is to be seen after each (slider, position)."""
    seen = []
    for k, at in places:
        browser.execute_script(SLIDE, k, at)
        (one,) = browser.execute_script(SHOWN)
        seen.append(one)
    return seen


CHOOSE = """
const [name, value] = arguments;
const s = document.querySelector(`[data-kind=explorer] [data-choice="${name}"]`);
s.value = value;
s.dispatchEvent(new Event("change", { bubbles: true }));
"""

SLIDE = """
const [k, at] = arguments;
const s = document.querySelectorAll("[data-kind=frames] input[type=range]")[k];
s.value = at;
s.dispatchEvent(new Event("input", { bubbles: true }));
"""

SHOWN = """
const box = document.querySelector("[data-kind=frames]");
const seen = [...box.querySelectorAll("[data-frame]")].filter(f => f.checkVisibility());
return seen.map(f => ({
  text: f.querySelector(".gift-said").textContent,
  picture: (f.querySelector("img") || {}).src || f.innerHTML,
  said: [...box.querySelectorAll("output")].map(o => o.textContent),
  width: f.getBoundingClientRect().width,
}));
"""

CELLS = """
return [...document.querySelectorAll(".gift-matrix tbody tr:has(.gift-zero, .gift-learned, .gift-current)")]
  .map(r => [...r.cells].filter(c => !c.matches(".gift-margin")).map(c => c.innerText));
"""
