"""Media in the store: a piece opens at its place of its file alone, whoever else may have the key."""

import os
from collections.abc import Callable
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from apex_server.media.directory import DirectoryStore
from apex_server.media.sealed_files import CHUNK_BYTES, FileSeal, open_file
from apex_server.vault import SealBroken, UserKey

pytestmark = pytest.mark.anyio

SIZE = 2 * CHUNK_BYTES + 1000
KEY = UserKey(os.urandom(32))
MEDIA = uuid4()


def sealed(media: UUID = MEDIA, name: str = "original", size: int = SIZE) -> list[bytes]:
    """Seal a file of the same person, and give its pieces."""
    seal = FileSeal(KEY, media, name, size)
    return [*seal.add(os.urandom(size)), *seal.end()]


async def opened(folder: Path, pieces: list[bytes], start: int = 0, end: int | None = None) -> bytes:
    """Open what lies in the store as the original of MEDIA."""
    name = f"{MEDIA}/original"
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"".join(pieces))
    seal = FileSeal(KEY, MEDIA, "original", SIZE)
    return b"".join([piece async for piece in open_file(DirectoryStore(folder), name, seal, start, end)])


TAMPERED: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "two pieces are exchanged": lambda own: [own[1], own[0], own[2]],
    "a piece is there twice": lambda own: [own[0], own[0], own[2]],
    "it is cut at the end of a piece": lambda own: own[:2],
    "it is cut at the end of the first": lambda own: own[:1],
    "nothing is left": lambda own: [],
    "it is cut within a piece": lambda own: [*own[:2], own[2][:-1]],
    "the first piece is gone": lambda own: own[1:],
    "something follows": lambda own: [*own, own[2]],
    "a bit is another": lambda own: [own[0][:40] + bytes([own[0][40] ^ 1]) + own[0][41:], *own[1:]],
    "the file is another of the person's": lambda own: sealed(uuid4()),
    "a piece is of another file": lambda own: [own[0], sealed(uuid4())[1], own[2]],
    "it is the small picture": lambda own: sealed(name="thumbnail"),
    "it is a version with more pieces, cut": lambda own: sealed(size=SIZE + CHUNK_BYTES)[:3],
    "a piece is of a shorter version": lambda own: [sealed(size=CHUNK_BYTES + 9)[0], *own[1:]],
}


@pytest.mark.parametrize("how", TAMPERED)
async def test_a_tampered_file_does_not_open(tmp_path: Path, how: str) -> None:
    own = sealed()
    assert len(await opened(tmp_path, own)) == SIZE
    with pytest.raises(SealBroken):
        await opened(tmp_path, TAMPERED[how](own))


async def test_a_file_that_is_read_from_a_place_on_ends_where_it_must(tmp_path: Path) -> None:
    own = sealed()
    start = CHUNK_BYTES + 7
    assert len(await opened(tmp_path, own, start)) == SIZE - start
    for tampered in (own[:2], [own[0], own[2], own[1]]):
        with pytest.raises(SealBroken):
            await opened(tmp_path, tampered, start)


async def test_a_range_reads_and_verifies_its_own_pieces_alone(tmp_path: Path) -> None:
    own = sealed()
    noise = os.urandom(len(own[0]))
    start, end = CHUNK_BYTES + 7, 2 * CHUNK_BYTES
    assert len(await opened(tmp_path, [noise, own[1], noise], start, end)) == end - start
    for tampered in ([own[0], noise, own[2]], [own[0], own[0], own[2]], [own[0], own[1][:-1]], own[:1]):
        with pytest.raises(SealBroken):
            await opened(tmp_path, tampered, start, end)
