"""How the figures look: one colour for each contender, one line for each configuration, no clutter."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Tuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from harness.measure.records import Record
from harness.report.recorded import CLASSES, Recorded
from harness.report.table import time

COLOURS = {
    "rust": "#c2410c",
    "threads": "#f59e0b",
    "aiosqlite-backend": "#be185d",
    "dictsqlite": "#7c3aed",
    "sqlite3": "#0369a1",
    "sqlite3-executor": "#38bdf8",
    "aiosqlite": "#0d9488",
    "diskcache": "#6b7280",
    "sqlitedict": "#84cc16",
    "lmdb": "#14532d",
    "rocksdict": "#78350f",
    "dbm": "#94a3b8",
    "shelve": "#cbd5e1",
    "snkv": "#0891b2",
    "diskcache-rs": "#9f1239",
    "py-key-value": "#a16207",
    "redis": "#dc2626",
    "beaver-db": "#65a30d",
    "control": "#111827",
}
MARKERS = {"rust": "o", "threads": "s", "dictsqlite": "D", "sqlite3": "^", "aiosqlite": "v", "diskcache": "P"}
MARKERS.update({"aiosqlite-backend": "p", "sqlitedict": "X", "lmdb": "*", "rocksdict": "h", "dbm": "<", "shelve": ">"})
MARKERS.update({"sqlite3-executor": "8", "snkv": "d", "diskcache-rs": "H", "py-key-value": ".", "redis": "x"})
MARKERS.update({"beaver-db": "+"})
_LINES = ("-", "--", ":", "-.")
SHORT = {CLASSES[0]: "synced before acknowledgement", CLASSES[1]: "survives a kill", CLASSES[2]: "volatile"}
GRID = "#e5e7eb"
INK = "#374151"
_BEHIND = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}


def colour(record: Record) -> str:
    """Return the colour of the record's contender."""
    return COLOURS.get(record["contender"], "#9ca3af")


def microseconds(record: Record) -> Tuple[float, float, float]:
    """Return the median and the quartiles in microseconds."""
    found: Dict[str, float] = record["summary"]
    return found["median"] / 1000, found["q1"] / 1000, found["q3"] / 1000


def plain(axes: Axes) -> None:
    """Leave the two axes that are read, and a grid behind the data."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#9ca3af")
    axes.tick_params(colors=INK, which="both", labelsize=8)
    axes.set_axisbelow(True)


def numbers(axis: Any) -> None:
    """Label a logarithmic axis by plain numbers."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(FuncFormatter(lambda value, _: ""))


def title(figure: Figure, text: str, under: str, run: Recorded) -> None:
    """Put what the figure says above it, and where it comes from below."""
    height = figure.get_size_inches()[1]
    figure.text(0.015, 1 - 0.12 / height, text, fontsize=12, fontweight="bold", color="#111827", va="top")
    figure.text(0.015, 1 - 0.40 / height, under, fontsize=9, color=INK, va="top")
    begin = run.begin
    host = begin["host"]
    facts = f"{host['cpu']}, {host['cores']} cores, {host['file_system']}, Python {host['python']}"
    source = f"{facts}; one sync of this disk {begin['sync_us']:.0f} µs; record {run.name}"
    figure.text(0.015, 0.06 / height, source, fontsize=6.5, color="#6b7280", va="bottom")


def series(records: List[Record]) -> Dict[Tuple[str, str], List[Record]]:
    """Sort records into lines: one for each contender in its configuration."""
    found: Dict[Tuple[str, str], List[Record]] = {}
    for record in records:
        found.setdefault((record["contender"], record["configuration"]), []).append(record)
    return found


def lines(records: List[Record]) -> Iterator[Tuple[Dict[str, Any], List[Record]]]:
    """Return each line with how it is drawn: a second configuration of the same contender is dashed."""
    drawn: Dict[str, int] = {}
    for (contender, configuration), found in series(records).items():
        number = drawn[contender] = drawn.get(contender, -1) + 1
        look = {"color": colour(found[0]), "marker": MARKERS.get(contender, "o"), "linestyle": _LINES[number % 4]}
        yield {**look, "markersize": 4.5, "linewidth": 1.6, "label": f"{contender}, {configuration}"}, found


def bars(axes: Axes, records: List[Record], labels: List[str], hatches: List[str]) -> None:
    """Draw horizontal bars with quartiles as whiskers and the median in figures, the first record on top."""
    for place, (record, hatch) in enumerate(zip(records, hatches)):
        median, low, high = microseconds(record)
        axes.barh(place, median, color=colour(record), height=0.68, hatch=hatch, edgecolor="white", linewidth=0)
        axes.plot([low, high], [place, place], color="#111827", linewidth=1.2, solid_capstyle="butt")
        axes.text(max(high, median) * 1.12, place, time(record), va="center", fontsize=8, color=INK, bbox=_BEHIND)
    axes.set_yticks(range(len(labels)), labels)
    axes.invert_yaxis()
    axes.set_xscale("log")
    numbers(axes.xaxis)
    axes.grid(axis="x", color=GRID)
    axes.margins(x=0.18)
    plain(axes)
