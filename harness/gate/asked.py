"""What was asked of the gate: by options, or by the record that it goes on with."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence

from harness.gate import bodies as gated
from harness.gate.bodies import Body, Project
from harness.gate.judging import Effort
from harness.gate.plant import Slowdown

AA_EVALUATIONS = 60
PLANT_EVALUATIONS = 10


@dataclass(frozen=True)
class Asked:
    """Two revisions, and how they are judged.

    Attributes:
        aa: they are equal on purpose.
        planted: head is base and a slow-down.
    """

    project: Project
    base: str
    head: str
    aa: bool
    planted: Optional[Slowdown]
    evaluations: int
    names: Sequence[str]
    effort: Effort

    @property
    def bodies(self) -> List[Body]:
        """The bodies that are judged."""
        return [body for body in self.project.bodies if not self.names or body.name in self.names]

    @classmethod
    def of_options(
        cls,
        revisions: Sequence[str],
        aa: bool,
        plant: Optional[str],
        evaluations: Optional[int],
        names: Sequence[str],
        file: Optional[Path],
        restarts: int,
    ) -> Asked:
        """Return what a command line asks.

        Raises:
            ValueError: it does not say what to judge; the message is one line.
        """
        planted = Slowdown.parse(plant) if plant else None
        if aa and planted:
            raise ValueError("--aa and --plant are two questions: ask one")
        if (aa or planted) and len(revisions) > 1:
            raise ValueError("--aa and --plant take one revision, HEAD where none is named")
        if not (aa or planted) and len(revisions) != 2:
            raise ValueError("name two revisions, BASE and HEAD, or ask for --aa or --plant")
        if evaluations and not (aa or planted):
            raise ValueError("--evaluations goes with --aa or --plant: two revisions are evaluated once")
        if planted and file:
            raise ValueError("--plant patches this project's own tree: it goes without --bodies")
        base, head = (revisions or ("HEAD",))[0], (revisions or ("HEAD",))[-1]
        often = evaluations or (AA_EVALUATIONS if aa else PLANT_EVALUATIONS if planted else 1)
        return cls(_project(file), base, head, aa, planted, often, tuple(names), Effort(restarts))

    @classmethod
    def of_record(cls, begin: Mapping[str, Any], file: Optional[Path]) -> Asked:
        """Return what the record's command asked.

        Raises:
            ValueError: it had bodies of a file that is not named now.
        """
        if (file.name if file else None) != begin["bodies_file"]:
            raise ValueError(f"the record has bodies of {begin['bodies_file'] or 'this project'}: --bodies must say so")
        planted = Slowdown.parse(begin["planted"]) if begin["planted"] else None
        base, head = begin["base"]["commit"], begin["head"]["commit"]
        effort = Effort(**begin["effort"])
        return cls(
            _project(file), base, head, begin["aa"], planted, begin["evaluations"], tuple(begin["bodies"]), effort
        )

    def as_json(self) -> Dict[str, Any]:
        """Return what `of_record` reads."""
        return {
            "aa": self.aa,
            "planted": str(self.planted) if self.planted else None,
            "evaluations": self.evaluations,
            "bodies": list(self.names),
            "bodies_file": self.project.file.name if self.project.file else None,
            "effort": asdict(self.effort),
        }

    @property
    def command(self) -> str:
        """The command that makes such a record again."""
        words = ["python -m harness gate"]
        if self.aa or self.planted:
            words += ["--aa" if self.aa else f"--plant {self.planted}", self.base, f"--evaluations {self.evaluations}"]
        else:
            words += [self.base, self.head]
        words += [f"--body {name}" for name in self.names]
        if self.project.file:
            words.append(f"--bodies {self.project.file.name}")
        if self.effort.restarts != Effort.restarts:
            words.append(f"--restarts {self.effort.restarts}")
        return " ".join(words)


def _project(file: Optional[Path]) -> Project:
    if file is None:
        return gated.OURS
    if not file.is_file():
        raise ValueError(f"no file {file.name}")
    return gated.load(file)
