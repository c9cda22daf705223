"""docs/reference.md is what the docstrings say now; ``python tests/test_reference.py`` makes it anew."""

from __future__ import annotations

import enum
import inspect
import re
from pathlib import Path
from typing import Any, Iterator, List, Tuple

import asyncdictsqlite
from asyncdictsqlite import AsyncDictSQLite, errors, protocol, registry
from asyncdictsqlite.op import Op

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference.md"

HEAD = """\
# Reference

Made from the docstrings by `python tests/test_reference.py`. The [guide](guide.md) shows how things are used, [the
contract](contract.md) has the exact promises.

In a signature `Async[T]` is what every async method returns: a coroutine for a `T`, which is also a
`collections.abc.Coroutine` for type checkers. `Items` is a mapping of keys to values, or pairs of them.
"""
OPERATORS = """\
Of `dict`'s operators there are `db[key]`, `db[key] = value`, `del db[key]`, `key in db`, `len(db)` and `for key in db`,
and for coroutines `async for key in db`. `with` and `async with` open and close.
"""
ENTRY_SECTIONS = ("Args:", "Attributes:", "Raises:", "Returns:")
NOTE = re.compile(r"^(Guarantee|Cost|Source): ")
SEAM = (
    protocol.Engine,
    protocol.Op,
    protocol.Change,
    protocol.Kind,
    protocol.Was,
    protocol.TableInfo,
    protocol.Capability,
    protocol.Opening,
    protocol.EngineFactory,
)


def reference() -> str:
    """Return the page."""
    return "\n".join([HEAD, *store(), *error_tree(), *seam()]).rstrip("\n") + "\n"


# ---- the parts ----------------------------------------------------------------------------------------------


def store() -> Iterator[str]:
    yield "## AsyncDictSQLite\n"
    yield signature(AsyncDictSQLite.__init__, "AsyncDictSQLite", returns=False)
    yield described(AsyncDictSQLite)
    for names in twins(methods(AsyncDictSQLite)):
        yield from member(AsyncDictSQLite, *names)
    yield "### Operators\n"
    yield OPERATORS


def error_tree() -> Iterator[str]:
    yield "## Errors\n"
    yield described(errors)
    for one in vars(errors).values():
        if inspect.isclass(one) and one.__module__ == errors.__name__:
            yield from type_of(one)


def seam() -> Iterator[str]:
    yield "## The seam between a store and its backend\n"
    yield "In `asyncdictsqlite.protocol`; see [Writing a backend](backends.md).\n"
    yield described(protocol)
    for one in SEAM:
        yield from type_of(one)
        for name in methods(one):
            yield from member(one, name)
    yield "### asyncdictsqlite.op.Op\n"
    yield described(Op)
    for name in ("of", "failed", "finish", "fail", "then"):
        yield from member(Op, name)
    yield "### asyncdictsqlite.registry\n"
    yield described(registry)


def type_of(one: type) -> Iterator[str]:
    yield f"### {one.__name__}\n"
    bases = [base.__name__ for base in one.__bases__ if base not in {object, tuple} and base.__module__ != "typing"]
    if bases:
        yield f"Bases: {', '.join(f'`{base}`' for base in bases)}.\n"
    if "__call__" in vars(one):
        yield signature(vars(one)["__call__"])
    yield described(one)
    fields = getattr(one, "__annotations__", {})
    if issubclass(one, enum.Enum):
        yield listed(f"`{member.name}` = `{member.value!r}`{remark(one, member.name)}" for member in one)
    elif one.__module__ == protocol.__name__ and fields:
        yield listed(f"`{name}: {text(annotation)}`" for name, annotation in fields.items())


def member(owner: Any, *names: str) -> Iterator[str]:
    """Describe a method or property; of an async one and its twin, only the first is described in words."""
    yield f"### {', '.join(f'{owner.__name__}.{name}' for name in names)}\n"
    found = getattr(owner, names[0])
    if not isinstance(found, property):
        yield "".join(signature(getattr(owner, name)) for name in names).replace("```\n```\n", "")
    yield described(found)


def twins(names: List[str]) -> Iterator[Tuple[str, ...]]:
    """Put each async method together with its sync twin."""
    for name in names:
        if f"a{name}" not in names:
            yield (name, name[1:]) if name[0] == "a" and name[1:] in names else (name,)


def remark(one: type, name: str) -> str:
    """Return the comment on the line of an enumeration's member."""
    found = re.search(rf"^ +{name} = .*  # (?:\.\.\. )?(.*)", inspect.getsource(one), re.MULTILINE)
    return f": {found[1]}" if found else ""


def methods(owner: type) -> List[str]:
    """Name the public methods and properties, an async one before its twin, each class in its source's order."""
    classes = [one for one in owner.__mro__ if one.__module__.startswith("asyncdictsqlite.")]
    names: List[str] = []
    for one in reversed(classes):
        names += [
            name
            for name, found in vars(one).items()
            if name[0] != "_" and name not in names and (inspect.isfunction(found) or isinstance(found, property))
        ]
    return names


# ---- from Python to Markdown --------------------------------------------------------------------------------


def signature(function: Any, name: str = "", *, returns: bool = True) -> str:
    """Show a signature, one parameter for each line where it is long."""
    found = inspect.signature(function)
    shown = [parameter for parameter in map(one_parameter, _stars(found)) if parameter not in {"self", "cls"}]
    end = f") -> {text(found.return_annotation)}" if returns else ")"
    begin = f"{name or function.__name__}("
    line = begin + ", ".join(shown) + end
    if len(line) > 110:
        line = begin + "\n" + "".join(f"    {parameter},\n" for parameter in shown) + end
    return f"```\n{line}\n```\n"


def _stars(found: inspect.Signature) -> Iterator[Any]:
    """Give the parameters, and the bare "*" and "/" between them."""
    kind = None
    for parameter in found.parameters.values():
        if kind == parameter.POSITIONAL_ONLY != parameter.kind:
            yield "/"
        if parameter.kind == parameter.KEYWORD_ONLY and kind not in {parameter.VAR_POSITIONAL, parameter.kind}:
            yield "*"
        kind = parameter.kind
        yield parameter
    if kind == inspect.Parameter.POSITIONAL_ONLY and len(found.parameters) > 1:
        yield "/"


def one_parameter(parameter: Any) -> str:
    if isinstance(parameter, str):
        return parameter
    if parameter.name in {"self", "cls"}:
        return str(parameter.name)
    stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
    shown = f"{stars}{parameter.name}"
    if parameter.annotation is not parameter.empty:
        shown += f": {text(parameter.annotation)}"
    if parameter.default is parameter.empty:
        return shown
    return f"{shown} = {default(parameter.default)}"


def default(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:_}"
    return "..." if type(value) is object else repr(value)


def text(annotation: Any) -> str:
    """Return an annotation as the source has it."""
    shown = annotation if isinstance(annotation, str) else annotation.__forward_arg__  # of a NamedTuple
    return re.sub(r"^Coroutine\[Any, Any, (.*)\]$", r"Async[\1]", shown)


def described(one: Any) -> str:
    """Turn a docstring into Markdown."""
    lines = inspect.cleandoc(one.__doc__).splitlines()
    shown: List[str] = []
    section = ""
    for line in lines:
        if line in ENTRY_SECTIONS:
            section = line
            shown += [f"**{line[:-1]}**", ""]
        elif section and line.startswith("    "):
            shown.append(entry(line, shown[-1], section))
        else:
            section = "" if line else section
            shown.append(plain(line, shown[-1] if shown else ""))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(shown)).rstrip("\n") + "\n"


def entry(line: str, before: str, section: str) -> str:
    """Make an item of a list, unless the line goes on with the one before."""
    goes_on = line.startswith("     ") or before.endswith(",") or section == "Returns:"
    if goes_on:
        return line[4:] if section == "Returns:" else f"  {line.strip()}"
    name, colon, rest = line.strip().partition(":")
    return f"* {name}{colon}{rest}" if "," in name else f"* `{name}`{colon}{rest}"


def plain(line: str, before: str) -> str:
    if NOTE.match(line):
        line = NOTE.sub(r"*\1*: ", line)
        return f"\n{line}" if before else line
    return re.sub(r"^::$", "", re.sub(r"(?<=\w)::$", ":", line))


def listed(items: Any) -> str:
    return "".join(f"* {item}\n" for item in items)


# ---- tests --------------------------------------------------------------------------------------------------


def test_the_page_is_what_the_docstrings_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), "make it anew: python tests/test_reference.py"


def test_every_public_name_and_method_has_its_heading() -> None:
    headings = {name for line in re.findall(r"^#+ (.*)$", reference(), re.MULTILINE) for name in line.split(", ")}
    wanted = {*asyncdictsqlite.__all__, *(f"AsyncDictSQLite.{name}" for name in dir(AsyncDictSQLite) if name[0] != "_")}
    wanted |= {name for name, found in vars(protocol).items() if inspect.isclass(found) and _is_its_own(found)}
    assert wanted - headings == set()


def _is_its_own(found: type) -> bool:
    return found.__module__ == protocol.__name__


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
    print(f"{PAGE.name}: {len(reference().splitlines())} lines")
