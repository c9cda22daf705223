"""The notebooks read what was recorded, run, and keep their outputs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List

import pytest

from harness.measure.remote import ROOT
from harness.report.notebook import texts

RUN = """
import sys
from pathlib import Path
import jupytext
from harness.report.notebook import executed
sys.stdout.write(jupytext.writes(executed(Path(sys.argv[1])), fmt="ipynb"))
"""

pytestmark = pytest.mark.parametrize("text", texts(), ids=lambda text: text.stem)


def code(notebook: Dict[str, Any]) -> List[Dict[str, Any]]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def printed(notebook: Dict[str, Any]) -> str:
    outputs = [output for cell in code(notebook) for output in cell["outputs"] if output["output_type"] == "stream"]
    return "".join("".join(output["text"]) for output in outputs)


@pytest.fixture
def kept(text: Path) -> Dict[str, Any]:
    found: Dict[str, Any] = json.loads(text.with_suffix(".ipynb").read_text(encoding="utf-8"))
    return found


def test_it_runs_over_what_is_recorded_now(text: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(text)], cwd=ROOT, capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    cells = code(json.loads(done.stdout))
    assert [cell["source"] for cell in cells if not cell["outputs"]] == []


def test_its_text_is_the_script(text: Path, kept: Dict[str, Any]) -> None:
    import jupytext

    cells = [(cell.cell_type, cell.source) for cell in jupytext.read(text).cells]
    assert [(cell["cell_type"], "".join(cell["source"])) for cell in kept["cells"]] == cells


def test_its_outputs_are_kept(text: Path, kept: Dict[str, Any]) -> None:
    assert [cell["source"] for cell in code(kept) if not cell["outputs"]] == []
    assert [output for cell in code(kept) for output in cell["outputs"] if output["output_type"] == "error"] == []


def test_its_outputs_name_records_that_are_there(text: Path, kept: Dict[str, Any]) -> None:
    runs = re.findall(r"^record +(\S+\.jsonl)$", printed(kept), re.MULTILINE)
    commits = re.findall(r"^  ([0-9a-f]{8})[0-9a-f]{2}  \d{4}-", printed(kept), re.MULTILINE)
    assert runs or commits
    assert [name for name in runs if not (ROOT / "results" / "runs" / name).exists()] == []
    assert [name for name in commits if not list((ROOT / "results" / "asv").glob(f"*/{name}-*.json"))] == []


def test_it_times_nothing(text: Path, kept: Dict[str, Any]) -> None:
    words = ("import time", "perf_counter", "timeit", "%time", "harness.measure", "harness.suites", "asyncdictsqlite")
    assert [word for word in words if word in text.read_text(encoding="utf-8")] == []


def test_it_names_no_place_of_a_machine(text: Path, kept: Dict[str, Any]) -> None:
    assert [word for word in (str(ROOT), "/home/", "/root/", "/tmp/") if word in printed(kept)] == []


def test_the_page_of_the_notebooks_names_it(text: Path) -> None:
    page = (ROOT / "notebooks" / "README.md").read_text(encoding="utf-8")
    assert f"]({text.stem}.ipynb)" in page
