"""``python -m harness.probes NAME ARGUMENTS FOLDER``: run one, print what it found as JSON."""

from __future__ import annotations

import importlib
import json
import os
import sys


def main() -> None:
    """Run a probe in an empty folder; leave without cleaning up."""
    name, arguments, folder = sys.argv[1:]
    found = importlib.import_module(f"harness.probes.{name}").run(folder, **json.loads(arguments))
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()
    os._exit(0)


main()
