"""The construction of encrypted messages and files: what was sealed yesterday opens tomorrow, and only whole."""

import io
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import pytest

from apex_client.errors import MediaUnusable
from apex_client.media_queue import PIECE_BYTES
from apex_client.message_sealing import KeyPair, Place, SealBroken, unseal
from apex_client.opened_messages import Content
from apex_client.sealed_files import TAG_BYTES, Opening, sealed_reader
from apex_sync.models.media import SEALED_HEAD

COACH, ATHLETE = KeyPair(bytes([1]) * 64), KeyPair(bytes([2]) * 64)
PLACE = Place(
    "thread:00000000-0000-0000-0000-000000000001:00000000-0000-0000-0000-000000000002",
    "01922f6c-4b7e-7c3a-9d51-000000000001",
    "coach",
)
SEALED = (
    "POj8SkLZwL1iUAA4FPu9DdDeMEyOomZLIyXx5_ARr3N20YWJauqbIqYyNqoEhNv3ocUa2QyrkVBPxn_b0voj-_WAuS3UqnapN1fR"
    "tIv6DOVN75tVjn7PF9EsTqvGT663Mw921vaJn9PiXxYFMeVc1Iz1S17a3F2D8EROsp6a0lgzcSZbkgz9jTf4BS0C5COoDRGAqmTX"
    "EUDsiDRGUjiUBWUThz-pUipCSGF8SVQXELKIOYzQh6w0l_CUfb6Q3U0h0r09xBrhINjbTwYCncziWkQ9YDWWIY0mwQ"
)
WRAPPED = {
    "32hW_1gayTOHqO3Ld7BvzQ": (
        "ib4TY07Ju0jW-SAw_Q7E4GtLWTiWTGKkDPsJoTBNGxHIb2UvNNcsvRBGHl9ZZiem0bjm_7XSaz01cNTVohkt7uu7aSumA2PA5mFiCl_Lzk8"
    )
}
"""A message as the first version sealed it; who changes this makes a new version, and opens both."""

KEY = bytes(range(32))
FIRST = PIECE_BYTES - TAG_BYTES - len(SEALED_HEAD)
NEXT = PIECE_BYTES - TAG_BYTES


def test_a_message_of_the_first_version_opens() -> None:
    said = Content(type="text", sent_at="2026-03-01T18:05:00.000Z", text="How is the knee?")
    assert unseal(SEALED, WRAPPED, PLACE, [ATHLETE]) == (COACH.key_id, said)
    assert unseal(SEALED, WRAPPED, PLACE, [COACH]) is None


@pytest.mark.parametrize(
    "place",
    [
        Place(PLACE.scope.replace("2", "3"), PLACE.record_id, "coach"),
        Place(PLACE.scope, PLACE.record_id.replace("1", "2"), "coach"),
        Place(PLACE.scope, PLACE.record_id, "athlete"),
    ],
    ids=["thread", "record", "side"],
)
def test_it_opens_at_its_place_alone(place: Place) -> None:
    with pytest.raises(SealBroken):
        unseal(SEALED, WRAPPED, place, [ATHLETE])


def sealed_pieces(size: int, key: bytes = KEY) -> list[bytes]:
    read = sealed_reader(key, io.BytesIO(bytes(size)))
    return list(iter(read, b""))


def opened(
    sealed: bytes,
    step: int = 100_000,
    *,
    keys: Sequence[bytes] = (KEY,),
    may_be_plain: bool = False,
    named: bytes | None = None,
) -> bytes:
    """Open a file, of the name that it has by right unless another is `named`."""
    found = bytearray()
    media_id = sha256(sealed if named is None else named).hexdigest()
    opening = Opening(keys, media_id, found.extend, Path("file"), may_be_plain=may_be_plain)
    for start in range(0, len(sealed), step):
        opening.add(sealed[start : start + step])
    opening.end()
    return bytes(found)


@pytest.mark.parametrize("size", [1, FIRST - 1, FIRST, FIRST + 1, FIRST + NEXT, FIRST + NEXT + 1])
def test_a_file_of_any_size_opens_and_lies_in_even_pieces(size: int) -> None:
    pieces = sealed_pieces(size)
    assert {len(piece) for piece in pieces[:-1]} <= {PIECE_BYTES} and len(pieces[-1]) <= PIECE_BYTES
    assert opened(b"".join(pieces)) == bytes(size)


def test_a_file_that_was_cut_short_lengthened_or_put_in_another_order_does_not_open() -> None:
    first, second, third = sealed_pieces(FIRST + NEXT + 1)
    for changed in (b"", first, first + second, first + third, second + first + third, first + second + third + third):
        with pytest.raises(MediaUnusable):
            opened(changed)


@pytest.mark.parametrize("size", [1, FIRST + NEXT + 1])
def test_a_wrong_key_that_somebody_says_spoils_nothing(size: int) -> None:
    sealed = b"".join(sealed_pieces(size))
    for keys in ([bytes(32), KEY], [KEY, bytes(32)]):
        assert opened(sealed, keys=keys) == bytes(size)
        assert opened(sealed, 7, keys=keys, may_be_plain=True) == bytes(size)
    with pytest.raises(MediaUnusable):
        opened(sealed, keys=[bytes(32)], may_be_plain=True)


@pytest.mark.parametrize("plain", [b"", b"short", bytes(PIECE_BYTES * 2 + 1), bytes(40) + SEALED_HEAD * 3])
def test_what_is_not_sealed_is_taken_as_it_is_where_it_may_be_and_its_name_is_its_own(plain: bytes) -> None:
    assert opened(plain, 40, may_be_plain=True) == plain
    with pytest.raises(MediaUnusable):
        opened(plain)
    with pytest.raises(MediaUnusable):
        opened(plain, may_be_plain=True, named=b"another")


def test_a_file_that_is_sealed_with_a_key_somebody_says_has_to_be_the_one_that_is_named() -> None:
    theirs = b"".join(sealed_pieces(100, bytes(32)))
    assert opened(theirs, keys=[KEY, bytes(32)]) == bytes(100)
    with pytest.raises(MediaUnusable):
        opened(theirs, keys=[KEY, bytes(32)], named=b"".join(sealed_pieces(100)))
