"""The suite for one backend: which checks its capabilities choose, and what was counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Dict, FrozenSet, List, Mapping, Sequence

from ..protocol import Capability
from .check import CHECKS, Check
from .runner import capabilities_of, run_check, run_gap


@dataclass(frozen=True)
class Case:
    """One thing to run: a check, or the proof that a gap is one.

    Attributes:
        says: the sentence it proves.
        run: takes the seed; raises where the sentence does not hold.
    """

    name: str
    says: str
    needs: FrozenSet[Capability]
    run: Callable[[int], None]


@dataclass(frozen=True)
class Suite:
    """The cases for one backend."""

    backend: str
    capabilities: FrozenSet[Capability]
    cases: Sequence[Case]

    def counts(self) -> Dict[Capability, int]:
        """Count the cases of each capability."""
        return {one: sum(one in case.needs for case in self.cases) for one in Capability}

    def unchecked(self) -> List[Capability]:
        """Name the capabilities for which not one case would run."""
        return [one for one, count in self.counts().items() if count == 0]


def suite(backend: str, checks: Sequence[Check] = CHECKS) -> Suite:
    """Choose the checks for a backend by what it declares.

    Raises:
        UnknownBackendError: it cannot be loaded.
    """
    declared = capabilities_of(backend)
    cases = [_check_case(check, backend, declared) for check in checks if check.needs <= declared]
    for capability in Capability:
        if capability not in declared:
            its_own = [check for check in checks if capability in check.needs]
            if its_own:
                cases.append(_gap_case(capability, its_own, backend, declared))
    return Suite(backend, declared, cases)


def count_table(counts: Mapping[Capability, int]) -> str:
    """Show how many checks there are per capability."""
    return "\n".join(f"  {capability.value:16} {count:4}" for capability, count in counts.items())


def _check_case(check: Check, backend: str, declared: FrozenSet[Capability]) -> Case:
    return Case(check.name, check.says, check.needs, lambda seed: run_check(check, backend, declared, seed))


def _gap_case(capability: Capability, checks: List[Check], backend: str, declared: FrozenSet[Capability]) -> Case:
    says = f"What a backend does not declare ({capability.value}) it does not have."
    run = lambda seed: run_gap(capability, checks, backend, declared, seed)  # noqa: E731
    return Case(f"gap_{capability.value}", says, frozenset({capability}), run)
