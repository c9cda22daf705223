"""Coverage-guided fuzzing by atheris: ``python -m tests.trust.fuzzing TARGET FOLDER libfuzzer-arguments``.

The folder takes the seeds, and what was found on the way. A call that raises anything but an error of ours, runs code,
opens a file, hangs or takes 2 GB ends the process with what it was given.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import atheris

with atheris.instrument_imports(include=["asyncdictsqlite"]):
    from asyncdictsqlite import AsyncDictError, AsyncDictSQLite
    from asyncdictsqlite.codec import make_codec
    from asyncdictsqlite.codec.pickle_globals import SAFE
    from asyncdictsqlite.errors import UnsafePickleError, ValueDecodingError

from tests.hostile_pickles import name
from tests.trust.hostile_children import EVENTS, MODULES
from tests.trust.hostile_forms import forms
from tests.trust.sound_values import PICKLED, VALUES

PAGE = 4096
ENDS = ["", "-wal"]

Target = Callable[[bytes], None]


def decoder(mode: str) -> Target:
    """Return the target of a storage mode: what decodes can be encoded, and decodes again to the same."""
    codec = make_codec(mode)  # type: ignore[arg-type]
    decoding = False

    def watch(event: str, arguments: Any) -> None:
        writing = event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if decoding and (writing or event in EVENTS or (event == "import" and arguments[0] in MODULES)):
            os.write(2, f"code ran: {event} {arguments!r}\n".encode())
            os._exit(78)

    def decode(data: bytes) -> None:
        nonlocal decoding
        decoding = True
        try:
            value = codec.decode(data)
        except (UnsafePickleError, ValueDecodingError):
            return
        finally:
            decoding = False
        if mode != "pickle":  # a pickle may hold what its own pickling refuses
            again = codec.decode(codec.encode(value))
            assert repr(again) == repr(value), f"{value!r} becomes {again!r}"

    for full_name in SAFE:
        import_module(full_name.rpartition(".")[0])
    sys.addaudithook(watch)
    return decode


def seeds(mode: str) -> List[bytes]:
    """Return sound values, and for pickle hostile ones."""
    codec = make_codec(mode)  # type: ignore[arg-type]
    if mode != "pickle":
        return [codec.encode(value) for value in VALUES]
    return [*map(codec.encode, VALUES + PICKLED), *(data for data in forms().values() if len(data) < 500)]


def words() -> Iterator[bytes]:
    """Return what a pickle that means anything is made of, for the mutations to take up."""
    yield from (name(*full_name.rsplit(".", 1)) for full_name in SAFE)
    yield from (b"(", b"t", b"R", b"b", b"\x81", b"\x92", b"\x93", b"\x94", b"h\x00", b"}", b"]", b"u", b"e", b"\x8f(")


def damaged(backend: str, folder: Path) -> Target:
    """Return the target that changes sound files, of a closed store or a killed one, and makes every kind of call."""
    sound = [
        {end: Path(f"{folder}/sound.db{kind}{end}").read_bytes() for end in ends}
        for kind, ends in (("", [""]), (".live", ENDS))
    ]
    path = str(folder / "damaged.db")
    keys = [f"k{number:03d}" for number in range(0, 400, 23)]
    chosen: Dict[str, Any] = {"backend": backend, "storage_mode": "jsonb", "persist_mode": "writethrough"}

    def use(data: bytes) -> None:
        drawn = atheris.FuzzedDataProvider(data)
        _place(drawn.PickValueInList(sound), path, drawn)
        with contextlib.suppress(AsyncDictError):
            db = AsyncDictSQLite(path, synchronous="normal", capacity=50, **chosen).open()
            for call in _calls(db, keys):
                with contextlib.suppress(AsyncDictError):
                    call()
            db.close()

    return use


def _calls(db: AsyncDictSQLite, keys: List[str]) -> List[Callable[[], Any]]:
    return [
        *(partial(db.get, key) for key in keys[:6]),
        lambda: db.batch_get(keys),
        lambda: sum(1 for _ in itertools.islice(db.items(), 5000)),
        db.tables,
        lambda: db.set("k001", "new"),
        lambda: db.pop("k002", None),
        lambda: db.batch_delete(keys),
        lambda: db.table("second").get("a"),
        db.flush,
    ]


def _place(sound: Dict[str, bytes], path: str, drawn: Any) -> None:
    """Write the files with some bytes changed; most changes are where a page begins."""
    for end in (*ENDS, "-journal"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path + end)
    files = {end: bytearray(whole) for end, whole in sound.items()}
    for _ in range(drawn.ConsumeIntInRange(1, 6)):
        data = files[drawn.PickValueInList(list(files))]
        page = drawn.ConsumeIntInRange(0, max(0, len(data) // PAGE - 1)) * PAGE
        at = min(page + drawn.ConsumeIntInRange(0, 120 if drawn.ConsumeBool() else PAGE - 1), len(data))
        changed = drawn.ConsumeBytes(drawn.PickValueInList([1, 2, 4, 8, 64, PAGE]))
        data[at : at + len(changed)] = changed
    if drawn.ConsumeIntInRange(0, 9) == 0:
        del files[""][drawn.ConsumeIntInRange(0, len(files[""])) :]
    for end, data in files.items():
        Path(path + end).write_bytes(data)


def main() -> None:
    """Fuzz until libFuzzer's arguments have it end."""
    target, folder, *arguments = sys.argv[1:]
    corpus = Path(folder, "corpus")
    corpus.mkdir(exist_ok=True)
    if target in ("pickle", "json", "jsonb"):
        run = decoder(target)
        for number, data in enumerate(seeds(target)):
            (corpus / f"seed-{number}").write_bytes(data)
        dictionary = Path(folder, "words")
        escaped = ("".join(f"\\x{byte:02x}" for byte in word) for word in words())
        dictionary.write_text("".join(f'"{word}"\n' for word in escaped))
        arguments += [f"-dict={dictionary}"] if target == "pickle" else []
    else:  # a backend
        run = damaged(target, Path(folder))
    limits = ["-timeout=10", "-rss_limit_mb=2048", "-max_len=4096", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], str(corpus), f"-artifact_prefix={folder}/", *limits, *arguments], run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
