"""Published numbers have records, and records have the command that made them."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import List

import pytest

from harness.cli.report import PAGES
from harness.measure.records import read
from harness.measure.remote import ROOT
from harness.powercut import table as powercut
from harness.report.checked import problems
from harness.report.html import page
from harness.report.markdown import named, replaced
from harness.report.recorded import newest
from harness.report.runs import listed_gates, relisted

RESULTS = ROOT / "results"
RUNS = RESULTS / "runs"
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_readme_has_a_table_of_stores() -> None:
    assert "table" in named(README), "README.md has no markers: <!-- harness:table --> ... <!-- /harness:table -->"


@pytest.mark.parametrize("page", PAGES)
def test_the_tables_of_a_page_are_what_their_records_give(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert named(text)
    assert problems(text, RUNS) == []


def test_a_number_without_a_record_is_seen() -> None:
    page = replaced(README, "table", "| hit | 1 ns |\n")
    assert problems(page, RUNS)[0].startswith("harness:table names no record")


def test_a_number_that_the_record_does_not_give_is_seen() -> None:
    changed = re.sub(r"(\d) ns", lambda found: f"{(int(found.group(1)) + 1) % 10} ns", README, count=1)
    assert changed != README
    assert "differs" in problems(changed, RUNS)[0]


def test_a_record_that_is_not_there_is_seen(tmp_path: Path) -> None:
    assert "not in results/runs" in problems(README, tmp_path)[0]


def test_the_lists_of_records_are_what_is_there(tmp_path: Path) -> None:
    text = (RESULTS / "README.md").read_text(encoding="utf-8")
    for folder in ("runs", "gate"):
        (tmp_path / folder).mkdir()
        for record in committed_records(folder):
            shutil.copy(record, tmp_path / folder)
    assert text.count("<!-- harness:") == 2
    assert relisted(text, tmp_path) == text


def test_the_list_of_gates_says_what_was_planted_and_how_often_it_was_found(tmp_path: Path) -> None:
    rate = {"kind": "rate", "question": "found", "found": 9, "of": 10, "low": 0.55, "high": 0.99}
    records = [
        {"kind": "begin", "command": "python -m harness gate --plant time=5% HEAD", "evaluations": 10},
        {"kind": "planted", "effect": 1.052},
        {**rate, "verdicts": {"PASS": 0, "FAIL": 9, "INCONCLUSIVE": 1}},
    ]
    lines = "".join(json.dumps(record) + "\n" for record in records)
    (tmp_path / "a.jsonl").write_text(lines, encoding="utf-8")
    assert "| `gate/a.jsonl` | `python -m harness gate --plant time=5% HEAD` | 5.2% planted; found: 9 of 10, " in (
        listed_gates(tmp_path)
    )


def recorded(folder: Path, name: str, command: str, *, complete: bool = True) -> None:
    """Write a record of a sweep that measured nothing."""
    begin = {"kind": "begin", "driver": "sweep", "command": command}
    lines = [json.dumps(record) for record in (begin, {"kind": "end", "complete": complete})]
    (folder / f"{name}.jsonl").write_text("\n".join([*lines, ""]), encoding="utf-8")


def test_a_part_of_a_sweep_is_not_what_is_published(tmp_path: Path) -> None:
    recorded(tmp_path, "1", "python -m harness run --quick")
    recorded(tmp_path, "2", "python -m harness run --quick --contender control")
    recorded(tmp_path, "3", "python -m harness run --quick --workload hits")
    recorded(tmp_path, "4", "python -m harness run --quick", complete=False)
    assert newest(tmp_path, "sweep") == tmp_path / "1.jsonl"


def committed_records(folder: str = "runs") -> List[Path]:
    """Return the records that git has: whoever has just measured has more of them, and need not list his own."""
    if not (ROOT / ".git").exists():
        return sorted((RESULTS / folder).glob("*.jsonl"))
    command = ["git", "ls-files", "-z", f"results/{folder}/*.jsonl"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [ROOT / name for name in names.split("\0") if name and (ROOT / name).exists()]


@pytest.mark.parametrize("path", committed_records(), ids=lambda path: path.name)
def test_the_list_names_the_command_of_each_record(path: Path) -> None:
    command = read(path)[0]["command"]
    page = (RESULTS / "README.md").read_text(encoding="utf-8")
    assert f"| `runs/{path.name}` | `{command}` |" in page, "python -m harness report lists it"


@pytest.mark.parametrize("path", sorted((RESULTS / "figures").glob("*.png")), ids=lambda path: path.name)
def test_a_figure_comes_from_a_record(path: Path) -> None:
    from PIL import Image

    with Image.open(path) as image:
        assert (RUNS / image.info["Source"]).exists()


def named_in(text: str) -> List[str]:
    """Return the records that a page names."""
    return re.findall(r"results/runs/([\w.-]+\.jsonl)", text)


@pytest.fixture(scope="module")
def written() -> str:
    return page(RESULTS, lambda run: [b"a figure"])


def test_the_page_loads_nothing(written: str) -> None:
    loads = re.findall(r"<(?:script|link|iframe|object)\b|@import|url\(", written)
    loads += re.findall(r'(?:src|href)\s*=\s*"(?!data:)', written)
    assert loads == []


def test_the_page_names_its_records_and_their_commands(written: str) -> None:
    assert named_in(written)
    assert all((RUNS / name).exists() for name in named_in(written))
    assert all(read(RUNS / name)[0]["command"] in html.unescape(written) for name in named_in(written))


def test_the_page_shows_what_each_store_loses_at_a_power_cut(written: str) -> None:
    records = powercut.newest(RESULTS / "trust")
    names = '<td class="name">{}</td>' * 2 + "<td>{}</td>" * 8
    rows = [names.format(*map(html.escape, powercut.cells(record))) for record in records]
    assert len(rows) > 20
    assert all(row in written for row in rows)


def test_the_page_that_is_kept_loads_nothing_and_has_figures() -> None:
    kept = (RESULTS / "report.html").read_text(encoding="utf-8")
    assert kept.count("data:image/png;base64,") >= 5
    assert re.findall(r"<(?:script|link|iframe)\b|src=\"(?!data:)", kept) == []
    assert all((RUNS / name).exists() for name in named_in(kept)), "python -m harness report --html results/report.html"


@pytest.mark.parametrize("path", sorted(path for path in RESULTS.iterdir()), ids=lambda path: path.name)
def test_the_page_of_results_names_each_folder_and_file(path: Path) -> None:
    text = (RESULTS / "README.md").read_text(encoding="utf-8")
    assert f"`{path.name}/`" in text if path.is_dir() else path.name == "README.md" or f"`{path.name}`" in text
