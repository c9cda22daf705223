"""Many ways to reach what must not be reached: each function by each opcode that calls, in each place of a value."""

from __future__ import annotations

from typing import Callable, Dict, Tuple

from tests.hostile_pickles import HOSTILE, call, name, stream, text

# What code would do once it runs: one file of this name, which nobody else makes.
MARK = "CODE_RAN"

TARGETS: Dict[Tuple[str, str], bytes] = {
    ("os", "system"): text(f"touch {MARK}"),
    ("os", "mkdir"): text(MARK),
    ("posix", "system"): text(f"touch {MARK}"),
    ("builtins", "eval"): text(f"open('{MARK}', 'w')"),
    ("builtins", "exec"): text(f"open('{MARK}', 'w')"),
    ("io", "FileIO"): text(MARK) + text("w"),
    ("_io", "open"): text(MARK) + text("w"),
    ("subprocess", "getoutput"): text(f"touch {MARK}"),
    ("pathlib", "Path.mkdir"): call("pathlib", "PosixPath", text(MARK)),
    ("pathlib", "Path.touch"): call("pathlib", "PosixPath", text(MARK)),
    ("runpy", "run_module"): text("this"),
    ("sqlite3", "connect"): text(MARK),
    ("code", "interact"): b"",
    ("pty", "spawn"): text(f"touch {MARK}"),
    ("asyncdictsqlite.importer", "import_dictsqlite"): text(MARK),
    ("asyncdictsqlite.opening", "_create"): text(MARK),
}

Route = Callable[[str, str, bytes], bytes]


def _by_global(module: str, attribute: str) -> bytes:
    return b"c" + f"{module}\n{attribute}\n".encode()


ROUTES: Dict[str, Route] = {
    "STACK_GLOBAL, REDUCE": lambda module, attribute, argument: name(module, attribute) + b"(" + argument + b"tR",
    "GLOBAL, REDUCE": lambda module, attribute, argument: _by_global(module, attribute) + b"(" + argument + b"tR",
    "GLOBAL, OBJ": lambda module, attribute, argument: b"(" + _by_global(module, attribute) + argument + b"o",
    "INST": lambda module, attribute, argument: b"(" + argument + b"i" + f"{module}\n{attribute}\n".encode(),
    "NEWOBJ": lambda module, attribute, argument: name(module, attribute) + b"(" + argument + b"t\x81",
    "NEWOBJ_EX": lambda module, attribute, argument: name(module, attribute) + b"(" + argument + b"t}\x92",
    "named twice, by the memo": lambda module, attribute, argument: (
        text(module) + b"\x940" + text(attribute) + b"\x940h\x00h\x01\x93(" + argument + b"tR"
    ),
    "state of a safe object": lambda module, attribute, argument: (
        call("collections", "OrderedDict") + name(module, attribute) + b"(" + argument + b"tRb"
    ),
    "factory of a defaultdict": lambda module, attribute, argument: (
        call("collections", "defaultdict", name(module, attribute)) + b"0(" + argument + b"t"
    ),
    "key of a dict": lambda module, attribute, argument: b"}" + name(module, attribute) + b"(" + argument + b"tRNs",
    "argument of a safe class": lambda module, attribute, argument: (
        name("fractions", "Fraction") + b"(" + name(module, attribute) + b"(" + argument + b"tRtR"
    ),
    "function of map": lambda module, attribute, argument: (
        call("builtins", "list", call("builtins", "map", name(module, attribute), b"(" + argument + b"t"))
    ),
}


def forms() -> Dict[str, bytes]:
    """Return the streams by what they try."""
    made = {
        f"{module}.{attribute}: {route}": stream(make(module, attribute, argument))
        for (module, attribute), argument in TARGETS.items()
        for route, make in ROUTES.items()
    }
    return {**{name: data for name, data in made.items() if data not in HOSTILE.values()}, **HOSTILE}
