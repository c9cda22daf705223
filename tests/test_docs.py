"""Whatever the documentation shows is run, and what it lists is complete.

The snippets of a page are one session: they run in order, in one namespace and a folder of its own, and may await at
the top level. ``python tests/test_docs.py docs/guide.md`` runs a page by itself. Its language says what is done with a
snippet: ``python`` runs; one that begins with ``# name.py`` is that module; ``toml`` is the metadata of an installed
package; of ``sh`` the lines run that begin with ``python -m asyncdictsqlite``; ``py`` and others are only shown.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import os
import pickle
import re
import shlex
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any, Dict, Iterator, List, NamedTuple

import pytest

import asyncdictsqlite
from asyncdictsqlite import AsyncDictError, AsyncDictSQLite, registry
from asyncdictsqlite.protocol import Capability, Engine
from harness.cli.report import PAGES as COMPARED
from harness.report.markdown import BLOCKS

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINKING = [*PAGES, ROOT / "CHANGELOG.md", ROOT / "SECURITY.md", *sorted(ROOT.glob("*/README.md"))]

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
# What a record gives stands between markers; their names are those of the tables that test_results.py compares.
_MEASURED = re.compile(r"<!-- harness:([\w-]+) -->.*?<!-- /harness:\1 -->", re.DOTALL)
_MARKER = re.compile(r"<!-- harness:([\w-]+) -->")
_QUOTED = re.compile(r"\b(?:300|43)-fold\b")  # what dictsqlite says of itself, and docs/features.md answers
_WORDS = "two|three|four|five|six|seven|eight|nine|ten|twelve|twenty|fifty|hundreds?|thousands?|half"
_COUNT = rf"(?:\d[\d.,]*|\b(?:{_WORDS}))"
_SPEED = re.compile(
    rf"""
    \d\s?(?:[nuµμm]s|[kM]?\s?ops|[kMG]?i?B\s?/\s?s(?:ec)?|/\s?s(?:ec)?)\b   # 200 ns/op, 3 µs, 12 ops/s, 10 MB/s, 1000/s
    | {_COUNT}[-\s](?:nano|micro|milli)seconds?\b
    | \b\d[\d.,]*\s?[x\xd7](?![\w\xd7]|\s\d)                           # 12x
    | {_COUNT}[-\s]?fold\b
    | {_COUNT}\s(?:times|%)\s(?:faster|quicker|cheaper)\b
    | (?:{_COUNT}\stimes|\bhalf|\btwice|\bthrice)\s(?:as\s(?:fast|slow|quick|cheap)|the\s(?:speed|time|cost)|slower)\b
    | {_COUNT}\s?(?:k|M|million|thousand)?\s?\w+\s(?:a|per|each)\s(?:milli)?second\b   # 10,000 writes a second
    """,
    re.IGNORECASE | re.VERBOSE,
)


class Block(NamedTuple):
    """A fenced block of a page; `line` is the one before its first."""

    language: str
    line: int
    text: str


def blocks(page: Path) -> List[Block]:
    text = page.read_text(encoding="utf-8")
    return [Block(found[1], text.count("\n", 0, found.start(2)), found[2]) for found in _BLOCK.finditer(text)]


# ---- a page as a session: in a child ----------------------------------------------------------------------


def run_page(page: Path) -> int:
    """Run the blocks of a page in the current folder; return how many ran."""
    sys.path.insert(0, os.getcwd())
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    make_old_file()
    session = sys.modules["__main__"] = ModuleType("__main__")  # pickle looks there for the page's classes
    loop = asyncio.new_event_loop()
    try:
        return sum(run_block(page, block, vars(session), loop) for block in blocks(page))
    finally:
        loop.close()


def run_block(page: Path, block: Block, namespace: Dict[str, Any], loop: asyncio.AbstractEventLoop) -> bool:
    module = re.match(r"# (\w+\.py)\n", block.text)
    if block.language == "python" and module:
        Path(module[1]).write_text(block.text, encoding="utf-8")
    elif block.language == "python":
        run_python(page, block, namespace, loop)
    elif block.language == "sh":
        run_commands(block)
    elif block.language == "toml":
        install(block)
    else:
        return False
    return True


def run_python(page: Path, block: Block, namespace: Dict[str, Any], loop: asyncio.AbstractEventLoop) -> None:
    source = "\n" * block.line + block.text  # a traceback then names the page's own line
    code = compile(source, str(page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    result = eval(code, namespace)
    if inspect.iscoroutine(result):
        loop.run_until_complete(result)


def run_commands(block: Block) -> None:
    for line in block.text.splitlines():
        words = shlex.split(line)
        if words[:3] == ["python", "-m", "asyncdictsqlite"]:
            subprocess.run([sys.executable, *words[1:]], check=True, timeout=20, stdout=subprocess.DEVNULL)


def install(block: Block) -> None:
    """Make the metadata that pip would make of these entry points."""
    folder = Path("page-1.0.dist-info")
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: page\nVersion: 1.0\n", encoding="utf-8")
    points = re.sub(r'^\[project\.entry-points\."(.*)"\]$', r"[\1]", block.text, flags=re.MULTILINE).replace('"', "")
    (folder / "entry_points.txt").write_text(points, encoding="utf-8")


def make_old_file() -> None:
    """Make a file as dictsqlite 2.1.3 makes it."""
    connection = sqlite3.connect("old.db")
    connection.execute("CREATE TABLE kv_store(key TEXT PRIMARY KEY, value BLOB NOT NULL, tier INTEGER DEFAULT 2)")
    rows = [("greeting", pickle.dumps("hello")), ("users:1", pickle.dumps({"name": "Ada"}))]
    connection.executemany("INSERT INTO kv_store(key, value) VALUES (?, ?)", rows)
    connection.commit()
    connection.close()


# ---- tests ------------------------------------------------------------------------------------------------


def pytest_generate_tests(metafunc: Any) -> None:
    named = {"page": [page for page in PAGES if blocks(page)], "linking": [page for page in LINKING if page.exists()]}
    for name, pages in named.items():
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, pages, ids=[str(page.relative_to(ROOT)) for page in pages])
    if "backend" in metafunc.fixturenames:
        metafunc.parametrize("backend", ["auto", "threads"])


def test_snippets_run(page: Path, backend: str, tmp_path: Path) -> None:
    paths = os.pathsep.join(filter(None, sys.path))
    environment = {**os.environ, "PYTHONPATH": paths, "ADSQ_BACKEND": backend}
    command = [sys.executable, "-W", "error", __file__, str(page)]
    ended = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=50, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == "", "a snippet runs without a warning"
    assert int(ended.stdout.split()[0]) > 0


def test_links_into_the_repository_lead_somewhere(linking: Path) -> None:
    text = linking.read_text(encoding="utf-8")
    broken = [link for link in _LINK.findall(text) if ":" not in link and not leads_somewhere(linking, link)]
    assert broken == []


def leads_somewhere(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    return target.exists() and (not anchor or anchor in anchors(target))


def anchors(page: Path) -> Iterator[str]:
    """Name the headings of a page as links do."""
    for heading in _HEADING.findall(page.read_text(encoding="utf-8")):
        yield re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_the_contract_is_the_suites_own() -> None:
    suites = Path(asyncdictsqlite.__file__).parent / "testing" / "contract.md"
    assert (ROOT / "docs" / "contract.md").read_bytes() == suites.read_bytes(), f"copy {suites} to docs/contract.md"


def test_no_speed_is_claimed_outside_of_the_measured_tables(linking: Path) -> None:
    text = _QUOTED.sub("", _MEASURED.sub("", linking.read_text(encoding="utf-8")))
    assert [line for line in text.splitlines() if _SPEED.search(line)] == []


def test_what_stands_between_markers_is_compared_with_its_record(linking: Path) -> None:
    text, page = linking.read_text(encoding="utf-8"), linking.relative_to(ROOT).as_posix()
    names = _MARKER.findall(text)
    assert len(names) == len(_MEASURED.findall(text)) == len(set(names)), "each marker opens and closes once"
    known = {"runs", "gates"} if page == "results/README.md" else {*BLOCKS} if page in COMPARED else set()
    assert [name for name in names if name not in known] == []


CLAIMS = (
    "12x", "12 \N{MULTIPLICATION SIGN}", "1.5x faster", "300-fold", "ten-fold", "3 us", "3 µs", "3 μs", "3us",
    "200 ns/op", "200ns", "0.2 ms", "5 milliseconds", "twelve times faster", "3 times as fast", "twice as fast",
    "half the time", "40 % faster", "10,000 writes a second", "2 million operations per second", "1000 ops/s",
    "100 MB/s", "5000/s", "50k ops",
)  # fmt: skip
NO_CLAIMS = (
    "a second plus one flush", "0.5 s", "value of 8 KiB", "0x1f", "2 x 2 x 2 cases", "at most 3 % slower", "two tables",
    "100,000 rows", "three backends", "`flush_interval=0.2`", "Python 3.9", "4096 tasks", "twice in a row",
)  # fmt: skip


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_claim_of_speed_is_seen(claim: str) -> None:
    assert _SPEED.search(f"It takes {claim}, mostly.")


@pytest.mark.parametrize("text", NO_CLAIMS)
def test_what_is_no_claim_of_speed_is_let_through(text: str) -> None:
    assert not _SPEED.search(f"It takes {text}, mostly.")


def test_readme_tells_who_which_and_what() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    headings = _HEADING.findall(readme)
    for heading in ("Who it is for", "Which mode to choose", "What each durability class means", "Several processes"):
        assert heading in headings
    assert "lazy, the default, can lose a second plus one flush of acknowledged writes" in readme
    assert "make bench" in readme
    assert "make test" in readme
    assert _MEASURED.search(readme), "the place of the table"


def test_guide_lists_every_option_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (?:`(.*?)` )?\|", section("Options"), re.MULTILINE))
    parameters = inspect.signature(AsyncDictSQLite.__init__).parameters
    assert list(rows) == [name for name in parameters if name != "self"]
    for name, shown in rows.items():
        assert parameters[name].default == (ast.literal_eval(shown) if shown else inspect.Parameter.empty), name


def test_guide_lists_every_error_with_a_base_of_it() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| `(\w+)` \|", section("Errors"), re.MULTILINE))
    classes = {name: getattr(asyncdictsqlite, name) for name in asyncdictsqlite.__all__ if name != "AsyncDictSQLite"}
    assert sorted(rows) == sorted(classes)
    builtins = vars(__import__("builtins"))
    for name, base in rows.items():
        assert issubclass(classes[name], classes.get(base) or builtins[base]), f"{name}: {base}"


def test_guide_lists_every_statistic() -> None:
    rows = re.findall(r"^\| (`.*?`) \|", section("Stats"), re.MULTILINE)
    shown = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    told = {name for backend in loadable() for name in statistics(backend)}
    assert told <= shown
    assert shown <= told or len(loadable()) < len(registry.names())


def loadable() -> List[str]:
    found = []
    for name in registry.names():
        with contextlib.suppress(AsyncDictError):
            registry.load(name)
            found.append(name)
    return found


def statistics(backend: str) -> Dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder, AsyncDictSQLite(Path(folder) / "a.db", backend=backend) as db:
        return db.stats()


def test_guide_names_every_method() -> None:
    guide = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
    methods = {name for name in dir(AsyncDictSQLite) if name[0] != "_"}
    assert [name for name in sorted(methods) if not re.search(rf"\b{name}\b", guide)] == []


def test_backends_page_lists_the_engine_and_every_capability() -> None:
    text = (ROOT / "docs" / "backends.md").read_text(encoding="utf-8")
    methods = {name for name, member in vars(Engine).items() if inspect.isfunction(member) and name[0] != "_"}
    assert set(re.findall(r"^\| `(\w+)\(", text, re.MULTILINE)) == methods
    named = {name for row in re.findall(r"^\| (`[A-Z].*?) \|", text, re.MULTILINE) for name in re.findall(r"\w+", row)}
    assert named == {capability.name for capability in Capability}


def section(heading: str) -> str:
    """Return what the guide has under a heading."""
    guide = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
    return guide.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


if __name__ == "__main__":
    print(f"{run_page(Path(sys.argv[1]).resolve())} snippets ran")
