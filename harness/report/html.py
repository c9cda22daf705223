"""One page of all there is: tables and figures of the newest records in a single file that loads nothing."""

from __future__ import annotations

import base64
from html import escape
from pathlib import Path
from typing import Callable, Iterable, List, Optional

from harness.powercut import table as powercut
from harness.report import history, limits, tables
from harness.report.markdown import source
from harness.report.recorded import Recorded, newest
from harness.report.table import Table

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #111827; max-width: 84rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.6rem } h2 { font-size: 1.15rem; margin: 2.2rem 0 .4rem } p { color: #374151; max-width: 60rem }
figure { margin: 1rem 0 } img { max-width: 100%; height: auto } .wide { overflow-x: auto }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums }
th, td { padding: .2rem .7rem .2rem 0; text-align: right; white-space: nowrap; border-bottom: 1px solid #e5e7eb }
th { color: #374151; border-bottom-color: #9ca3af } .name { text-align: left }
.class { font-weight: 600; color: #374151 }
"""
_INTRODUCTION = (
    "Every number comes from a record that the command beside it makes again. Stores are sorted by what an "
    "acknowledged write survives: numbers of different classes do not compare. Times are medians (quartiles)."
)
_ABOUT_LOSSES = (
    "What was gone of acknowledged calls after simulated power cuts, and after kills (cuts that keep all that was "
    "written). A loss is a broken promise only where something was promised: docs/durability.md explains each column. "
    "Made by python -m harness.powercut run; its records are in results/trust."
)

Draw = Callable[[Recorded], Iterable[bytes]]  # PNG files


def page(results: Path, draw: Draw) -> str:
    """Return the page for the records in ``results``, its figures inlined."""
    sections: List[str] = []
    for driver, tables_of in (("stage", _stage), ("sweep", tables.sweep_tables), ("pytest-benchmark", _blocks)):
        path = newest(results / "runs", driver)
        if path is not None:
            run = Recorded.load(path)
            images = [_image(png) for png in draw(run)] if driver == "sweep" else []
            sections += [f"<p>{_source(run)}</p>", *images, *map(_table, tables_of(run))]
    for latest in (False, True):
        path = limits.pick(results / "runs", latest=latest)
        if path is not None:
            run = Recorded.load(path)
            sections += [f"<p>{_source(run)}</p>", _table(limits.limits(run))]
    sections += _lost(results / "trust")
    sections += _history(results / "asv")
    return _document(sections)


def _stage(run: Recorded) -> List[Table]:
    return [tables.stage(run)]


def _blocks(run: Recorded) -> List[Table]:
    return [tables.blocks(run)]


def _lost(folder: Path) -> List[str]:
    records = powercut.newest(folder)
    if not records:
        return []
    found = Table("What a power cut and a kill lose", powercut.HEADINGS, [("", list(map(powercut.cells, records)))])
    return [f"<p>{escape(_ABOUT_LOSSES)}</p>", _table(found)]


def _history(folder: Path) -> List[str]:
    commits = history.load(folder)
    found: List[Optional[Table]] = [history.table(commits), history.written(commits)]
    return [_table(table) for table in found if table is not None]


def _source(run: Recorded) -> str:
    """Set what stands in backquotes as code."""
    parts = escape(source(run).strip()).split("`")
    return "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))


def _image(png: bytes) -> str:
    return f'<figure><img alt="" src="data:image/png;base64,{base64.b64encode(png).decode()}"></figure>'


def _table(table: Table) -> str:
    rows = []
    for section, found in table.sections:
        if section:
            rows.append(f'<tr><td class="name class" colspan="{len(table.headings)}">{escape(section)}</td></tr>')
        rows += [_row(cells, "td", table.names) for cells in found]
    head = _row(table.headings, "th", table.names)
    body = "\n".join(rows)
    return f'<h2>{escape(table.title)}</h2>\n<div class="wide"><table>\n{head}\n{body}\n</table></div>'


def _row(cells: Iterable[str], tag: str, names: int) -> str:
    marks = (' class="name"' if number < names else "" for number, _ in enumerate(cells))
    return "<tr>" + "".join(f"<{tag}{mark}>{escape(cell)}</{tag}>" for cell, mark in zip(cells, marks)) + "</tr>"


def _document(sections: List[str]) -> str:
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Results</title>'
    body = "\n".join(sections)
    return (
        f'<!doctype html>\n<html lang="en"><head>{head}<style>{_STYLE}</style></head>\n'
        f"<body><h1>asyncdictsqlite: results</h1>\n<p>{_INTRODUCTION}</p>\n{body}\n</body></html>\n"
    )
