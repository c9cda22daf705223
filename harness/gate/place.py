"""One place where all that is counted seems to lie.

The lengths of paths decide where objects lie in memory, and that how often the tables of the interpreter and of malloc
collide: 0.5 to 5 % of the instructions between two checkouts of one commit.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterator

from harness.gate.plant import TURNS
from harness.gate.trees import Tree, TreeError
from harness.measure.remote import ROOT

PLACE = Path("/var/tmp/asyncdictsqlite-counted")
_ASK = """
import importlib.util, json, sys, sysconfig
spec = importlib.util.find_spec(sys.argv[1])
if spec is None or spec.origin is None:
    sys.exit(f"{sys.argv[1]} is not installed")
print(json.dumps([sys._base_executable, sysconfig.get_path("purelib"), spec.origin]))
"""


@dataclass(frozen=True)
class Place:
    """The interpreter without its environment, links to what it imports, and a folder for database files."""

    python: str
    folder: Path

    @property
    def databases(self) -> Path:
        return self.folder / "databases"

    def environment(self) -> Dict[str, str]:
        """Return the same variables in every shell: they lie in memory, too, and move what comes after them."""
        kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", TURNS) if name in os.environ}
        return {
            "PATH": os.defpath,
            "LANG": "C.UTF-8",
            "PYTHONHASHSEED": "0",
            "PYTHONPATH": os.pathsep.join(str(self.folder / name) for name in ("source", "site")),
            "PYTHONPYCACHEPREFIX": str(self.folder / "compiled"),
            **kept,
        }


@contextmanager
def placed(tree: Tree, package: str) -> Iterator[Place]:
    """Have a tree at the place; one at a time.

    Raises:
        TreeError: its Python does not have the package.
    """
    ask = [str(tree.python), "-c", _ASK, package]
    done = subprocess.run(ask, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise TreeError((done.stderr.strip().splitlines() or ["its Python said nothing"])[-1])
    python, site, origin = json.loads(done.stdout)
    with open(f"{PLACE}-{os.getuid()}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.rmtree(PLACE, ignore_errors=True)
        try:
            place = Place(python, PLACE)
            place.databases.mkdir(parents=True)
            for name, target in (("harness", ROOT / "harness"), ("source", Path(origin).parents[1]), ("site", site)):
                (PLACE / name).symlink_to(target)
            yield place
        finally:
            shutil.rmtree(PLACE, ignore_errors=True)
