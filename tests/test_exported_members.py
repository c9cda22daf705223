"""The front doors are tables of contents: names and where they come from, nothing else."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import asyncdictsqlite

ROOT = Path(__file__).parents[1]
PACKAGE = Path(asyncdictsqlite.__file__).parent


def test_init_holds_imports_and_the_list_of_names_alone() -> None:
    docstring, *rest = ast.parse((PACKAGE / "__init__.py").read_text()).body
    assert isinstance(docstring, ast.Expr)
    *imports, names = rest
    assert isinstance(names, ast.Assign)
    assert ast.unparse(names.targets[0]) == "__all__"
    assert {type(statement) for statement in imports} == {ast.ImportFrom}


def test_all_names_what_is_imported_in_order() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    imported = [alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert asyncdictsqlite.__all__ == sorted(imported)


def test_every_error_is_exported() -> None:
    tree = ast.parse((PACKAGE / "errors.py").read_text())
    public = {node.name for node in tree.body if isinstance(node, ast.ClassDef) if not node.name.startswith("_")}
    assert public <= set(asyncdictsqlite.__all__)


def test_lib_rs_names_what_the_module_holds_and_decides_nothing() -> None:
    lines = (ROOT / "rust_core/src/lib.rs").read_text().splitlines()
    work = re.compile(r"\b(struct|enum|impl|unsafe|let|if|match|for|while|loop)\b")
    assert [line for line in lines if work.search(line.partition("//")[0])] == []
