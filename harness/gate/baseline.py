"""The counters that this repository keeps of itself: measured here, compared with what was committed."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional

from harness.gate import instructions, writes
from harness.gate.bodies import BODIES, OURS, Body
from harness.gate.counting import INSTRUCTIONS, WRITES
from harness.gate.trees import Tree, TreeError
from harness.measure import syncs
from harness.measure.case import Case
from harness.measure.host import cpu_model
from harness.measure.remote import ROOT, environment
from harness.workloads import Params

BASELINES = ROOT / "results" / "baselines"
SCHEMA = 1
VALGRIND = "valgrind"
# Of instructions; counts of writes are exact. The names and sizes of files that are mapped still move what lies in
# memory: 0.3 % from one checkout to the next, but 1.2 % where the pickler looks addresses up in its memo.
TOLERANCE = 0.01
PICKLED = 0.03

# Nothing is flushed while instructions are counted.
_QUIET = {"flush_interval": 3600.0, "max_unsaved": 10**7, "max_unsaved_bytes": 2**31}


def _cpu(name: str, workload: str, configuration: str, **params: Any) -> Body:
    options = _QUIET if configuration == "lazy" else {}
    return Body(name, Case(workload, "rust", configuration, Params(**params), options))


CPU = (
    _cpu("hits", "hits", "lazy"),
    _cpu("hits-memory", "hits", "memory"),
    _cpu("hits-dict", "hits", "memory", value_kind="dict"),
    _cpu("sets-memory", "sets", "memory"),
    _cpu("sets-lazy", "sets", "lazy"),
    _cpu("sets-dict", "sets", "memory", value_kind="dict"),
    _cpu("reads-batch", "reads-batch", "memory", batch=1000),
    _cpu("sets-batch", "sets-batch", "memory", batch=1000),
    _cpu("sets-pairs", "sets-pairs", "memory", batch=1000),
    _cpu("gathers", "gathers", "lazy"),
    _cpu("cold-reads", "cold-reads", "writethrough-normal", keys=2000),
)

Counters = Dict[str, Dict[str, float]]  # body -> counter -> for each operation, or of the whole block (writes)


class Moved(NamedTuple):
    """A counter that is not what it was; None where one side has none."""

    body: str
    counter: str
    before: Optional[float]
    now: Optional[float]


class NotCountedError(Exception):
    """A process that counts failed; the message is one line."""


def key() -> Dict[str, str]:
    """Return what must be equal where counters are compared."""
    import asyncdictsqlite._rust as rust

    return {
        "machine": platform.machine(),
        "cpu": f"{cpu_model()} {_cpu_flags()}",  # libc chooses its functions by them
        "python": f"{platform.python_implementation()} {platform.python_version()} {platform.python_compiler()}",
        "rustc": _said(["sh", "-c", 'rust=$(sh .ci/rust.sh) && "$rust/rustc" --version']),
        "sqlite": f"{rust.sqlite_version()} built in, {sqlite3.sqlite_version} of Python",
        "libc": " ".join(platform.libc_ver()),
        VALGRIND: _said(["valgrind", "--version"]) if not instructions.missing() else "none",
    }


def _cpu_flags() -> str:
    info = Path("/proc/cpuinfo")
    text = info.read_text(encoding="utf-8") if info.exists() else ""
    found = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", text, re.MULTILINE)
    return hashlib.sha256(found.group(1).encode()).hexdigest()[:8] if found else "unknown"


def _said(command: List[str]) -> str:
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def path_of(facts: Dict[str, str], folder: Path = BASELINES) -> Path:
    """Return the file of a key."""
    named = {name: value for name, value in facts.items() if name != VALGRIND}
    digest = hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()[:8]
    version = re.sub(r"[^0-9.]", "", facts["python"].split()[1])
    return folder / f"cpython-{version}-{facts['machine']}-{digest}.json"


def measured(scratch: Path, step: Callable[[str], None]) -> Counters:
    """Count: instructions where there is valgrind, writes where a library can be preloaded.

    Raises:
        NotCountedError: a body failed.
    """
    found: Counters = {}
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        if not instructions.missing():
            step("instructions")
            try:
                counts = instructions.counted(_here(), OURS, CPU)
            except TreeError as error:
                raise NotCountedError(str(error)) from error
            found.update((name, {INSTRUCTIONS: min(runs)}) for name, runs in counts.items())
        for body in (body for body in BODIES if body.counted):
            step(f"writes: {body.name}")
            found[f"{body.name} of {body.counted}"] = _written(body, Path(folder))
    return found


def _here() -> Tree:
    """Return this interpreter, with the package that it imports."""
    return Tree("this tree", "", True, ROOT, Path(sys.executable), "")


def _written(body: Body, folder: Path) -> Dict[str, float]:
    libraries = [library for library in (syncs.build(folder)[0], writes.build(folder)) if library is not None]
    preload = {"LD_PRELOAD": " ".join(map(str, libraries))} if libraries else {}
    store = folder / f"store-{body.name}"
    store.mkdir()
    command = [sys.executable, "-m", "harness.gate.counted", json.dumps(body.case.as_json()), str(store)]
    command += [str(body.counted), str(body.commit_after)]
    env = {**environment(None), **preload}
    done = subprocess.run(command, cwd=ROOT, env=env, check=False, capture_output=True, text=True)
    shutil.rmtree(store, ignore_errors=True)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise NotCountedError(f"{body.name} was not counted: {said}")
    counters = json.loads(done.stdout)
    return {name: counters[name] for name in WRITES if name in counters}


def moved(before: Counters, now: Counters) -> List[Moved]:
    """Return what differs, of instructions by more than the tolerance, or is on one side only."""
    pairs = sorted({(body, name) for counters in (before, now) for body in counters for name in counters[body]})
    found = [Moved(body, name, before.get(body, {}).get(name), now.get(body, {}).get(name)) for body, name in pairs]
    return [one for one in found if not _same(one)]


def _same(one: Moved) -> bool:
    if one.before is None or one.now is None:
        return False
    return abs(one.now - one.before) <= (_tolerance(one.body) * one.before if one.counter == INSTRUCTIONS else 0.0)


def _tolerance(body: str) -> float:
    pickled = any(cpu.name == body and cpu.case.params.value_kind == "dict" for cpu in CPU)
    return PICKLED if pickled else TOLERANCE


def load(path: Path, facts: Dict[str, str]) -> Optional[Counters]:
    """Return what a baseline has to compare with here, None where there is none: instructions are left out unless the
    same valgrind counts them.
    """
    if not path.exists():
        return None
    kept = json.loads(path.read_text(encoding="utf-8"))
    counters: Counters = kept["counters"]
    if kept["key"].get(VALGRIND) == facts.get(VALGRIND):
        return counters
    return without_instructions(counters)


def without_instructions(counters: Counters) -> Counters:
    """Leave the instructions out, and what has no other counter."""
    others = {body: {name: found[name] for name in found if name != INSTRUCTIONS} for body, found in counters.items()}
    return {body: found for body, found in others.items() if found}


def has_instructions(counters: Counters) -> bool:
    """Whether a body has them."""
    return any(INSTRUCTIONS in found for found in counters.values())


def save(path: Path, facts: Dict[str, str], counters: Counters) -> None:
    """Write a baseline."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"schema": SCHEMA, "key": facts, "counters": counters}, indent=2, sort_keys=True)
    unfinished = path.with_suffix(f".{os.getpid()}")
    unfinished.write_text(text + "\n", encoding="utf-8")
    unfinished.replace(path)
