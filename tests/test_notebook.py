"""The notebook reads what was recorded, runs, and keeps its outputs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any, Dict, List

import pytest

from harness.measure.remote import ROOT

TEXT = ROOT / "notebooks" / "analysis.py"
KEPT = TEXT.with_suffix(".ipynb")

RUN = """
import sys
from pathlib import Path
import jupytext
from harness.report.notebook import executed
sys.stdout.write(jupytext.writes(executed(Path(sys.argv[1])), fmt="ipynb"))
"""


def code(notebook: Dict[str, Any]) -> List[Dict[str, Any]]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def printed(cell: Dict[str, Any]) -> str:
    return "".join("".join(output["text"]) for output in cell["outputs"] if output["output_type"] == "stream")


@pytest.fixture(scope="module")
def kept() -> Dict[str, Any]:
    found: Dict[str, Any] = json.loads(KEPT.read_text(encoding="utf-8"))
    return found


def test_it_runs_over_what_is_recorded_now() -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(TEXT)], cwd=ROOT, capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    cells = code(json.loads(done.stdout))
    assert [cell["source"] for cell in cells if not cell["outputs"]] == []


def test_its_text_is_the_script(kept: Dict[str, Any]) -> None:
    import jupytext

    cells = [(cell.cell_type, cell.source) for cell in jupytext.read(TEXT).cells]
    assert [(cell["cell_type"], "".join(cell["source"])) for cell in kept["cells"]] == cells


def test_its_outputs_are_kept(kept: Dict[str, Any]) -> None:
    assert [cell["source"] for cell in code(kept) if not cell["outputs"]] == []
    assert [output for cell in code(kept) for output in cell["outputs"] if output["output_type"] == "error"] == []


def test_its_outputs_name_a_record_that_is_there(kept: Dict[str, Any]) -> None:
    found = re.search(r"^record +(\S+\.jsonl)$", printed(code(kept)[0]), re.MULTILINE)
    assert found is not None
    assert (ROOT / "results" / "runs" / found.group(1)).exists()


def test_it_times_nothing() -> None:
    words = ("import time", "perf_counter", "timeit", "%time", "harness.measure", "harness.suites", "asyncdictsqlite")
    assert [word for word in words if word in TEXT.read_text(encoding="utf-8")] == []


def test_it_names_no_place_of_a_machine(kept: Dict[str, Any]) -> None:
    said = "".join(printed(cell) for cell in code(kept))
    assert [word for word in (str(ROOT), "/home/", "/root/", "/tmp/") if word in said] == []
