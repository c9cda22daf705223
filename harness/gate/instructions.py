"""Instructions of each body, counted by valgrind's cachegrind: the difference of two runs, one with more operations."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Sequence

from harness.gate.bodies import CPU, Body, Project
from harness.gate.place import Place, placed
from harness.gate.trees import Tree, TreeError

# Operations of a body that is CPU alone, or not. Starting up takes some 50,000 instructions more or less: many
# operations make that nothing.
_OPERATIONS = {True: 100_000, False: 10_000}
_TIMEOUT_S = 300
_VALGRIND = ("valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null")
_COUNTED = re.compile(r"I\s+refs:\s+([\d,]+)")


def missing() -> str:
    """Say what to install; nothing if it is there."""
    there = shutil.which("valgrind")
    return "" if there else "instructions are not counted: install valgrind (on Debian: apt-get install valgrind)"


def counted(tree: Tree, project: Project, bodies: Sequence[Body]) -> Dict[str, List[float]]:
    """Return the instructions of one operation of each body: of two runs where threads meet.

    Raises:
        TreeError: a body fails under valgrind.
    """
    with placed(tree, project.package) as place:
        return _Counting(tree, project, place).counted(bodies)


@dataclass(frozen=True)
class _Counting:
    tree: Tree
    project: Project
    place: Place

    def counted(self, bodies: Sequence[Body]) -> Dict[str, List[float]]:
        self._compile(bodies)
        found: Dict[str, List[float]] = {}
        runs = [body for body in bodies for _ in range(1 if body.limit == CPU else 2)]
        with ThreadPoolExecutor(2) as pool:
            for body, count in zip(runs, pool.map(self._of, runs)):
                found.setdefault(body.name, []).append(count)
        return found

    def _of(self, body: Body) -> float:
        step = body.case.workload.step(body.case.params)
        n = -(-_OPERATIONS[body.limit == CPU] // step) * step
        few, many = (self._run(body, blocks) for blocks in ([step], [step, n]))
        return round((many - few) / n, 3)

    def _compile(self, bodies: Sequence[Body]) -> None:
        """Let Python write the byte code of all that is imported: who must compile it would count that, too."""
        for body in {body.case.contender_name: body for body in bodies}.values():
            self._alone(body, [body.case.workload.step(body.case.params)], ())

    def _run(self, body: Body, blocks: List[int]) -> int:
        done = self._alone(body, blocks, _VALGRIND)
        found = _COUNTED.search(done.stderr)
        if done.returncode or found is None:
            lines = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("==")]
            raise TreeError(f"{body.name} failed under valgrind: {(lines or ['it said nothing'])[-1]}")
        return int(found.group(1).replace(",", ""))

    def _alone(self, body: Body, blocks: List[int], under: Sequence[str]) -> subprocess.CompletedProcess[str]:
        folder = Path(tempfile.mkdtemp(prefix="db-", dir=self.place.databases))
        request = {
            "package": self.project.package,
            "tree": str(self.tree.folder),
            "cpu": None,
            "bodies": str(self.project.file) if self.project.file else None,
            "case": body.case.as_json(),
            "folder": str(folder),
            "commit_after": body.commit_after,
            "blocks": blocks,
        }
        command = [*under, self.place.python, "-m", "harness.gate.alone", json.dumps(request)]
        cwd, env = self.place.folder, self.place.environment()
        try:
            return subprocess.run(
                command, cwd=cwd, env=env, check=False, capture_output=True, text=True, timeout=_TIMEOUT_S
            )
        except subprocess.TimeoutExpired as error:
            raise TreeError(f"{body.name} took more than {_TIMEOUT_S} s under valgrind") from error
        finally:
            shutil.rmtree(folder)
