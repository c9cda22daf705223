"""What the gate runs: bodies of the workloads on one store each, and the project they belong to."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Optional, Tuple

from harness.measure.case import Case
from harness.workloads import Params

CPU = 1.02  # most instructions of HEAD for one of BASE: one thread
THREADED = 1.03  # the same where threads meet
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Body:
    """One body that is judged.

    Attributes:
        limit: most instructions of HEAD for each of BASE.
        weighed: whether its instructions are compared; not where they depend on how often threads sleep.
        timed: whether its time is compared.
        counted: operations of the run whose write counters are compared; 0 for none.
        commit_after: calls that a commit waits for while they are counted: the script by which writes arrive.
    """

    name: str
    case: Case
    limit: float = CPU
    weighed: bool = True
    timed: bool = True
    counted: int = 0
    commit_after: int = 0


@dataclass(frozen=True)
class Project:
    """What is built and judged; ``build`` is a shell command that runs in a tree and leaves wheels in ``$WHEELS``."""

    repository: Path
    package: str
    build: str
    bodies: Tuple[Body, ...]
    file: Optional[Path] = None


_BUILD = (
    'rust=$(sh .ci/rust.sh) && PATH="$rust:$PATH" "$PYTHON" -m maturin build --quiet --release --compatibility linux '
    '--interpreter "$PYTHON" --out "$WHEELS"'
)
_ANY_BUILD = '"$PYTHON" -m pip --quiet wheel --no-deps --wheel-dir "$WHEELS" .'
_QUIET = {"flush_interval": 3600.0}  # what is in memory only is not flushed meanwhile


def _ours(name: str, workload: str, configuration: str, *, backend: str = "rust", **more: Any) -> Body:
    """Return a body; what is no field of `Params` belongs to the body itself."""
    params = Params(**{key: more.pop(key) for key in list(more) if key in Params.__dataclass_fields__})
    options = _QUIET if configuration == "lazy" else {}
    return Body(name, Case(workload, backend, configuration, params, options), **more)


BODIES = (
    _ours("hits", "hits", "lazy"),
    _ours("sets-memory", "sets", "memory"),
    _ours("reads-batch", "reads-batch", "lazy", batch=100),
    _ours("hits-threads", "hits", "lazy", backend="threads"),
    _ours("cold-reads", "cold-reads", "writethrough-normal", limit=THREADED),
    _ours("sets", "sets", "writethrough-normal", limit=THREADED, weighed=False, counted=1024),
    _ours("rows-single", "rows-single", "writethrough-full", limit=THREADED, timed=False, counted=1000),
    _ours("rows-batch", "rows-batch", "writethrough-normal", batch=100, limit=THREADED, counted=5000),
    _ours("writers", "writers", "writethrough-normal", tasks=16, limit=THREADED, counted=1600, commit_after=16),
)
CONTROL = Body("control", Case("hits", "control", "dict"))
OURS = Project(ROOT, "asyncdictsqlite", _BUILD, BODIES)


def load(file: Path) -> Project:
    """Return the project that a Python file describes: ``PACKAGE``, ``BODIES``, and ``BUILD`` where pip would not do.

    The file may add to `harness.contenders.CONTENDERS` and `harness.workloads.WORKLOADS`; it runs in the workers, too.

    Raises:
        ValueError: it describes none.
    """
    found = run(file)
    package, bodies = found.get("PACKAGE"), found.get("BODIES")
    if not isinstance(package, str) or not isinstance(bodies, (list, tuple)) or not bodies:
        raise ValueError(f"{file.name} has no PACKAGE (the name to import) or no BODIES (a list of harness.gate Body)")
    if not all(isinstance(body, Body) for body in bodies):
        raise ValueError(f"{file.name}: BODIES has something that is no harness.gate.bodies.Body")
    names = [body.name for body in bodies]
    if len({*names, CONTROL.name}) <= len(names):
        raise ValueError(f"{file.name}: names of BODIES must differ, and none may be {CONTROL.name!r}")
    file = file.resolve()
    return Project(_repository(file), package, str(found.get("BUILD", _ANY_BUILD)), tuple(bodies), file)


def run(file: Path) -> Dict[str, Any]:
    """Run a file of bodies; return its names."""
    spec = importlib.util.spec_from_file_location("gate_bodies", file)
    if spec is None or spec.loader is None:
        raise ValueError(f"{file.name} is no Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ValueError(f"{file.name}: {type(error).__name__}: {error}") from error
    return vars(module)


def _repository(file: Path) -> Path:
    for folder in file.parents:
        if os.path.exists(folder / ".git"):
            return folder
    raise ValueError(f"{file.name} is in no git repository: it says which project is judged")
