"""Finds a Chromium or Chrome for the browser tests; `python -m tests.browser` installs one if need be."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from playwright.sync_api import sync_playwright

WAIT_MS = 30_000
"""For what a page is to show by itself, on a machine that has much else to do."""

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
APPLICATIONS = (Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),)


def executable() -> Path | None:
    """An installed browser, else Playwright's own, else None."""
    installed = [Path(path) for path in map(shutil.which, PROGRAMS) if path]
    return next((path for path in [*installed, *APPLICATIONS, playwrights_own()] if path.exists()), None)


def playwrights_own() -> Path:
    with sync_playwright() as playwright:
        return Path(playwright.chromium.executable_path)


def install() -> None:
    if os.geteuid() == 0 and _is_debian():
        _run("apt-get", "update", "-qq")
        if _run("apt-get", "install", "-y", "-qq", "chromium"):
            return
    _run(sys.executable, "-m", "playwright", "install", "chromium")


def _run(*command: str) -> bool:
    variables = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.call(command, env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) == 0


def _is_debian() -> bool:
    with suppress(OSError):
        return platform.freedesktop_os_release().get("ID") == "debian"
    return False


def main() -> None:
    if executable():
        return
    print("Installing a browser for the browser tests")
    install()
    if not executable():
        sys.exit("No browser for the browser tests: install Chromium or Chrome, then say `make test` again.")


if __name__ == "__main__":
    main()
