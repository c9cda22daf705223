"""Records: one JSON object per line, written as soon as it is known, ended by a line that says whether all is there."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import uuid
from datetime import datetime, timezone
from importlib import util
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Dict, List, Optional, Type

SCHEMA = 1
Record = Dict[str, Any]

_ABSOLUTE = re.compile(r"(?<![\w.:/])(?:/[\w.+@~-]+){2,}/?")


class RecordFile:
    """The file of one run; every line carries the run's identity.

    A block that is left by an exception ends the file with ``complete: false``: what was measured stays.
    """

    def __init__(self, folder: Path, driver: str, machine: str, root: Path) -> None:
        now = datetime.now(timezone.utc)
        commit, dirty = git_state(root)
        self.path = folder / f"{now:%Y-%m-%dT%H%M%SZ}-{machine}-{commit}.jsonl"
        self.records: List[Record] = []
        self._identity = {
            "schema": SCHEMA,
            "run": uuid.uuid4().hex[:12],
            "driver": driver,
            "machine": machine,
            "commit": commit,
            "dirty": dirty,
            "package_hash": package_hash(),
        }
        self._file: Optional[IO[str]] = None

    def resume(self, path: Path) -> None:
        """Go on with a run of the same commit and package that did not come to its end, under its identity.

        Raises:
            ValueError: it is of another commit, package or machine, or it is complete.
        """
        found = read(path)
        if not found or is_complete(found):
            raise ValueError(f"{path.name} is complete: there is nothing to go on with")
        identity = {name: found[0][name] for name in self._identity}
        for name in ("schema", "driver", "machine", "commit", "dirty", "package_hash"):
            if identity[name] != self._identity[name]:
                raise ValueError(f"{path.name} has another {name}: {identity[name]}, here it is {self._identity[name]}")
        self.path, self._identity = path, identity
        self.records = _whole([record for record in found if record["kind"] != "end"])

    def __enter__(self) -> RecordFile:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.records:
            kept = self.path.with_suffix(".part")
            kept.write_text("".join(json.dumps(record) + "\n" for record in self.records), encoding="utf-8")
            kept.replace(self.path)
        self._file = self.path.open("a" if self.records else "x", encoding="utf-8")
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.add("end", complete=kind is None, records=len(self.records))
        assert self._file is not None
        self._file.close()

    def add(self, kind: str, **fields: Any) -> Record:
        """Append one record and hand it to the operating system."""
        assert self._file is not None
        utc = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        record = {**self._identity, "kind": kind, "utc": utc, **fields}
        self.records.append(record)
        self._file.write(json.dumps(record, sort_keys=False) + "\n")
        self._file.flush()
        return record


def _whole(records: List[Record]) -> List[Record]:
    """Leave the group out that was last begun: it may have been interrupted."""
    titles = [record.get("title") for record in records if record.get("title")]
    return [record for record in records if not titles or record.get("title") != titles[-1]]


def read(path: Path) -> List[Record]:
    """Return the records of a file in run order; a last line without an end was being written by a killed process."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


def is_complete(records: List[Record]) -> bool:
    """Whether the run came to its end."""
    return bool(records) and records[-1]["kind"] == "end" and bool(records[-1]["complete"])


def without_paths(text: str) -> str:
    """Replace absolute paths by their last part, and lines by spaces: fit for a record."""
    return _ABSOLUTE.sub(lambda found: found.group().rstrip("/").rsplit("/", 1)[1], " ".join(text.split()))


def git_state(root: Path) -> Any:
    """Return the commit, shortened, and whether the tree differs from it; ``unknown`` outside of a repository."""
    try:
        commit = _git(root, "rev-parse", "--short=10", "HEAD")
        return commit, bool(_git(root, "status", "--porcelain", "--", ".", ":!results"))
    except (OSError, subprocess.CalledProcessError):
        return "unknown", True


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def package_hash() -> str:
    """Return a hash of the package under test, its extension included."""
    spec = util.find_spec("asyncdictsqlite")
    if spec is None or spec.origin is None:
        return "not installed"
    folder = Path(spec.origin).parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".py", ".so"):
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]
