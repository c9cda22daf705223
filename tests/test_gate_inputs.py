"""What is wrong with a call of the gate is one line and exit code 64; trees are built, installed, and told apart."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, List, Tuple

import pytest

from harness import cli
from harness.gate import bodies, counting, instructions, judging, plant, writes
from harness.gate.bodies import OURS, Project
from harness.gate.side import Side
from harness.gate.trees import Patch, Tree, TreeError, installed, resolve
from harness.measure.remote import ROOT

WRONG = [
    ("gate",),
    ("gate", "HEAD"),
    ("gate", "HEAD", "HEAD", "HEAD"),
    ("gate", "HEAD", "no-such-branch"),
    ("gate", "--output=x", "HEAD"),
    ("gate", "--aa", "HEAD~1", "HEAD"),
    ("gate", "--aa", "--plant", "time=5%"),
    ("gate", "--plant", "time"),
    ("gate", "--plant", "time=0%"),
    ("gate", "--plant", "time=90%"),
    ("gate", "--plant", "disk=5%"),
    ("gate", "--evaluations", "3", "HEAD~1", "HEAD"),
    ("gate", "--evaluations", "0", "--aa"),
    ("gate", "--restarts", "1", "--aa"),
    ("gate", "--aa", "--body", "hit"),
    ("gate", "--resume", "no-such-record.jsonl"),
    ("gate", "--resume", "README.md"),
    ("gate", "--resume", "README.md", "--aa"),
    ("gate", "--bodies", "no-such-file.py", "HEAD~1", "HEAD"),
    ("gate", "--bodies", "harness/__init__.py", "HEAD~1", "HEAD"),
    ("gate", "--aa", "--machine", "a/b"),
]


@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_a_wrong_input_is_one_line(
    arguments: Tuple[str, ...], tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit) as ended:
        cli.main([*arguments, *(["--scratch", str(tmp_path), "--out", str(tmp_path)] if len(arguments) > 1 else [])])
    assert ended.value.code == 64
    assert re.fullmatch(r"error: [^\n]{10,320}\n", capfd.readouterr().err)


def git(folder: Path, *arguments: str) -> None:
    command = ["git", "-C", str(folder), "-c", "user.name=n", "-c", "user.email=e@example.com", *arguments]
    subprocess.run(command, check=True, capture_output=True)


SETUP = """
import sys, zipfile, pathlib
name = "thing-1-py3-none-any.whl"
with zipfile.ZipFile(pathlib.Path(sys.argv[1]) / name, "w") as wheel:
    wheel.write("thing.txt", "thing/__init__.py")
    wheel.writestr("thing-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: thing\\nVersion: 1\\n")
    wheel.writestr("thing-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    wheel.writestr("thing-1.dist-info/RECORD", "")
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A repository of three commits: the second changes the package, the third a text beside it."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch", "main")
    for number, (name, text) in enumerate([("build.py", SETUP), ("thing.txt", "x = 1\n"), ("README", "words\n")]):
        (folder / "thing.txt").touch()
        (folder / name).write_text(text, encoding="utf-8")
        git(folder, "add", ".")
        git(folder, "commit", "--quiet", "-m", f"{number}\n\nGate-allows: sets commits")
    return Project(folder, "thing", '"$PYTHON" build.py "$WHEELS"', ())


def cached(tmp_path: Path) -> Path:
    cache = tmp_path / "cache"
    cache.mkdir(exist_ok=True)
    return cache


def tree(project: Project, tmp_path: Path, revision: str, name: str, **more: Any) -> Tree:
    return installed(project, revision, tmp_path / name, cached(tmp_path), **more)


def test_trees_are_told_apart_by_what_is_installed(project: Project, tmp_path: Path) -> None:
    first, second, third = (tree(project, tmp_path, f"main~{2 - n}", f"t{n}") for n in range(3))
    assert first.package_hash != second.package_hash == third.package_hash
    assert second.commit != third.commit


def test_a_wheel_is_built_once(project: Project, tmp_path: Path) -> None:
    tree(project, tmp_path, "main", "one")
    broken = Project(project.repository, "thing", "false", ())
    assert tree(broken, tmp_path, "main", "two").package_hash
    with pytest.raises(TreeError, match="does not build"):
        tree(broken, tmp_path, "main~1", "three")


def test_a_worktree_is_gone_after_the_build(project: Project, tmp_path: Path) -> None:
    tree(project, tmp_path, "main", "one")
    listed = subprocess.run(
        ["git", "-C", str(project.repository), "worktree", "list"], check=True, capture_output=True, text=True
    )
    assert len(listed.stdout.splitlines()) == 1
    assert not (tmp_path / "cache" / "tree").exists()


def test_a_patched_tree_is_another_one(project: Project, tmp_path: Path) -> None:
    patch = Patch("patched", lambda folder: (folder / "thing.txt").write_text("x = 2\n") and None)
    plain, patched = tree(project, tmp_path, "main", "one"), tree(project, tmp_path, "main", "two", patch=patch)
    assert (plain.commit, plain.dirty) == (patched.commit, not patched.dirty)
    assert plain.package_hash != patched.package_hash


def test_a_package_that_the_wheel_has_not_is_named(project: Project, tmp_path: Path) -> None:
    other = Project(project.repository, "other", project.build, ())
    with pytest.raises(TreeError, match="no package other"):
        tree(other, tmp_path, "main", "one")


@pytest.mark.parametrize("revision", ["nothing", "--all", "", "HEAD:README", "a b"])
def test_an_unknown_revision_is_named(project: Project, revision: str) -> None:
    with pytest.raises(TreeError, match="no commit"):
        resolve(project.repository, revision)


def test_equal_trees_are_refused(project: Project, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = project.repository / "gated.py"
    file.write_text(GATED.format(build='"$PYTHON" build.py "$WHEELS"'), encoding="utf-8")
    folders = ["--scratch", str(tmp_path / "scratch"), "--out", str(tmp_path / "out")]
    with pytest.raises(SystemExit) as ended:
        cli.main(["gate", "main~1", "main", "--bodies", str(file), *folders])
    assert ended.value.code == 64
    assert "main~1 and main give the same package: nothing to judge" in capfd.readouterr().err
    assert not (tmp_path / "out" / "gate").exists()


GATED = """
from harness.gate.bodies import Body
from harness.measure.case import Case
PACKAGE = "thing"
BUILD = '{build}'
BODIES = [Body("mine", Case("hits", "control", "dict"), weighed=False)]
"""


@pytest.mark.timeout(120)
def test_a_project_gates_its_own_bodies(project: Project, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = project.repository / "gated.py"
    file.write_text(GATED.format(build='"$PYTHON" build.py "$WHEELS"'), encoding="utf-8")
    folders = ["--scratch", str(tmp_path / "scratch"), "--out", str(tmp_path / "out")]
    with pytest.raises(SystemExit) as ended:
        cli.main(["gate", "main~2", "main", "--bodies", str(file), "--restarts", "2", *folders])
    assert ended.value.code in (0, 1, 2)
    assert "verdict: " in capfd.readouterr().out
    assert len(list((tmp_path / "out" / "gate").glob("*.jsonl"))) == 1


@pytest.mark.timeout(120)
def test_an_interrupted_series_goes_on_by_its_record(
    project: Project, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = project.repository / "gated.py"
    file.write_text(GATED.format(build='"$PYTHON" build.py "$WHEELS"'), encoding="utf-8")
    more = ["--bodies", str(file), "--scratch", str(tmp_path / "scratch"), "--out", str(tmp_path / "out")]

    def interrupted(judge: judging.Judge, number: int) -> Any:
        if number == 1:
            raise KeyboardInterrupt
        return evaluation(judge, number)

    evaluation = judging.Judge.evaluation
    monkeypatch.setattr(judging.Judge, "evaluation", interrupted)
    with pytest.raises(SystemExit) as ended:
        cli.main(["gate", "--aa", "main", "--evaluations", "2", "--restarts", "2", *more])
    said = capfd.readouterr()
    assert ended.value.code == 130
    assert "so far, false alarms: " in said.out
    (path,) = (tmp_path / "out" / "gate").glob("*.jsonl")
    assert path.name in said.err
    kept = path.read_text(encoding="utf-8").splitlines()[:-1]
    monkeypatch.undo()
    with pytest.raises(SystemExit) as ended:
        cli.main(["gate", "--resume", str(path), *more])
    assert ended.value.code in (0, 1)
    assert re.search(r"^false alarms: \d of 2, .* Clopper-Pearson 95 %", capfd.readouterr().out, re.MULTILINE)
    assert path.read_text(encoding="utf-8").splitlines()[: len(kept)] == kept


def test_a_side_that_imports_another_tree_is_refused(project: Project, tmp_path: Path) -> None:
    found = tree(project, tmp_path, "main", "one")
    elsewhere = Tree(found.revision, found.commit, False, tmp_path / "elsewhere", found.python, found.package_hash)
    side = Side(elsewhere, project, tmp_path)
    try:
        with pytest.raises(TreeError, match="from outside of the tree"):
            side.hello()
    finally:
        side.close()


def test_declared_rises_are_read_from_the_commits(project: Project) -> None:
    assert counting.declared(project.repository, "main~1", "main") == {("sets", "commits")}
    assert counting.declared(project.repository, "main", "main") == set()


def test_the_bodies_of_the_documentation_are_bodies(project: Project) -> None:
    text = (ROOT / "docs" / "gating.md").read_text(encoding="utf-8")
    file = project.repository / "gated.py"
    file.write_text(text.split("```py\n")[1].split("```")[0], encoding="utf-8")
    program = "import sys, pathlib; from harness.gate import bodies; print(bodies.load(pathlib.Path(sys.argv[1])))"
    command = [sys.executable, "-c", program, str(file)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT)})
    assert "package='mypackage'" in done.stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no PACKAGE"),
        ("PACKAGE = 'x'\nBODIES = [1]", "no harness.gate.bodies.Body"),
        ("1 / 0", "ZeroDivisionError"),
        (GATED.replace('"mine"', '"control"').format(build=""), "names of BODIES"),
    ],
)
def test_a_file_without_bodies_is_named(project: Project, text: str, said: str) -> None:
    file = project.repository / "gated.py"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=said):
        bodies.load(file)


def test_a_slow_down_is_planted_in_this_tree(tmp_path: Path) -> None:
    for name in ("rust_core/src/lib.rs", "rust_core/src/python/hot.rs"):
        copy = tmp_path / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes((ROOT / name).read_bytes())
    plant.PATCH.apply(tmp_path)
    hot = (tmp_path / "rust_core/src/python/hot.rs").read_text(encoding="utf-8")
    assert re.search(r"fn aget\b[^{]*\{\n    crate::plant::spin\(\);\n", hot)
    assert "mod plant {" in (tmp_path / "rust_core/src/lib.rs").read_text(encoding="utf-8")


def test_nothing_is_planted_in_another_tree(tmp_path: Path) -> None:
    with pytest.raises(TreeError, match="nothing can be planted"):
        plant.PATCH.apply(tmp_path)


@pytest.mark.parametrize("bend", [1.0, 1.3])
def test_a_slow_down_is_calibrated(monkeypatch: pytest.MonkeyPatch, bend: float) -> None:
    turned: List[int] = []
    monkeypatch.setattr(plant, "turn", turned.append)
    turns, effect = plant.calibrated(lambda: 1.01 + 0.001 * turned[-1] ** bend, 0.05)
    assert turned[-1] == turns
    assert 1.05 <= effect <= 1.06


def test_writes_to_files_are_counted_and_those_to_pipes_are_not(tmp_path: Path) -> None:
    library = writes.build(tmp_path)
    if library is None:
        pytest.skip("needs cc")
    program = (
        "import os; from harness.gate import writes; a, b = os.pipe(); f = os.open('f', os.O_CREAT | os.O_RDWR);"
        "os.write(b, b'12345678'); os.write(f, b'123'); os.pwrite(f, b'45', 3); print(writes.counted())"
    )
    environment = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "LD_PRELOAD": str(library)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.stdout == "{'write_calls': 2, 'written_bytes': 5}\n"


@pytest.mark.timeout(120)
@pytest.mark.skipif(bool(instructions.missing()), reason="needs valgrind")
def test_instructions_repeat(tmp_path: Path) -> None:
    control = Tree("HEAD", "c", False, Path(json.__file__).parent, Path(sys.executable), "0")
    project = Project(ROOT, "json", "", OURS.bodies)
    first, second = (instructions.counted(control, project, [bodies.CONTROL]) for _ in range(2))
    assert first["control"] == pytest.approx(second["control"], rel=0.01)
    assert first["control"][0] > 50


@pytest.mark.skipif(bool(instructions.missing()), reason="needs valgrind")
def test_instructions_of_another_tree_are_not_counted(tmp_path: Path) -> None:
    elsewhere = Tree("HEAD", "c", False, tmp_path, Path(sys.executable), "0")
    with pytest.raises(TreeError, match="imported from outside"):
        instructions.counted(elsewhere, Project(ROOT, "json", "", OURS.bodies), [bodies.CONTROL])
