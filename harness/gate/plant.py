"""A planted slow-down: HEAD is BASE with a loop at the beginning of the Rust backend's `aget`.

How often it turns is read from the environment, so that one wheel serves any slow-down; without it, it turns 0 times.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Callable

from harness.gate import paired, statistics
from harness.gate.bodies import Body
from harness.gate.stand import Stand
from harness.gate.trees import Patch, TreeError

TURNS = "ADSQ_GATE_TURNS"
BODY = "hits"  # which the loop slows down
KINDS = ("instructions", "time")
_PROBE = 256  # turns
_RESTARTS = 20
_MOST = 0.5
_MODULE = f"""
mod plant {{
    static TURNS: std::sync::LazyLock<u64> =
        std::sync::LazyLock::new(|| std::env::var("{TURNS}").ok().and_then(|turns| turns.parse().ok()).unwrap_or(0));

    #[inline(always)]
    pub fn spin() {{
        for turn in 0..*TURNS {{
            std::hint::black_box(turn);
        }}
    }}
}}
"""
_AGET = re.compile(r"(pub unsafe fn aget\(.*?\{\n)", re.DOTALL)


@dataclass(frozen=True)
class Slowdown:
    """What is planted: so much more of instructions or time, 0.02 for 2 %."""

    kind: str
    share: float

    @classmethod
    def parse(cls, text: str) -> Slowdown:
        """Read ``instructions=2%`` or ``time=5%``.

        Raises:
            ValueError: it is something else.
        """
        kind, _, size = text.partition("=")
        found = re.fullmatch(r"(\d+(?:\.\d+)?)%", size)
        if kind not in KINDS or found is None or not 0 < float(found.group(1)) / 100 <= _MOST:
            raise ValueError(f"{text!r} is no slow-down: instructions=2% or time=5%, up to {_MOST:.0%}")
        return cls(kind, float(found.group(1)) / 100)

    def __str__(self) -> str:
        return f"{self.kind}={self.share * 100:g}%"


def _apply(tree: Path) -> None:
    hot, library = tree / "rust_core/src/python/hot.rs", tree / "rust_core/src/lib.rs"
    try:
        text, count = _AGET.subn(r"\1    crate::plant::spin();\n", hot.read_text(encoding="utf-8"), count=1)
    except OSError as error:
        raise TreeError(f"nothing can be planted: no {hot.name} in this tree") from error
    if not count:
        raise TreeError(f"nothing can be planted: no aget in {hot.name} of this tree")
    hot.write_text(text, encoding="utf-8")
    library.write_text(library.read_text(encoding="utf-8") + _MODULE, encoding="utf-8")


PATCH = Patch("planted", _apply)


def turn(turns: int) -> None:
    """Let workers that start from now on turn so often."""
    os.environ[TURNS] = str(turns)


def calibrated_time(stand: Stand, body: Body, share: float, step: Callable[[str], None]) -> int:
    """Return the turns that make the body slower by this share of its time.

    One probe finds what a turn costs, a second one with about the right number corrects it.
    """
    turns = _PROBE
    for probe in range(2):
        turn(turns)
        ratio = _measured(stand, body, step, f"calibration {probe + 1} of 2")
        turns = max(1, round(turns * share / max(ratio - 1, share / 50)))
    turn(turns)
    return turns


def _measured(stand: Stand, body: Body, step: Callable[[str], None], doing: str) -> float:
    samples = []
    for restart in range(_RESTARTS):
        with stand.timed(restart) as pair, stand.folder() as folder:
            samples.append(paired.restart(pair, [body], folder, {}, quads=20, block_s=0.0015)[0].samples)
        step(doing)
    return statistics.ratio(samples).ratio


def calibrated_instructions(count: Callable[[], float], share: float) -> int:
    """Return the least turns that add this share of a body's instructions; ``count`` counts head's."""
    turn(0)
    without = count()
    turn(_PROBE)
    each = (count() - without) / _PROBE
    turns = max(1, ceil(without * share / each))
    turn(turns)
    return turns
