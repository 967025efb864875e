"""The Chromium of the tests that need a browser, and packages that are missing for them."""

import os
import shutil
import subprocess
from pathlib import Path

from stack import ROOT

PROBE = ["--headless=new", "--no-sandbox", "--disable-gpu", "--dump-dom", "data:text/html,<p>shown</p>"]


def install(packages):
    """Installs those whose sign (a program or a path) is not there: as root, on Debian or Ubuntu."""
    missing = [
        package for sign, package in packages.items()
        if not (Path(sign).exists() if sign.startswith("/") else shutil.which(sign))]
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run([ROOT / "scripts" / "install-packages", *missing], stdout=subprocess.DEVNULL)


def find():
    """Chromium, where it is there and can show a page: not every sandbox lets it. Else an empty string."""
    program = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not program:
        return ""
    try:
        probe = subprocess.run(
            [program, *PROBE], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return program if "shown" in probe.stdout else ""
