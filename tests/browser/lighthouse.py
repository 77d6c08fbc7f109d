"""Lighthouse on the landing page and the app: `make lighthouse`. Needs Node 20, npm and Chromium.

Says the median of three runs of each, on the simulated slow phone, and fails below the bars. Not
a test: it measures, and what it measures depends on what else the machine does. npm fetches it
into a temporary folder.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.browser.conftest import ARGUMENTS
from tests.browser.serving import serving
from tests.browser.shots import ROOT

PACKAGE = "lighthouse@12.2.3"  # the last of its line that npm installs on Node 20 without a word
RUNS = 3
TRIES = 3  # of a run: on a busy machine Chromium sometimes does not answer in time
SCORES = ("performance", "accessibility", "best-practices", "seo")
TIMES = ("first-contentful-paint", "largest-contentful-paint", "total-blocking-time")
BARS: Mapping[str, Mapping[str, float]] = {
    "landing": {"performance": 95, "accessibility": 100, "best-practices": 95, "seo": 100},
    "app": {"accessibility": 100},
}
FIRST_PAINT = 2_500  # ms, of the app


def look(folder: Path, address: str, cookie: str) -> dict[str, float]:
    """Scores from 0 to 100 and times in milliseconds."""
    headers, report = folder / "headers.json", folder / "report.json"
    headers.write_text(json.dumps({"Cookie": cookie} if cookie else {}))
    command = ["npx", "--prefix", str(folder), "lighthouse", address, "--quiet", "--output=json"]
    command += [f"--output-path={report}", f"--extra-headers={headers}"]
    command += [f"--chrome-flags=--headless=new {' '.join(ARGUMENTS[:-1])}"]
    for _ in range(TRIES):
        report.unlink(missing_ok=True)
        ran = subprocess.run(command, check=False, capture_output=True, text=True)
        if ran.returncode == 0:
            break
    else:
        sys.exit(f"Lighthouse could not look at {address}:\n{ran.stderr[-2000:]}")
    told: dict[str, Any] = json.loads(report.read_text())
    found = {name: round(100 * told["categories"][name]["score"]) for name in SCORES}
    return found | {name: told["audits"][name]["numericValue"] for name in TIMES}


def main() -> None:
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not chromium or not shutil.which("npx"):
        sys.exit("Lighthouse needs Node with npm, and Chromium.")
    os.environ["CHROME_PATH"] = chromium
    models = (ROOT / ".cache" / "models").resolve()
    missed = []
    with (
        tempfile.TemporaryDirectory(dir="/tmp") as folder,
        serving(Path(folder, "service"), models) as service,
    ):
        tools = Path(folder)
        install = ["npm", "install", "--silent", "--prefix", folder, "--save-exact", PACKAGE]
        subprocess.run(install, check=True)
        for page, cookie in (("landing", ""), ("app", service.cookie("Ada"))):
            runs = [look(tools, f"{service.settings.origin}/", cookie) for _ in range(RUNS)]
            median = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
            print(page, *(f"{name} {value:.0f}" for name, value in median.items()), sep="\n  ")
            bars = BARS[page]
            missed += [f"{page} {name}" for name, bar in bars.items() if median[name] < bar]
        if median["first-contentful-paint"] >= FIRST_PAINT:
            missed.append("app first-contentful-paint")
    if missed:
        sys.exit(f"Below the bar: {', '.join(missed)}")


if __name__ == "__main__":
    main()
