"""A case: one workload with its parameters on one contender in one configuration."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Dict, Mapping

from harness.contenders import CONTENDERS
from harness.contenders.contender import Configuration, Contender, Durability
from harness.workloads import WORKLOADS, Params, Workload
from harness.workloads.workload import Start


@dataclass(frozen=True)
class Case:
    """What is measured; ``options`` replace single options of the configuration."""

    workload_name: str
    contender_name: str
    configuration_name: str
    params: Params = field(default_factory=Params)
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def workload(self) -> Workload:
        return WORKLOADS[self.workload_name]

    @property
    def contender(self) -> Contender:
        return CONTENDERS[self.contender_name]

    @property
    def configuration(self) -> Configuration:
        return self.contender.configurations[self.configuration_name]

    @property
    def durability(self) -> Durability:
        return self.configuration.durability

    @property
    def all_options(self) -> Dict[str, Any]:
        start = self.workload.start
        cache = self.contender.small_cache if start is Start.REOPENED else {}
        shared = (self.contender.processes or {}) if start in (Start.PROCESSES, Start.BESIDE) else {}
        kind = self.contender.kind_options.get(self.params.value_kind, {})
        return {**self.configuration.options, **kind, **cache, **shared, **self.options}

    @property
    def label(self) -> str:
        """Name the case for a progress bar or an error."""
        return f"{self.workload_name} on {self.contender_name} {self.configuration_name}"

    def as_json(self) -> Dict[str, Any]:
        """Return what `from_json` reads in another process."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Case:
        """Return the case that `as_json` described."""
        return cls(**{**data, "params": Params(**data["params"])})
