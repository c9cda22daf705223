"""Pickles that must be refused, by what they try, and an assembler for more."""

from __future__ import annotations

from typing import Dict


def text(value: str) -> bytes:
    data = value.encode("utf-8", "surrogatepass")
    return b"\x8c" + bytes([len(data)]) + data


def name(module: str, attribute: str) -> bytes:
    return text(module) + text(attribute) + b"\x93"


def call(module: str, attribute: str, *arguments: bytes) -> bytes:
    return name(module, attribute) + b"(" + b"".join(arguments) + b"tR"


def number(value: int) -> bytes:
    data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def stream(*parts: bytes) -> bytes:
    return b"\x80\x05" + b"".join(parts) + b"."


def chain(kind: bytes, put: bytes, levels: int = 30_000) -> bytes:
    """Each container holds the next, made first: the outermost is finished last."""
    return stream(b"(", kind * levels, put * (levels - 1))


def joined_chain(levels: int = 25_000) -> bytes:
    """Deques that are joined into one chain, every second link first."""
    memo = b"".join(call("collections", "deque") + b"\x940" for _ in range(levels))
    links = [*range(0, levels - 1, 2), *range(1, levels - 1, 2)]
    return stream(memo, b"".join(get(i) + get(i + 1) + b"a0" for i in links), get(0))


def get(index: int) -> bytes:
    return b"j" + index.to_bytes(4, "little")


BIG = number(10**12)
RANGE = call("builtins", "range", number(0), BIG, number(1))
DOUBLING = b")" + b"".join(b"\x94h" + bytes([i]) + b"h" + bytes([i]) + b"\x86" for i in range(60))
ZONE = name("zoneinfo", "ZoneInfo")
COMMAND = text("touch CODE_RAN")
SLICE = call("builtins", "slice", number(0), number(0), b"N") + b"\x94"

HOSTILE: Dict[str, bytes] = {
    # Code
    "os.system": stream(call("os", "system", COMMAND)),
    "posix.system": stream(call("posix", "system", COMMAND)),
    "os.system in protocol 0": b"cos\nsystem\n(S'touch CODE_RAN'\ntR.",
    "os.system in protocol 2": b"\x80\x02cos\nsystem\nX\x0e\0\0\0touch CODE_RAN\x85R.",
    "os.system by INST": b"(S'touch CODE_RAN'\nios\nsystem\n.",
    "os.system by OBJ": b"(cos\nsystem\nS'touch CODE_RAN'\no.",
    "builtins.eval": stream(call("builtins", "eval", text("open('CODE_RAN','w')"))),
    "builtins.exec": stream(call("builtins", "exec", text("open('CODE_RAN','w')"))),
    "eval by its Python 2 name": b"\x80\x02c__builtin__\neval\nX\x14\0\0\0open('CODE_RAN','w')\x85R.",
    "builtins.open": stream(call("builtins", "open", text("CODE_RAN"), text("w"))),
    "builtins.__import__": stream(call("builtins", "__import__", text("this"))),
    "importlib.import_module": stream(call("importlib", "import_module", text("this"))),
    "a module that runs at import": stream(name("this", "s")),
    "subprocess.Popen": stream(call("subprocess", "Popen", text("touch"))),
    "subprocess.Popen by NEWOBJ": stream(name("subprocess", "Popen"), COMMAND, b"\x85\x81"),
    "subprocess.Popen by NEWOBJ_EX": stream(name("subprocess", "Popen"), COMMAND, b"\x85}\x92"),
    "functools.partial": stream(call("functools", "partial", name("os", "system"))),
    "functools.reduce": stream(call("functools", "reduce", name("os", "system"))),
    "operator.attrgetter": stream(call("operator", "attrgetter", text("system"))),
    "types.FunctionType": stream(call("types", "FunctionType")),
    "copyreg._reconstructor": stream(call("copyreg", "_reconstructor", name("builtins", "object"))),
    "copyreg.__newobj__": stream(call("copyreg", "__newobj__", name("collections", "Counter"))),
    "builtins.type": stream(call("builtins", "type", text("X"), b")", b"}")),
    "builtins.object": stream(name("builtins", "object"), b")\x81"),
    "builtins.map": stream(call("builtins", "map", name("os", "system"), b"]")),
    "getattr of anything": stream(call("builtins", "getattr", name("datetime", "datetime"), text("__init__"))),
    "getattr of a str": stream(call("builtins", "getattr", text("a"), text("_unpickle"))),
    "getattr of another attribute": stream(call("builtins", "getattr", ZONE, text("from_file"))),
    "getattr with a default": stream(call("builtins", "getattr", ZONE, text("_unpickle"), name("os", "system"))),
    "getattr itself": stream(name("builtins", "getattr")),
    "the getattr of a zone as a value": stream(call("builtins", "getattr", ZONE, text("_unpickle"))),
    "a zone outside its folder": stream(
        call("builtins", "getattr", ZONE, text("_unpickle")),
        text("../../../etc/passwd"),
        b"K\x01\x86R",
    ),
    "a dotted name through a safe module": stream(name("datetime", "sys.modules")),
    "a dotted name through a safe class": stream(name("collections", "Counter.__init__.__globals__")),
    "a dotted module": stream(name("collections._sys", "exit")),
    "a name that is no str": stream(b"K\x01K\x02\x93"),
    "a name in broken UTF-8": stream(b"\x8c\x01\xff\x8c\x01\xff\x93"),
    "a name from the memo": stream(text("os") + b"\x94" + text("system") + b"\x94h\x00h\x01\x93" + COMMAND + b"\x85R"),
    "a callable that is an object": stream(call("uuid", "UUID"), b")R"),
    "a callable that is a list": stream(b"])R"),
    "a factory that runs code": stream(call("collections", "defaultdict", name("os", "getpid"))),
    "a factory that is getattr": stream(call("collections", "defaultdict", name("builtins", "getattr"))),
    "a safe class as a value": stream(b"]", name("fractions", "Fraction"), b"a"),
    "a safe class in a tuple": stream(name("builtins", "int"), b"\x85"),
    "a safe class in a tuple in a call": stream(call("collections", "defaultdict", name("builtins", "int"), b"N")),
    "an attribute set on a safe class": stream(name("fractions", "Fraction"), b"N}", text("x"), b"K\x01s\x86b"),
    "an attribute set on UUID": stream(name("uuid", "UUID"), b"N}", text("x"), b"K\x01s\x86b"),
    "an attribute set on an object": stream(call("collections", "OrderedDict"), b"}", text("items"), b"K\x01sb"),
    "slots set on an object": stream(name("uuid", "UUID"), b")\x81N}", text("int"), b"K\x01s\x86b"),
    "an attribute set on a list": stream(b"]}", text("x"), b"K\x01sb"),
    "an item of a safe class set": stream(name("collections", "Counter"), text("a"), b"K\x01s"),
    "a persistent object": b"Pabc\n.",
    "a persistent object of protocol 1": stream(b"K\x01Q"),
    "EXT1": stream(b"\x82\x01"),
    "EXT2": stream(b"\x83\x01\x00"),
    "EXT4": stream(b"\x84\x01\x00\x00\x00"),
    # Memory
    "LONG_BINPUT": b"\x80\x05Nr\xff\xff\xff\x7f.",
    "LONG_BINPUT, shorter": b"Nr\x00\x00\x00\x10.",
    "PUT": b"Np2147483647\n.",
    "BINBYTES8": b"\x8e\x00\x00\x00\x80\x00\x00\x00\x00",
    "BINBYTES8, 8 EiB": stream(b"\x8e" + b"\xff" * 7 + b"\x7f"),
    "BINBYTES8, above": stream(b"\x8e" + b"\xff" * 8),
    "BINUNICODE8": b"\x8d\x00\x00\x00\x80\x00\x00\x00\x00",
    "BYTEARRAY8": b"\x96\x00\x00\x00\x80\x00\x00\x00\x00",
    "BINBYTES": b"B\xff\xff\xff\x7f.",
    "BINUNICODE": b"X\xff\xff\xff\xff.",
    "LONG4": b"\x8b\xff\xff\xff\x7f.",
    "LONG4, negative": b"\x8b\xff\xff\xff\xff.",
    "FRAME": b"\x80\x05\x95\xff\xff\xff\xff\xff\xff\xff\x7fN.",
    "FRAME before a call": b"\x80\x05\x95\xff\xff\xff\xff\xff\xff\xff\x7f" + call("datetime", "date", text("a")) + b".",
    "LONG of protocol 0": b"L" + b"9" * 100_000 + b"L\n.",
    "bytearray(10**12)": stream(call("builtins", "bytearray", BIG)),
    "bytes(10**12)": stream(call("builtins", "bytes", BIG)),
    "bytearray(range)": stream(call("builtins", "bytearray", RANGE)),
    "bytearray by NEWOBJ": stream(name("builtins", "bytearray"), BIG, b"\x85\x81"),
    "list(range)": stream(call("builtins", "list", RANGE)),
    "tuple(range)": stream(call("builtins", "tuple", RANGE)),
    "set(range)": stream(call("builtins", "set", RANGE)),
    "frozenset(range)": stream(call("builtins", "frozenset", RANGE)),
    "Counter(range)": stream(call("collections", "Counter", RANGE)),
    "deque(range)": stream(call("collections", "deque", RANGE)),
    "OrderedDict(range)": stream(call("collections", "OrderedDict", RANGE)),
    "Fraction of a power": stream(call("fractions", "Fraction", text("1e999999999"))),
    "Fraction of a Decimal": stream(call("fractions", "Fraction", call("decimal", "Decimal", text("1e999999999")))),
    "int of many digits": stream(call("builtins", "int", text("9" * 200))),
    "a list doubled by slices": stream(SLICE, b"0]K\x00a\x94", b"h\x00h\x01s" * 60),
    "a bytearray doubled by slices": stream(SLICE, b"0\x96\x01" + bytes(7) + b"x\x94", b"h\x00h\x01s" * 60),
    "a path that joins a long name many times": stream(
        b"X\x00\x00\x10\x00" + b"x" * 2**20 + b"\x940", name("pathlib", "PurePosixPath"), b"(", b"h\x00" * 9**5, b"tR"
    ),
    # Time and the C stack
    "a key of 2**60 nodes": stream(b"}", DOUBLING, b"Ns"),
    "a key of 2**60 nodes among others": stream(b"}(NN", DOUBLING, b"Nu"),
    "a member of 2**60 nodes": stream(b"\x8f(", DOUBLING, b"\x90"),
    "a frozen member of 2**60 nodes": stream(b"(", DOUBLING, b"\x91"),
    "a key of 2**60 nodes by BINPUT": stream(b"})q\x00h\x00h\x00\x86", b"q\x01h\x01h\x01\x86" * 60, b"Ns"),
    "a key of 2**60 nodes, memoized on the sly": stream(b"}", DOUBLING.replace(b"\x94", b"(1N0\x94"), b"Ns"),
    "a key of a million nested tuples": stream(b"})", b"\x85" * 10**6, b"Ns"),
    "a million nested tuples": stream(b")", b"\x85" * 10**6),
    "nested deques": chain(call("collections", "deque"), b"a"),
    "nested defaultdicts": chain(b"N" + call("collections", "defaultdict"), b"s")[:-1] + b"s.",
    "deques joined into a chain": joined_chain(),
    # Broken
    "nothing": b"",
    "no STOP": b"\x80\x05N",
    "bytes after STOP": b"N.N.",
    "STOP on an empty stack": stream(),
    "an empty stack for TUPLE2": stream(b"N\x86"),
    "a missing mark": stream(b"Nt"),
    "a missing memo entry": stream(b"h\x05"),
    "a mark below a call": stream(name("datetime", "date"), b"(", b"R"),
    "a list as arguments": stream(name("datetime", "date"), b"]R"),
    "a date of wrong bytes": stream(call("datetime", "date", b"C\x04\xff\xff\xff\xff")),
    "a time zone that is none": stream(call("datetime", "timezone", RANGE)),
    "a timedelta of too many days": stream(call("datetime", "timedelta", BIG, BIG, BIG)),
    "a Fraction over zero": stream(call("fractions", "Fraction", number(1), number(0))),
    "a Decimal of letters": stream(call("decimal", "Decimal", text("abc"))),
    "an unhashable key": stream(b"}]Ns"),
    "DUP": stream(b"N2"),
    "a string of Python 2": stream(b"U\x01a"),
    "an out-of-band buffer": stream(b"\x97"),
    "a protocol to come": b"\x80\x06N.",
    "an opcode that is none": stream(b"\xff"),
    "text": b"hello",
    "JSON": b'{"a": 1}',
}
