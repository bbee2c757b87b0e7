"""What crafted input is put together from."""

from typing import Any

import msgspec

from apex_sync.testing.updates import ANY_ITEM, any_item, key, section, text, update

ME = 9
OTHER = 7
HUGE = 2**52


def crafted_op(patch: Any = None, *, hlc: Any = 10, seen: Any = ()) -> bytes:
    """Write an op of one write, of which any part may be wrong."""
    return msgspec.msgpack.encode([[hlc, list(seen), {"notes": "x"} if patch is None else patch]])


def with_raw_patch(raw: bytes) -> bytes:
    """Write an op whose patch is these bytes."""
    return b"\x91\x93\x0a\x90" + raw


def with_item(item: bytes, first_clock: int = 0, *, client_id: int = ME, dead: bytes = b"\x00", **more: Any) -> bytes:
    """Write an update that holds one struct."""
    return update(section(client_id, first_clock, [item], **more), dead=dead)


def item_of(content: bytes, info: int = ANY_ITEM) -> bytes:
    """Write an item in the right place whose content is these bytes."""
    return bytes([info, 1]) + text("o") + text(key(ME, 0)) + content


GOOD_OP = crafted_op()
GOOD = any_item(ME, 0, GOOD_OP)
