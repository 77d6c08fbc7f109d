"""The networks that a new service begins with, fetched before it starts.

In a process of its own: reading weights needs torch, and what waits for the processes of a service
must stay small.
"""

import logging
import subprocess
import sys

from app.settings import Settings
from inference.catalog import CATALOG
from inference.installed import ModelFolder
from inference.options import DEFAULT_MODEL
from inference.tether import tethered

NAMES = (DEFAULT_MODEL, "realesrgan-x4plus-anime-6b", "realesr-animevideov3")
"""Photos, drawings, and something fast: the three that every source offers."""

log = logging.getLogger(__name__)


def fetch_missing(settings: Settings) -> None:
    """Fetch those that are not installed, each with a progress bar on a terminal.

    A folder in which an operator has put models is left as it is: somebody chose. A failure keeps
    nothing from starting: what is stored must be served and deleted all the same.
    """
    installed = set(ModelFolder(settings.models_dir).names())
    missing = [name for name in NAMES if name not in installed]
    if not missing or installed - {listed.name for listed in CATALOG}:
        return
    command = (sys.executable, "-m", "app", "models", "pull", *missing)
    done = subprocess.run(tethered(command), check=False)
    if done.returncode:
        log.error("models_missing", extra={"missing": missing})
