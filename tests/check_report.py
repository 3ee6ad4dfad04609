"""Does a report stand on its own in a browser? Exits 1 if not, and says what is wrong.

    python tests/check_report.py [report.html] [--screenshots FOLDER]

Without a report it makes one from made-up tables, and then makes sure that it would notice a bad
page. Needs Debian's chromium and chromium-driver, and selenium.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

DRIVER = "/usr/bin/chromedriver"
WIDTHS = (390, 1280)
HEIGHT = 844
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",  # containers have a small one
)

# What sticks out on the right, but for what stands in a box that scrolls by itself.
OVERFLOWING = """
const width = arguments[0];
const scrolls = e => { for (let p = e.parentElement; p; p = p.parentElement)
    if (['auto', 'scroll'].includes(getComputedStyle(p).overflowX)) return true; return false; };
return [document.documentElement.scrollWidth,
    [...document.body.querySelectorAll('*')]
        .filter(e => e.getBoundingClientRect().right > width + 0.5 && !scrolls(e))
        .slice(0, 5).map(e => e.outerHTML.slice(0, 80))];
"""

IMAGES = """
return [...document.images].map(i => [i.alt, i.complete, i.naturalWidth, i.naturalHeight,
    i.getBoundingClientRect().width, i.checkVisibility()]);
"""

# What unfolds is looked at too.
OPEN = "document.querySelectorAll('details').forEach(d => d.open = arguments[0]);"


@contextmanager
def browser() -> Iterator[webdriver.Chrome]:
    """A headless Chromium with an empty profile, which records requests and the console."""
    with tempfile.TemporaryDirectory() as profile:
        options = Options()
        options.binary_location = "/usr/bin/chromium"
        for flag in (*FLAGS, f"--user-data-dir={profile}", "--hide-scrollbars"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
        driver = webdriver.Chrome(options=options, service=Service(DRIVER))
        try:
            # The browser's own first page asks for things too: forget them.
            driver.get("about:blank")
            for log in ("performance", "browser"):
                driver.get_log(log)
            yield driver
        finally:
            driver.quit()


def requests(driver: webdriver.Chrome) -> list[str]:
    """The addresses the page has asked for."""
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    return [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]


def foreign(address: str, report: Path) -> bool:
    """Whether an address is neither the report itself nor held inside it."""
    parts = urlsplit(address)
    itself = parts.scheme == "file" and Path(unquote(parts.path)) == report
    return not itself and parts.scheme != "data"


def set_width(driver: webdriver.Chrome, width: int, height: int = HEIGHT) -> None:
    """A screen of exactly this width, as a phone has: windows are never that narrow."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def faults(driver: webdriver.Chrome, report: Path, screenshots: Path | None) -> Iterator[str]:
    """Everything that is wrong with the report, in words."""
    set_width(driver, WIDTHS[0])
    driver.get(report.as_uri())
    for width in WIDTHS:
        set_width(driver, width)
        driver.execute_script(OPEN, False)
        if screenshots is not None:
            tall = driver.execute_script("return document.documentElement.scrollHeight")
            set_width(driver, width, tall)
            driver.save_screenshot(str(screenshots / f"report-{width}.png"))
            set_width(driver, width)
        for opened in (False, True):
            driver.execute_script(OPEN, opened)
            scroll_width, culprits = driver.execute_script(OVERFLOWING, width)
            if scroll_width > width or culprits:
                state = "opened" if opened else "closed"
                yield (
                    f"at {width} px (details {state}) the page is {scroll_width} px wide;"
                    f" sticking out: {culprits}"
                )
        images = driver.execute_script(IMAGES)
        if not images:
            yield "there is no figure"
        for alt, complete, natural_width, natural_height, shown, visible in images:
            if not (complete and natural_width > 0 and natural_height > 0 and shown and visible):
                yield f"at {width} px a figure cannot be seen: {alt!r}"
            if not alt:
                yield "a figure has no alternative text"
    n_figures = len(driver.find_elements(By.TAG_NAME, "figure"))
    if n_figures != len(images):
        yield f"there are {n_figures} figures and {len(images)} pictures"
    addresses = requests(driver)
    if report.as_uri() not in addresses:
        yield "the browser's log does not show the report itself: what it loads cannot be judged"
    for address in addresses:
        if foreign(address, report):
            yield f"the report loads {address[:100]}"
    for entry in driver.get_log("browser"):
        if entry["level"] in ("SEVERE", "WARNING"):
            yield f"the console says: {entry['message']}"


def made_up_report(folder: Path) -> Path:
    """A report with every figure, of tables that nothing was measured for."""
    sys.path.insert(0, str(Path(__file__).parent))
    from synthetic_tables import synthetic_tables

    from bipnet.experiments.claims import evaluate_claims
    from bipnet.experiments.report import write_report

    tables = synthetic_tables(n=5, scatter=0.02)
    settings, seconds = {"stop": "last step", "biases": "trained"}, {"made up": 0.0}
    return write_report(tables, evaluate_claims(tables), settings, seconds, folder / "report.html")


BAD_PAGE = """<!DOCTYPE html><html lang="en"><head>
<meta name="viewport" content="width=device-width"></head><body>
<figure><img src="http://127.0.0.1:8/picture.png" alt=""></figure><figure></figure>
<p style="width: 900px">wide</p><script>console.error("oops")</script></body></html>"""

NOTICED = (
    "at 390 px (details closed) the page is",
    "at 390 px a figure cannot be seen",
    "no alternative text",
    "2 figures and 1 pictures",
    "loads http://127.0.0.1:8/picture.png",
    "oops",
)


def overlooked(folder: Path) -> Iterator[str]:
    """Which faults of a page that has them all go unnoticed."""
    page = folder / "bad.html"
    page.write_text(BAD_PAGE, encoding="utf-8")
    with browser() as driver:
        found = list(faults(driver, page.resolve(), None))
    for words in NOTICED:
        if not any(words in fault for fault in found):
            yield f"this check would not notice: {words}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", type=Path, nargs="?")
    parser.add_argument("--screenshots", type=Path, metavar="FOLDER")
    arguments = parser.parse_args()
    if arguments.report is not None and not arguments.report.is_file():
        print(f"no such report: {arguments.report}; name an HTML file", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        report = arguments.report or made_up_report(Path(folder))
        with browser() as driver:
            found = list(faults(driver, report.resolve(), arguments.screenshots))
        if arguments.report is None:
            found += overlooked(Path(folder))
    for fault in found:
        print(f"FAULT: {fault}")
    if not found:
        print(f"the report stands on its own at {' and '.join(map(str, WIDTHS))} px")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
