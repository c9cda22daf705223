"""What a pickle may name: the built-in list of safe globals, and the user's ``pickle_allow``.

A name is safe only together with the form of arguments in which pickling its objects calls it: ``bytearray`` of bytes
is harmless, ``bytearray(10**12)`` is not. Every row was read off what CPython 3.9 to 3.13 writes.
"""

from __future__ import annotations

import re
from typing import FrozenSet, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

from ..errors import ConfigError, UnsafePickleError

AllowList = Optional[Mapping[str, Optional[type]]]  # name -> the class itself, if it was given; None: everything


class Safe(NamedTuple):
    """A global that reading may load, and all that a pickle may do with it.

    `args`: the kinds of the arguments of a call (see `pickle_trace`), as a pattern; None: it is not called.
    `classes`: the names of the globals that may be among these arguments. `text`: what a str argument must look like.
    `new`: it is made by NEWOBJ without arguments. `takes`: the opcodes that may then fill the object: "append",
    "setitem", "build". `fragile`: CPython deallocates a chain of them by unguarded recursion. `is_object`: an
    object itself, not a class. `gives`: what a call gives, where that is to be called in turn.
    """

    args: Optional[str] = None
    classes: FrozenSet[str] = frozenset()
    text: Optional[str] = None
    new: bool = False
    takes: Sequence[str] = ()
    fragile: bool = False
    is_object: bool = False
    gives: Optional[Safe] = None


_FACTORY = Safe()
_FACTORIES = frozenset(
    [f"builtins.{name}" for name in ("bool", "bytearray", "bytes", "complex", "dict", "float", "frozenset", "int")]
    + [f"builtins.{name}" for name in ("list", "set", "str", "tuple")]
    + [f"collections.{name}" for name in ("Counter", "OrderedDict", "defaultdict", "deque")]
)
_ZONE_UNPICKLE = Safe(args="s[iB]")

SAFE: Mapping[str, Safe] = {
    **dict.fromkeys(_FACTORIES, _FACTORY),
    "builtins.complex": Safe(args="ff"),
    "builtins.bytearray": Safe(args="b?"),
    "builtins.range": Safe(args="iii"),
    "builtins.slice": Safe(args="[NBifsb]{3}"),
    "builtins.Ellipsis": Safe(is_object=True),
    "builtins.NotImplemented": Safe(is_object=True),
    "builtins.getattr": Safe(
        args="cs", classes=frozenset({"zoneinfo.ZoneInfo"}), text="_unpickle", gives=_ZONE_UNPICKLE
    ),
    "collections.OrderedDict": Safe(args="", takes=("setitem",)),
    "collections.Counter": Safe(args="d"),
    "collections.deque": Safe(args="(E[iN]?)?", takes=("append",), fragile=True),
    "collections.defaultdict": Safe(args="[Nuc]?", classes=_FACTORIES, takes=("setitem",), fragile=True),
    "datetime.date": Safe(args="b"),
    "datetime.time": Safe(args="b[ox]?"),
    "datetime.datetime": Safe(args="b[ox]?"),
    "datetime.timedelta": Safe(args="iii"),
    "datetime.timezone": Safe(args="os?"),
    "decimal.Decimal": Safe(args="s"),
    "fractions.Fraction": Safe(args="ii|s", text=r"-?\d+(/\d+)?"),  # Fraction("1e999999999") computes the power
    "ipaddress.IPv4Address": Safe(args="i"),
    "ipaddress.IPv6Address": Safe(args="i"),
    "ipaddress.IPv4Network": Safe(args="s"),
    "ipaddress.IPv6Network": Safe(args="s"),
    "ipaddress.IPv4Interface": Safe(args="s"),
    "ipaddress.IPv6Interface": Safe(args="s"),
    "pathlib.PurePosixPath": Safe(args="s*"),
    "pathlib.PureWindowsPath": Safe(args="s*"),
    "uuid.UUID": Safe(new=True, takes=("build",)),
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
    return re.sub(r"^pathlib\._local\.", "pathlib.", name)


def unsafe(name: str, problem: str = "names") -> UnsafePickleError:
    """Make the error for a global that may not be loaded, or not so."""
    return UnsafePickleError(
        f"the pickle {problem} {name}, which is not in the list of safe globals in this form:"
        f" if you trust it, add {name!r} to pickle_allow"
    )
