"""What a pickle may name: the built-in list of safe globals, and the user's ``pickle_allow``.

A name is safe only together with the form of arguments in which pickling its objects calls it: ``bytearray`` of bytes
is harmless, ``bytearray(10**12)`` is not. Every row was read off what CPython 3.9 to 3.13 writes.
"""

from __future__ import annotations

import re
from typing import FrozenSet, Mapping, NamedTuple, Optional, Pattern, Sequence, Tuple, Union

from ..errors import ConfigError, UnsafePickleError

AllowList = Optional[Mapping[str, Optional[type]]]  # name -> the class itself, if it was given; None: everything


class Safe(NamedTuple):
    """A global that reading may load, and all that a pickle may do with it.

    `args`: the kinds of the arguments of a call (see `pickle_trace`); None: it is not called. `classes`: the names of
    the globals that may be among these arguments. `text`: what their strings must look like. `new`: it is made by
    NEWOBJ, without arguments. `takes`: what may then fill the object: "append", "setitem", "build". `fragile`: CPython
    deallocates a chain of them by unguarded recursion. `is_object`: an object itself, no class. `gives`: what a call
    gives, where that is to be called in turn.
    """

    args: Optional[Pattern[str]] = None
    classes: FrozenSet[str] = frozenset()
    text: Optional[Pattern[str]] = None
    new: bool = False
    takes: Sequence[str] = ()
    fragile: bool = False
    is_object: bool = False
    gives: Optional[Safe] = None


def _call(kinds: str, *, text: Optional[str] = None, **rest: object) -> Safe:
    return Safe(re.compile(kinds), text=re.compile(text) if text else None, **rest)  # type: ignore[arg-type]


_FACTORIES = frozenset(
    [f"builtins.{name}" for name in ("bool", "bytearray", "bytes", "complex", "dict", "float", "frozenset", "int")]
    + [f"builtins.{name}" for name in ("list", "set", "str", "tuple")]
    + [f"collections.{name}" for name in ("Counter", "OrderedDict", "defaultdict", "deque")]
)

_ZONE = frozenset({"zoneinfo.ZoneInfo"})

SAFE: Mapping[str, Safe] = {
    **dict.fromkeys(_FACTORIES, Safe()),
    "builtins.Ellipsis": Safe(is_object=True),
    "builtins.NotImplemented": Safe(is_object=True),
    "builtins.bytearray": _call("b?"),
    "builtins.complex": _call("ff"),
    "builtins.getattr": _call(
        "[cv]s", classes=frozenset({"zoneinfo.ZoneInfo"}), text="_unpickle", gives=_call("s[iB]")
    ),
    "builtins.range": _call("iii"),
    "builtins.slice": _call("[NBifsb]{3}"),
    "collections.Counter": _call("d"),
    "collections.OrderedDict": _call("", takes=["setitem"]),
    "collections.defaultdict": _call("[Nucv]?", classes=_FACTORIES, takes=["setitem"], fragile=True),
    "collections.deque": _call("(E[iN]?)?", takes=["append"], fragile=True),
    "datetime.date": _call("b"),
    "datetime.datetime": _call("b[ox]?"),
    "datetime.time": _call("b[ox]?"),
    "datetime.timedelta": _call("iii"),
    "datetime.timezone": _call("os?"),
    "decimal.Decimal": _call("s"),
    "fractions.Fraction": _call("ii|s", text="-?[0-9]+(/[0-9]+)?"),  # Fraction("1e999999999") computes that power
    "ipaddress.IPv4Address": _call("[is]"),
    "ipaddress.IPv4Interface": _call("s"),
    "ipaddress.IPv4Network": _call("s"),
    "ipaddress.IPv6Address": _call("[is]"),
    "ipaddress.IPv6Interface": _call("s"),
    "ipaddress.IPv6Network": _call("s"),
    "pathlib.PurePosixPath": _call("s*"),
    "pathlib.PureWindowsPath": _call("s*"),
    "uuid.UUID": Safe(new=True, takes=["build"]),
    "zoneinfo.ZoneInfo": Safe(),
}


def pickle_allow_list(pickle_allow: Union[str, Sequence[Union[type, str]]]) -> AllowList:
    """Check ``pickle_allow``; give names with the classes given, or None for ``"*"``.

    Raises:
        ConfigError: an entry is neither a class that pickle can name nor a str "module.Name".
    """
    if isinstance(pickle_allow, str):
        if pickle_allow == "*":
            return None
        raise ConfigError(f"pickle_allow={pickle_allow!r}: must be '*' or a sequence such as ({pickle_allow!r},)")
    try:
        return dict(map(_allowed, pickle_allow))
    except TypeError:
        raise ConfigError(
            f"pickle_allow={pickle_allow!r}: must be '*' or a sequence of classes and 'module.Name' strings"
        ) from None


def _allowed(entry: object) -> Tuple[str, Optional[type]]:
    given = entry if isinstance(entry, type) else None
    name = entry if given is None else f"{given.__module__}.{given.__qualname__}"
    if not isinstance(name, str) or "." not in name or not all(map(str.isidentifier, name.split("."))):
        raise ConfigError(
            f"pickle_allow entry {entry!r}: must be a class that pickle can import or a str 'module.Name'"
        )
    return canonical(name), given


def canonical(name: str) -> str:
    """Give the name that all Pythons know: 3.13 alone writes pathlib's classes as pathlib._local's."""
    return name.replace("._local", "", 1) if name.startswith("pathlib._local.") else name


def not_allowed(name: str, deed: str = "names") -> UnsafePickleError:
    """Make the error for a global that ``pickle_allow`` would let in."""
    return UnsafePickleError(
        f"the pickle {deed} {name}, which is not in the list of safe globals:"
        f" if you trust it, add {name!r} to pickle_allow"
    )


def not_safe(name: str, deed: str) -> UnsafePickleError:
    """Make the error for a use of an object or a safe global that pickling the safe types never makes."""
    return UnsafePickleError(
        f"the pickle {deed} {name or 'an object'} in a way that the list of safe globals does not let it:"
        " only pickle_allow='*' would"
    )
