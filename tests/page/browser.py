"""Headless Chromium, where there is one."""

import pathlib
import shutil
import subprocess
import tempfile

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def run(*arguments):
    with tempfile.TemporaryDirectory() as profile:
        return subprocess.run(
            [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             f"--user-data-dir={profile}", *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=120, check=True).stdout


def dump_dom(path, width=375):
    """The document as the browser holds it, in a window of that width."""
    address = pathlib.Path(path).resolve().as_uri()
    return run(f"--window-size={width},800", "--dump-dom", address).decode("utf-8")
