"""Tables in Markdown, between markers that name them: ``<!-- harness:NAME -->`` ... ``<!-- /harness:NAME -->``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Callable, Dict, List, Optional

from harness.report import limits, tables, waiting
from harness.report.recorded import Recorded
from harness.report.table import Table

_BLOCK = r"(<!-- harness:{name} -->\n)(.*?)(<!-- /harness:{name} -->)"
_RECORD = re.compile(r"results/runs/([\w.-]+\.jsonl)")


def _ladder(run: Recorded) -> Optional[Table]:
    return tables.ladder(run, "rust") or tables.ladder(run, "threads")


# What may stand between markers, and the driver whose record it comes from.
BLOCKS: Dict[str, Callable[[Recorded], Optional[Table]]] = {
    "table": tables.overview,
    "ladder": _ladder,
    "corpus": tables.corpus,
    "cold": tables.cold,
    "mixed": tables.mixed,
    "iteration": tables.iteration,
    "opening": tables.opening,
    "latency-reads": lambda run: waiting.latency(run, "reads"),
    "latency-writes": lambda run: waiting.latency(run, "writes"),
    "busy": waiting.busy,
    "stalls": waiting.stalls,
    "threads": lambda run: waiting.sharing(run, "threads"),
    "processes": lambda run: waiting.sharing(run, "processes"),
    "beside": waiting.beside,
    "memory": waiting.memory,
    "stage": tables.stage,
    "limits": limits.headlines,
    "limits-rows": limits.limits,
    "limits-ladder": limits.ladder,
    "limits-callbacks": limits.callbacks,
    "limits-rows-latest": limits.limits,
}
# Of the limits suite the record may be one of the latest Python; until there is one, the place of its tables says so.
_OTHERS = {"stage": "stage", "limits-rows-latest": "limits-latest"}
DRIVERS = {name: _OTHERS.get(name, "limits" if name.startswith("limits") else "sweep") for name in BLOCKS}
UNRECORDED = "There is no record yet: `make limits` makes it.\n"


def named(text: str) -> List[str]:
    """Return the names of the blocks that a page has markers for."""
    return [name for name in BLOCKS if re.search(_BLOCK.format(name=name), text, re.DOTALL)]


def block(text: str, name: str) -> str:
    """Return what stands between the markers."""
    found = re.search(_BLOCK.format(name=name), text, re.DOTALL)
    if found is None:
        raise ValueError(f"no markers of harness:{name}")
    return found.group(2)


def record_of(content: str) -> Optional[str]:
    """Return the file name of the record that a block names."""
    found = _RECORD.search(content)
    return found.group(1) if found else None


def replaced(text: str, name: str, content: str) -> str:
    """Return the page with other content between the markers."""
    pattern = re.compile(_BLOCK.format(name=name), re.DOTALL)
    return pattern.sub(lambda found: found.group(1) + content + found.group(3), text)


def render(name: str, run: Recorded) -> str:
    """Make the content of a block from a record."""
    table = BLOCKS[name](run)
    if table is None:
        raise ValueError(f"results/runs/{run.name} has nothing for harness:{name}")
    return f"{markdown(table)}\n{source(run)}\n"


def source(run: Recorded) -> str:
    """Say where numbers come from: the machine, the record, the command."""
    begin = run.begin
    host = begin["host"]
    machine = f"{host['cpu']}, {host['cores']} cores, {host['file_system']}, Python {host['python']}"
    sync = f"one sync of its disk took {begin['sync_us']:.0f} µs"
    loads = [record["host"]["load_after"]["load1"] for record in run.kind("measurement")]
    busy = f", its load was {min(loads):.1f} to {max(loads):.1f}" if loads else ""
    made = f"Record: `results/runs/{run.name}`, made by `{begin['command']}`."
    return f"{machine}; {sync}{busy}. {made}\n"


def markdown(table: Table) -> str:
    """Return the table in Markdown, the sections as rows in bold."""
    lines = [_row(table.headings), _row(["---"] * len(table.headings))]
    for section, rows in table.sections:
        if section:
            lines.append(_row([f"**{section}**", *[""] * (len(table.headings) - 1)]))
        lines.extend(_row(row) for row in rows)
    return "\n".join(lines) + "\n"


def _row(cells: object) -> str:
    assert isinstance(cells, (list, tuple))
    return "| " + " | ".join(cells) + " |"


def regenerate(page: Path, record_for: Callable[[str], Optional[Path]]) -> List[str]:
    """Write the blocks of a page anew; ``record_for`` names the record of a driver. Return the blocks written."""
    text, done = page.read_text(encoding="utf-8"), []
    for name in named(text):
        path = record_for(DRIVERS[name])
        if path is not None:
            text = replaced(text, name, render(name, Recorded.load(path)))
            done.append(name)
        elif DRIVERS[name].startswith("limits"):
            text = replaced(text, name, UNRECORDED)
    page.write_text(text, encoding="utf-8")
    return done
