"""Rows 1, 2, 5, 11 to 14, 18, 20b to 20d: the checks of the conformance suite, here again and again by other seeds."""

from __future__ import annotations

from typing import Dict, List, Tuple

import pytest

from asyncdictsqlite.testing.suite import suite
from tests.stores import every_backend
from tests.trust.figures import Figures

pytestmark = pytest.mark.timeout(1800)

# The row: its name, how often, and its checks.
ROWS: Dict[str, Tuple[str, int, List[str]]] = {
    "1": ("model", 4, ["memory_is_a_dict", "lazy_is_a_dict", "writethrough_is_a_dict"]),
    "2": ("interleavings", 5, [
        "no_stale_read", "a_slow_read_does_not_overwrite_a_newer_value", "no_stale_read_among_threads",
        "batches_are_published_whole", "counters_add_up",
    ]),
    "5": ("kill", 3, [
        "killed_writethrough_loses_nothing", "killed_in_a_batch_leaves_it_whole", "killed_lazy_keeps_a_prefix",
        "killed_after_aflush_loses_nothing_before_it", "killed_after_the_interval_loses_nothing_before_it",
    ]),
    "11": ("loop ends early", 3, [
        "a_loop_that_ends_early", "loops_again_and_again_leak_nothing", "several_loops_at_once",
    ]),
    "12": ("exit matrix", 2, [
        "every_way_to_end_a_program_keeps_what_was_written", "a_store_never_closed_gives_a_resource_warning",
        "a_multiprocessing_child_flushes_at_its_end",
    ]),
    "13": ("fork, spawn", 3, [
        "a_forked_child_is_refused_what_was_open", "a_forked_child_is_refused_a_memory_store",
        "a_fork_during_writes_harms_no_parent",
    ]),
    "14": ("two libraries, one file", 3, [
        "a_second_library_in_one_process_is_refused", "the_wal_reset_bug_decides_the_default",
    ]),
    "18": ("bad input", 1, [
        "bad_table_names", "bad_paths", "names_with_a_meaning_elsewhere_are_plain", "files_that_are_no_database",
        "tables_of_another_shape", "readonly_stores", "bad_options",
    ]),
    "20b": ("syncs of aflush", 2, [
        "a_write_is_synced_before_it_is_acknowledged", "normal_syncs_at_aflush", "lazy_flushes_are_synced",
    ]),
    "20c": ("frameworks", 1, ["fastapi_background_tasks", "fastapi_depends"]),
    "20d": ("atomic pop", 3, [
        "one_pop_wins_among_tasks", "one_pop_wins_among_threads", "writers_of_several_processes_queue",
    ]),
}  # fmt: skip


@every_backend
@pytest.mark.parametrize("row", ROWS, ids=[title for title, _, _ in ROWS.values()])
def test_the_checks_of_a_row_hold_by_every_seed(figures: Figures, long: bool, backend: str, row: str) -> None:
    if not long:
        pytest.skip("test_conformance.py runs these once")
    title, times, names = ROWS[row]
    cases = [case for case in suite(backend).cases if case.name in names]
    assert {case.name for case in cases} <= set(names)
    failed: List[str] = []
    for seed in range(1, times + 1):
        for case in cases:
            try:
                case.run(seed)
            except Exception as error:
                failed.append(f"{case.name}, seed {seed}: {error}")
    figures.add(row, title, backend, 1, checks=len(cases), runs=len(cases) * times, failed=len(failed))
    assert failed == []


def test_every_check_named_here_is_one() -> None:
    there = {case.name for backend in ("rust", "threads") for case in suite(backend).cases}
    assert {name for _, _, names in ROWS.values() for name in names} <= there
