"""Where pairs of workers come from: fresh processes of both trees."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Sequence

from harness.gate.bodies import Project
from harness.gate.paired import Pair
from harness.gate.side import Side
from harness.gate.trees import Tree


class Stand:
    """Both trees of one project, and a folder for their stores."""

    def __init__(self, project: Project, base: Tree, head: Tree, scratch: Path, preload: Sequence[Path]) -> None:
        self.project = project
        self.base = base
        self.head = head
        self.scratch = scratch
        self.preload = preload

    @contextmanager
    def timed(self, restart: int) -> Iterator[Pair]:
        """Give a fresh pair on one processor, head started first in every second restart; nothing is preloaded."""
        for tree in (self.base, self.head):
            tree.lay_out_anew()
        with self._pair((), swapped=bool(restart % 2)) as pair:
            yield pair

    @contextmanager
    def counted(self) -> Iterator[Pair]:
        """Give a fresh pair whose syncs and writes are counted."""
        with self._pair(self.preload) as pair:
            yield pair

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """Give an empty folder."""
        folder = Path(tempfile.mkdtemp(prefix="stores-", dir=self.scratch))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def _pair(self, preload: Sequence[Path], *, swapped: bool = False) -> Iterator[Pair]:
        trees = (self.head, self.base) if swapped else (self.base, self.head)
        sides = [Side(tree, self.project, self.scratch, preload) for tree in trees]
        try:
            for side in sides:
                side.hello()
            yield (sides[1], sides[0]) if swapped else (sides[0], sides[1])
        finally:
            for side in sides:
                side.close()
