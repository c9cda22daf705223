"""Real data: the sources of the running interpreter's standard library, relative path -> bytes of the file."""

from __future__ import annotations

import sysconfig
from functools import lru_cache
from pathlib import Path
from typing import List, Tuple

from harness.workloads import streams
from harness.workloads.micro import hits, sync_hits
from harness.workloads.workload import Items, Params, Workload
from harness.workloads.writers import Hand, deal, sync_writers, writers

_NOT_ITS_OWN = {"site-packages", "dist-packages", "test", "tests", "__pycache__"}


@lru_cache(maxsize=4)
def _sources(count: int, seed: int) -> Tuple[Tuple[str, bytes], ...]:
    library = Path(sysconfig.get_path("stdlib"))
    found = (path for path in library.rglob("*.py") if _NOT_ITS_OWN.isdisjoint(path.relative_to(library).parts))
    paths = sorted(found)
    chosen = streams.draw(Params(seed=seed), "files").sample(paths, min(count, len(paths)))
    return tuple((path.relative_to(library).as_posix(), path.read_bytes()) for path in sorted(chosen))


def files(params: Params) -> Items:
    """Return ``keys`` files drawn from the standard library, fewer where it has fewer."""
    return list(_sources(params.keys, params.seed))


def _names(params: Params) -> List[str]:
    names = ["".join(name) for name, _ in files(params)]
    streams.draw(params, "file reads").shuffle(names)
    return names


def _hands(params: Params) -> List[Hand]:
    """Deal the files to the tasks; each is written with a line more, then as it was."""
    items = files(params)
    streams.draw(params, "file writes").shuffle(items)
    return deal([_edits(items[task :: params.tasks]) for task in range(params.tasks)])


def _edits(items: Items) -> Items:
    return [(name, text + b"\n") for name, text in items] + items


def _count(params: Params) -> int:
    return len(files(params))


def _tasks(params: Params) -> int:
    return params.tasks


FILES_READ = Workload(
    name="files-read",
    version=1,
    question="What does it cost to read a source file that was read before?",
    per="file",
    entries=files,
    state=_names,
    body=hits,
    sync_body=sync_hits,
    step=_count,
)
FILES_WRITTEN = Workload(
    name="files-written",
    version=1,
    question="What does it cost to write a source file when many tasks write at once?",
    per="file",
    entries=files,
    state=_hands,
    body=writers,
    sync_body=sync_writers,
    step=_tasks,
    writes=True,
)
