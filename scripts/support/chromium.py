"""Finds Chromium for the tests that need a browser, and installs missing packages."""

import os
import shutil
import subprocess
from pathlib import Path

from stack import ROOT

PROBE = ["--headless=new", "--no-sandbox", "--disable-gpu", "--dump-dom", "data:text/html,<p>shown</p>"]


def install(packages):
    """Installs the packages whose sign (a program or a path) is missing; only as root on Debian or Ubuntu."""
    missing = [
        package for sign, package in packages.items()
        if not (Path(sign).exists() if sign.startswith("/") else shutil.which(sign))]
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run([ROOT / "scripts" / "install-packages", *missing], stdout=subprocess.DEVNULL)


def find():
    """The path of Chromium; an empty string if it is missing or cannot show a page, as in some sandboxes."""
    program = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not program:
        return ""
    try:
        probe = subprocess.run(
            [program, *PROBE], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return program if "shown" in probe.stdout else ""
