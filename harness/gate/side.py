"""One side of a pair: a worker process that runs a tree."""

from __future__ import annotations

import os
import selectors
import subprocess
import tempfile
from pathlib import Path
from typing import Optional, Sequence

from harness.gate.bodies import Project
from harness.gate.trees import Tree, TreeError
from harness.measure.remote import ROOT, RemoteWorker, environment


class Side(RemoteWorker):
    """A worker; say `hello` before anything else."""

    def __init__(self, tree: Tree, project: Project, scratch: Path, preload: Sequence[Path] = ()) -> None:
        self._tree = tree
        self._project = project
        self._scratch = scratch
        self._errors = tempfile.TemporaryFile("w+", dir=scratch)
        self._child = subprocess.Popen(
            [str(tree.python), "-m", "harness.gate.worker"],
            cwd=ROOT,
            env={**environment(None), **({"LD_PRELOAD": " ".join(map(str, preload))} if preload else {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            start_new_session=True,
        )
        self._selector = selectors.DefaultSelector()
        assert self._child.stdout is not None
        self._selector.register(self._child.stdout, selectors.EVENT_READ)

    def hello(self) -> None:
        """Pin it, and let it import the package of its tree.

        Raises:
            TreeError: the package came from somewhere else.
        """
        package, file = self._project.package, self._project.file
        found = self.ask("hello", package=package, cpu=processor(), bodies=str(file) if file else None)["file"]
        if not self._tree.holds(found):
            raise TreeError(f"{package} was imported from outside of the tree of {self._tree.revision}")


def processor() -> Optional[int]:
    """Return the processor that both sides share: one clock for both; None where nothing can be pinned."""
    return max(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else None
