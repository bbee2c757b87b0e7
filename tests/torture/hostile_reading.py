"""Reading what is hostile, in every way in which it is read: whatever it is, it is taken whole or refused by its type.

An error of another type, or content that reads differently once it is written again, is a bug.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress

from apex_client.compression import decompress
from apex_client.errors import BadAnswer
from apex_server.errors import ApiError
from apex_server.sync.body import unpack
from apex_sync.acceptance import Acceptance, Author, accept
from apex_sync.document import Document
from apex_sync.errors import ClockGap, MalformedOp, MalformedUpdate, ProtocolError
from apex_sync.fold import fold
from apex_sync.models import CHECK_INS
from apex_sync.op import decode_op
from apex_sync.protocol.messages import decode_request, decode_response, encode_message
from apex_sync.testing import hostile
from apex_sync.testing.hostile import GOOD_OP, ME, OTHER
from apex_sync.testing.hostile.messages import SCOPE
from apex_sync.testing.hostile.zstd_frames import stored
from apex_sync.wire import encode_delta, encode_document, encode_push, parse_delta, parse_document, parse_push
from tests.torture.honest_input import DOCUMENT, OPS, REQUEST, RESPONSE

NOW_US = 1_000_000
KNOWN = {ME: 3, OTHER: 1}

CORPUS: Mapping[str, Mapping[str, bytes]] = {
    "update": {**hostile.UPDATES, **hostile.PUSHES, **hostile.VALID},
    "op": {**hostile.OPS, **{name: op for name, (op, _) in hostile.OBJECTIONABLE.items()}},
    "request": {
        **hostile.REQUESTS,
        **{name: encode_message(request) for name, request in hostile.asks(SCOPE).items()},
    },
    "response": hostile.RESPONSES,
    "body": {**hostile.BOMBS, **hostile.NO_FRAMES},
}
"""All that is read in one piece, by what it claims to be."""

HONEST: Mapping[str, Mapping[str, bytes]] = {
    "update": {"a record of two": encode_document(DOCUMENT), "a push": encode_push(ME, 0, OPS)},
    "op": {f"op {place}": op for place, op in enumerate(OPS)},
    "request": {"a request": encode_message(REQUEST)},
    "response": {"a response": encode_message(RESPONSE)},
    "body": {"a request": stored(encode_message(REQUEST))},
}
"""What is fine as it is, and one bit away from what is not."""


def seeds() -> Mapping[str, Mapping[str, bytes]]:
    """Give what mutations start from: of two, one was honest."""
    return {
        kind: {
            **named,
            **{f"{name} ({copy})": data for name, data in HONEST[kind].items() for copy in range(len(named))},
        }
        for kind, named in CORPUS.items()
    }


def read(kind: str, data: bytes) -> bool:
    """Read bytes as what they claim to be; tell whether anything of them was taken."""
    return any([reader(data) for reader in READERS[kind]])


def verify(kind: str, data: bytes) -> None:
    """Hold that what was taken is the same once it is written and read again."""
    for verifier in VERIFIERS[kind]:
        with suppress(MalformedUpdate, MalformedOp, ProtocolError):
            verifier(data)


def judged(first_clock: int, ops: list[bytes]) -> Acceptance:
    """Judge what an athlete pushes to a check-in that is not there yet."""
    author = Author(ME, "athlete")
    return accept(Document(), first_clock, ops, author=author, collection=CHECK_INS, refused={}, now_us=NOW_US)


def read_document(data: bytes) -> bool:
    try:
        fold(parse_document(data).writes())
    except (MalformedUpdate, MalformedOp):
        return False
    return True


def read_delta(data: bytes) -> bool:
    try:
        Document().apply(parse_delta(data, KNOWN))
    except (MalformedUpdate, ClockGap):
        return False
    return True


def read_push(data: bytes) -> bool:
    try:
        first_clock, ops = parse_push(data, ME)
    except MalformedUpdate:
        return False
    acceptance = judged(first_clock, ops)
    CHECK_INS.read(fold(acceptance.writes).state)
    return len(acceptance.refusals) < len(ops)


def read_op(data: bytes) -> bool:
    """Judge an op in a push, where a good one follows it."""
    try:
        decode_op(data, client_id=ME, clock=0, summary_allowed=False)
    except MalformedOp:
        return False
    return read_push(encode_push(ME, 0, [data, GOOD_OP]))


def read_request(data: bytes) -> bool:
    try:
        decode_request(data)
    except ProtocolError:
        return False
    return True


def read_response(data: bytes) -> bool:
    try:
        decode_response(data)
    except ProtocolError:
        return False
    return True


def unpack_on_the_server(data: bytes) -> bool:
    try:
        return read_request(unpack(data))
    except ApiError:
        return False


def unpack_on_a_device(data: bytes) -> bool:
    try:
        return read_response(decompress(data))
    except BadAnswer:
        return False


def verify_document(data: bytes) -> None:
    document = parse_document(data)
    assert parse_document(encode_document(document)) == document


def verify_delta(data: bytes) -> None:
    delta = parse_delta(data, KNOWN)
    assert parse_delta(encode_delta(delta), KNOWN) == delta


def verify_push(data: bytes) -> None:
    first_clock, ops = parse_push(data, ME)
    assert parse_push(encode_push(ME, first_clock, ops), ME) == (first_clock, ops)
    acceptance = judged(first_clock, ops)
    if acceptance.status == "applied":
        refused = {refusal.clock for refusal in acceptance.refusals}
        assert acceptance.document.ops == {ME: {clock: op for clock, op in enumerate(ops) if clock not in refused}}


def verify_op(data: bytes) -> None:
    verify_push(encode_push(ME, 0, [data, GOOD_OP]))


def verify_request(data: bytes) -> None:
    request = decode_request(data)
    assert decode_request(encode_message(request)) == request


def verify_response(data: bytes) -> None:
    again = encode_message(decode_response(data))
    assert encode_message(decode_response(again)) == again


READERS: Mapping[str, tuple[Callable[[bytes], bool], ...]] = {
    "update": (read_document, read_delta, read_push),
    "op": (read_op,),
    "request": (read_request,),
    "response": (read_response,),
    "body": (unpack_on_the_server, unpack_on_a_device),
}
VERIFIERS: Mapping[str, tuple[Callable[[bytes], None], ...]] = {
    "update": (verify_document, verify_delta, verify_push),
    "op": (verify_op,),
    "request": (verify_request,),
    "response": (verify_response,),
    "body": (),
}
