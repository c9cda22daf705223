"""Limits of what is in memory: hits, writes that do not wait, batches, small dicts."""

from __future__ import annotations

import sys
from typing import Any, Dict, List

from harness.measure.case import Case
from harness.suites.limit import COMPREHENSION, DICT, MAIN, SEED, Group, Row, control, rust
from harness.workloads import Params


def hits() -> List[Group]:
    """Compare what is in memory."""
    modern = sys.version_info >= (3, 12)  # where every await of an object of ours costs a StopIteration
    hundred, thousand = Params(), Params(batch=1000)
    beside: Dict[str, Any] = {"storage_mode": "pickle"}
    by_bytes, pickled = f"{MAIN}, bytes", f"{MAIN}, pickle"
    hit = 0.8 if modern else 0.55
    found = [
        Group(
            "Hits",
            {
                MAIN: rust("hits", "lazy", **beside),
                by_bytes: rust("hits", "lazy"),
                DICT: control("hits"),
                SEED: Case("hits", "dictsqlite", "lazy"),
            },
            (
                Row("hit", "await aget, hit", DICT, most=hit, headline=True),
                Row("hit-bytes", "await aget, hit, bytes", DICT, most=hit, ours=by_bytes),
                Row("hit-dictsqlite", "await aget, hit, bytes", SEED, least=12, ours=by_bytes),
            ),
        )
    ]
    for mode, most in (("memory", 0.7), ("lazy", 1.2)):
        cases = {MAIN: rust("sets", mode), pickled: rust("sets", mode, **beside), DICT: control("sets")}
        rows = (
            Row(f"set-{mode}", f"await aset, {mode}, bytes", DICT, most=most, headline=True),
            Row(f"set-{mode}-pickle", f"await aset, {mode}, pickle", DICT, most=most, ours=pickled),
            Row(f"set-{mode}-dictsqlite", f"await aset, {mode}, bytes", SEED, least=20),
        )
        found.append(Group(f"Sets, {mode}", {**cases, SEED: Case("sets", "dictsqlite", mode)}, rows))
    found += [
        Group(
            "Gathered hits",
            {MAIN: rust("gathers", "lazy", hundred), DICT: control("gathers", hundred)},
            (Row("gather", "gather of 100 hits, each", DICT, most=0.3, headline=True),),
        ),
        Group(
            "Cached batches, read",
            {MAIN: rust("reads-batch", "lazy", thousand), COMPREHENSION: control("reads-batch", thousand)},
            (Row("batch-get", "abatch_get of 1000 cached, a key", COMPREHENSION, most=1.0, headline=True),),
        ),
        *_batches_written("sets-batch", "batch-set", "abatch_set of a dict of 1000 cached"),
        *_batches_written("sets-pairs", "batch-set-pairs", "abatch_set of a list of 1000 cached pairs"),
        Group(
            "Small dicts, read",
            {MAIN: rust("record-hits", "lazy", **beside), "a hit and pickle.loads": rust("pickled-hits", "lazy")},
            (Row("dict-hit", "hit of a 64-byte dict, pickle", "a hit and pickle.loads", most=1.2),),
        ),
        Group(
            "Small dicts, written",
            {MAIN: rust("record-sets", "lazy", **beside), "an aset and pickle.dumps": rust("pickled-sets", "lazy")},
            (Row("dict-set", "aset of a 64-byte dict, pickle", "an aset and pickle.dumps", most=1.2),),
        ),
    ]
    return found


def _batches_written(workload: str, name: str, operation: str) -> List[Group]:
    params, lazy = Params(batch=1000), f"{MAIN}, lazy"
    cases = {
        MAIN: rust(workload, "memory", params),
        lazy: rust(workload, "lazy", params),
        COMPREHENSION: control(workload, params),
    }
    rows = (
        Row(name, f"{operation}, memory, a key", COMPREHENSION, most=2.0, headline=name == "batch-set"),
        Row(f"{name}-lazy", f"{operation}, lazy, a key", COMPREHENSION, most=2.0, ours=lazy),
    )
    return [Group(operation, cases, rows)]
