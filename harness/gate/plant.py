"""A planted slow-down: HEAD is BASE with a loop at the beginning of the Rust backend's `aget`.

How often it turns is read from the environment, so that one wheel serves any slow-down; without it, it turns 0 times.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Callable, Tuple

from harness.gate import paired, statistics
from harness.gate.bodies import Body
from harness.gate.stand import Stand
from harness.gate.trees import Patch, TreeError

TURNS = "ADSQ_GATE_TURNS"
BODY = "hits"  # which the loop slows down
KINDS = ("instructions", "time")
_PROBE = 64  # turns
_PROBES = 6
_ABOVE = 0.2
_RESTARTS = 20
_MOST = 0.5
_MODULE = f"""
mod plant {{
    static TURNS: std::sync::LazyLock<u64> =
        std::sync::LazyLock::new(|| std::env::var("{TURNS}").ok().and_then(|turns| turns.parse().ok()).unwrap_or(0));

    #[inline(always)]
    #[allow(unsafe_code)]
    pub fn spin() {{
        for _ in 0..*TURNS {{
            // SAFETY: no instruction at all; it keeps the loop, of the two or three that a turn takes.
            unsafe {{ std::arch::asm!("", options(nomem, nostack)) }};
        }}
    }}
}}
"""
_AGET = re.compile(r"(pub (?:unsafe )?fn aget\b[^{]*\{\n)")


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


def calibrated(measured: Callable[[], float], share: float) -> Tuple[int, float]:
    """Set turns that make head cost this share more than base, or a little above; return them, and what it costs then.

    ``measured`` returns what head costs for each of base. The loop costs something without a turn, too, and a turn of a
    short loop takes less time than one of a long loop: the probes come near step by step.
    """
    turn(0)
    idle, turns, cost = measured(), _PROBE, 0.0
    for _ in range(_PROBES):
        turn(turns)
        cost = measured()
        if share <= cost - 1 <= share * (1 + _ABOVE):
            break
        each = max((cost - idle) / turns, share / _PROBE)
        again = max(1, ceil((share * (1 + _ABOVE / 2) + 1 - idle) / each))
        if again == turns:
            break  # one turn more or less is too much
        turns = again
    return turns, round(cost, 4)


def time_of(stand: Stand, body: Body, step: Callable[[str], None]) -> float:
    """Return head's time for each of base's."""
    samples = []
    for restart in range(_RESTARTS):
        with stand.timed(restart) as pair, stand.folder() as folder:
            samples.append(paired.restart(pair, [body], folder, {}, quads=20, block_s=0.0015)[0].samples)
        step("calibration")
    return statistics.ratio(samples).ratio
