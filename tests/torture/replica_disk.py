"""A disk as a power cut finds it, rebuilt from the syscalls of a device: what was synced is there, the rest perhaps.

Of each file everything up to its last fsync is there, and of the writes since then any part: none, all, the first few,
any few, or sectors of them. A name that was made, replaced or removed since the last fsync of the folder may not have
been. Space that a file has grown by, while what was written there is lost, reads as zeros or as what lay there before.
This is more than a journalling file system does to anyone.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Literal, NamedTuple

from tests.torture.replica_device import TOLD

SECTOR_BYTES = 512
FOLDER = "."

Survival = Literal["none", "all", "prefix", "subset", "sectors"]
SURVIVALS: tuple[Survival, ...] = ("none", "all", "prefix", "subset", "sectors")

_CALL = re.compile(r"(\w+)\((.*)\) += (\d+)")
_QUOTED = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_OPEN_FILE = re.compile(r"^\d+<((?:\\x[0-9a-f]{2})+)>")
_NUMBERS = re.compile(r", (\d+)(?=,|$)")


class Call(NamedTuple):
    """One syscall on a file, by the name of that file in the folder; the folder itself is `.`."""

    syscall: str
    name: str
    data: bytes = b""
    place: int = 0
    flags: str = ""
    to: str = ""


def calls(log: Iterable[str], folder: Path) -> Iterator[Call]:
    """Read what strace has written with `-xx -y`; calls that failed, and the index of the log, are left out."""
    for line in log:
        found = _CALL.match(line)
        call = _call(folder, *found.groups()) if found else None
        if call is not None and not call.name.endswith("-shm"):
            yield call


def _call(folder: Path, syscall: str, arguments: str, result: str) -> Call | None:
    texts = [_bytes(quoted) for quoted in _QUOTED.findall(arguments)]
    file = _OPEN_FILE.match(arguments)
    name = _name(folder, _bytes(file[1]) if file else texts[0])
    numbers = [int(number) for number in _NUMBERS.findall(arguments)]
    match syscall:
        case "openat":
            return Call("openat", name, flags=arguments.rpartition('"')[2])
        case "pwrite64":
            return Call("pwrite64", name, texts[0][: int(result)], numbers[-1])
        case "write":
            return Call("write", name, texts[0][: int(result)])
        case "ftruncate":
            return Call("ftruncate", name, place=numbers[-1])
        case "fsync" | "fdatasync":
            return Call("fsync", name)
        case "rename":
            return Call("rename", name, to=_name(folder, texts[1]))
        case "unlink":
            return Call("unlink", name)
    return None


def _bytes(escaped: str) -> bytes:
    return bytes.fromhex(escaped.replace("\\x", ""))


def _name(folder: Path, path: bytes) -> str:
    return str(Path(path.decode()).relative_to(folder))


class Change(NamedTuple):
    """Bytes at a place of a file, or (None) its new end."""

    place: int
    data: bytes | None


@dataclass
class File:
    """What is certain of a file, and what has been written since."""

    synced: bytes = b""
    changes: list[Change] = field(default_factory=list)
    position: int = 0

    def sync(self) -> None:
        """Make everything certain."""
        self.synced, self.changes = bytes(_written(self.synced, self.changes)), []


class Disk:
    """The folder of a replica, followed from call to call."""

    def __init__(self, folder: Path) -> None:
        self.told: list[list[str]] = []
        self.quiet = True
        """Whether nothing was written since the device told something last."""
        self._files = {path.name: File(path.read_bytes()) for path in folder.iterdir() if path.is_file()}
        self._synced_names = dict(self._files)
        self._renamings: dict[str, list[dict[str, File | None]]] = defaultdict(list)

    def take(self, call: Call) -> None:
        """Follow one call."""
        if call.name == TOLD:
            self.told += [line.split(" ") for line in call.data.decode().splitlines()]
            self.quiet = True
            return
        self.quiet &= call.syscall == "openat"
        match call.syscall:
            case "openat":
                self._open(call.name, call.flags)
            case "pwrite64":
                self._files[call.name].changes.append(Change(call.place, call.data))
            case "write":
                file = self._files[call.name]
                file.changes.append(Change(file.position, call.data))
                file.position += len(call.data)
            case "ftruncate":
                self._files[call.name].changes.append(Change(call.place, None))
            case "fsync" if call.name == FOLDER:
                self._synced_names = dict(self._files)
                self._renamings.clear()
            case "fsync":
                self._files[call.name].sync()
            case "rename":
                self._rename({call.to: self._files[call.name], call.name: None})
            case "unlink":
                self._rename({call.name: None})

    def image(self, dice: Random) -> dict[str, bytes]:
        """Give the files as a power cut might leave them now."""
        names = dict(self._synced_names)
        for renamings in self._renamings.values():
            for renaming in renamings[: dice.randint(0, len(renamings))]:
                names |= {name: file for name, file in renaming.items() if file}
                for name in [name for name, file in renaming.items() if file is None]:
                    names.pop(name, None)
        return {name: _survived(file, dice.choice(SURVIVALS), dice) for name, file in sorted(names.items())}

    def _open(self, name: str, flags: str) -> None:
        if name == FOLDER:
            return
        if name not in self._files:
            self._rename({name: File()})
        self._files[name].position = 0
        if "O_TRUNC" in flags:
            self._files[name].changes.append(Change(0, None))

    def _rename(self, renaming: dict[str, File | None]) -> None:
        """Follow names; those of one file are renamed in their order, those of others independently."""
        for name, file in renaming.items():
            if file is None:
                del self._files[name]
            else:
                self._files[name] = file
        self._renamings[next(iter(renaming)).removesuffix("-new")].append(renaming)


def _survived(file: File, survival: Survival, dice: Random) -> bytes:
    """Give what is left of a file."""
    changes = file.changes
    match survival:
        case "none":
            changes = []
        case "prefix":
            changes = changes[: dice.randint(0, len(changes))]
        case "subset":
            changes = [change for change in changes if dice.random() < 0.5]
        case "sectors":
            changes = [part for change in changes for part in _sectors(change, dice)]
    return bytes(_written(file.synced, changes))


def _sectors(change: Change, dice: Random) -> Iterator[Change]:
    """Give the sectors of a write that reached the disk; one that did not is as it was before, or rubbish."""
    if change.data is None:
        yield change
        return
    for start in range(change.place - change.place % SECTOR_BYTES, change.place + len(change.data), SECTOR_BYTES):
        first = max(start - change.place, 0)
        data = change.data[first : start + SECTOR_BYTES - change.place]
        fate = dice.random()
        if fate < 0.5:
            yield Change(change.place + first, data)
        elif fate < 0.6:
            yield Change(change.place + first, dice.randbytes(len(data)))


def _written(content: bytes, changes: Iterable[Change]) -> bytearray:
    new = bytearray(content)
    for place, data in changes:
        new.extend(bytes(max(place - len(new), 0)))
        if data is None:
            del new[place:]
        else:
            new[place : place + len(data)] = data
    return new
