"""The suite without pytest: ``python -m asyncdictsqlite.testing BACKEND``."""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from typing import List, Optional, Sequence

from ..errors import ConfigError
from . import CHECKS, coverage
from .runner import Hang
from .suite import Case, Suite, count_table, suite


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the command; return its exit code."""
    asked = _parser().parse_args(argv)
    if asked.coverage:
        return _show_coverage()
    if asked.backend is None:
        _parser().error("name a BACKEND, or ask for --coverage")
    try:
        chosen = suite(asked.backend)
    except ConfigError as error:
        print(f"FAILED: {error}")
        return 1
    cases = [case for case in chosen.cases if asked.only is None or asked.only in case.name]
    if asked.list:
        print("\n".join(f"{case.name}: {case.says}" for case in cases))
        return 0
    return _run(chosen, cases, asked.seed, complete=asked.only is None)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m asyncdictsqlite.testing", description="Run the contract on a backend."
    )
    parser.add_argument("backend", nargs="?", metavar="BACKEND", help="a built-in backend, or an entry point's name")
    parser.add_argument("--only", metavar="NAME", help="run the checks whose name contains NAME")
    parser.add_argument("--seed", type=int, default=0, help="the seed of all chance (default 0)")
    parser.add_argument("--list", action="store_true", help="name the checks, run none")
    parser.add_argument(
        "--coverage", action="store_true", help="show which check proves which sentence; 1 if one is unproven"
    )
    return parser


def _run(chosen: Suite, cases: List[Case], seed: int, *, complete: bool) -> int:
    failures, hung, start = 0, False, time.perf_counter()
    for case in cases:
        begin = time.perf_counter()
        try:
            case.run(seed)
        except Exception as error:
            failures += 1
            hung = hung or isinstance(error, Hang)
            print(f"FAILED {case.name} (seed {seed}): {case.says}\n{traceback.format_exc()}", flush=True)
        else:
            print(f"ok {time.perf_counter() - begin:6.2f} s  {case.name}", flush=True)
    counts = {one: sum(one in case.needs for case in cases) for one in chosen.counts()}
    print(f"\n{chosen.backend}: checks per capability\n{count_table(counts)}")
    unchecked = chosen.unchecked() if complete else []
    for capability in unchecked:
        print(f"FAILED: no check ran for the capability {capability.value}")
    code = 1 if failures or unchecked or not cases else 0
    print(f"{len(cases) - failures} passed, {failures} failed in {time.perf_counter() - start:.1f} s, seed {seed}")
    if hung:  # a thread that hangs would keep the interpreter from ending
        sys.stdout.flush()
        os._exit(code)
    return code


def _show_coverage() -> int:
    missing, unknown = coverage.unmapped(CHECKS), coverage.unknown(CHECKS)
    print(coverage.table(CHECKS))
    for number in missing:
        print(f"UNMAPPED {number} {coverage.sentences()[number]}")
    for claim in unknown:
        print(f"UNKNOWN {claim}")
    return 1 if missing or unknown else 0


if __name__ == "__main__":
    sys.exit(main())
