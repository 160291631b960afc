"""Runs tier check for the tests of the conformance kit."""

import json
import os
import subprocess

TIER = os.environ["TIER"]


def check(*arguments):
    """The exit code and the JSON document."""
    done = subprocess.run([TIER, "check", "--json", *arguments], capture_output=True, text=True)
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr
