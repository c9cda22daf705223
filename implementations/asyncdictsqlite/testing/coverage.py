"""Which sentence of the contract which check proves."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Dict, Iterable, List

from .check import Check

CONTRACT = Path(__file__).with_name("contract.md")

_ITEM = re.compile(r"^- \*\*(\d+\.\d+)\*\* (.*?)(?=^- \*\*|^#|\Z)", re.MULTILINE | re.DOTALL)


def sentences() -> Dict[str, str]:
    """Read the sentences of the contract by their ids."""
    found: Dict[str, str] = {}
    for number, text in _ITEM.findall(CONTRACT.read_text(encoding="utf-8")):
        if number in found:
            raise ValueError(f"{CONTRACT.name}: {number} is there twice")
        found[number] = " ".join(text.split())
    return found


def unmapped(checks: Iterable[Check]) -> List[str]:
    """Name the sentences that no check proves."""
    proven = {number for check in checks for number in check.sentences}
    return [number for number in sentences() if number not in proven]


def unknown(checks: Iterable[Check]) -> List[str]:
    """Name the checks that claim a sentence which the contract does not have."""
    known = sentences()
    return [f"{check.name}: {number}" for check in checks for number in check.sentences if number not in known]


def table(checks: Iterable[Check]) -> str:
    """Show each sentence with the checks that prove it."""
    proofs: Dict[str, List[str]] = {}
    for check in checks:
        for number in check.sentences:
            proofs.setdefault(number, []).append(check.name)
    lines = []
    for number, text in sentences().items():
        names = ", ".join(proofs.get(number, ())) or "UNMAPPED"
        lines.append(f"{number:5} {text}\n      by {names}")
    return "\n".join(lines)
