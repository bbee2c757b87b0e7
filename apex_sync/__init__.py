"""The Apex Sync engine: ops, fold, wire codec and sync messages, without a socket, file, SQL or clock of its own.

What stands in `__all__` is the public surface; it loads on first use, because a watch that only logs a set pays for
every module it imports. (`fold`, the function, is not here: it would hide the module of the same name.) The messages of
a sync are in `apex_sync.protocol`, the coaching models in `apex_sync.models`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from apex_sync.acceptance import Acceptance, Author, Refusal, RefusedOp, accept
    from apex_sync.clock import next_hlc
    from apex_sync.collection import Collection, Entry, Leaf, Record, Role
    from apex_sync.compaction import Compacted, compact, needs_compaction
    from apex_sync.digest import add_digests, digest_bytes, extend_digest, record_digest
    from apex_sync.document import Delta, Document
    from apex_sync.errors import (
        ApexError,
        ClockGap,
        FieldProblem,
        ForbiddenField,
        MalformedOp,
        MalformedUpdate,
        OutOfBounds,
        ProtocolError,
        UnknownCollection,
    )
    from apex_sync.fold import Claim, Conflict, Fold
    from apex_sync.ids import Scope
    from apex_sync.op import StampedWrite, Write, decode_op, encode_op
    from apex_sync.order import order_between, order_keys
    from apex_sync.wire import (
        encode_delta,
        encode_document,
        encode_push,
        encode_refusals,
        fits,
        parse_delta,
        parse_document,
        parse_push,
    )

__all__ = [
    "Acceptance",
    "ApexError",
    "Author",
    "Claim",
    "ClockGap",
    "Collection",
    "Compacted",
    "Conflict",
    "Delta",
    "Document",
    "Entry",
    "FieldProblem",
    "Fold",
    "ForbiddenField",
    "Leaf",
    "MalformedOp",
    "MalformedUpdate",
    "OutOfBounds",
    "ProtocolError",
    "Record",
    "Refusal",
    "RefusedOp",
    "Role",
    "Scope",
    "StampedWrite",
    "UnknownCollection",
    "Write",
    "accept",
    "add_digests",
    "compact",
    "decode_op",
    "digest_bytes",
    "encode_delta",
    "encode_document",
    "encode_op",
    "encode_push",
    "encode_refusals",
    "extend_digest",
    "fits",
    "needs_compaction",
    "next_hlc",
    "order_between",
    "order_keys",
    "parse_delta",
    "parse_document",
    "parse_push",
    "record_digest",
]

_NAMES_BY_MODULE = {
    "acceptance": "Acceptance Author Refusal RefusedOp accept",
    "clock": "next_hlc",
    "collection": "Collection Entry Leaf Record Role",
    "compaction": "Compacted compact needs_compaction",
    "digest": "add_digests digest_bytes extend_digest record_digest",
    "document": "Delta Document",
    "errors": "ApexError ClockGap FieldProblem ForbiddenField MalformedOp MalformedUpdate OutOfBounds ProtocolError "
    "UnknownCollection",
    "fold": "Claim Conflict Fold",
    "ids": "Scope",
    "op": "StampedWrite Write decode_op encode_op",
    "order": "order_between order_keys",
    "wire": "encode_delta encode_document encode_push encode_refusals fits parse_delta parse_document parse_push",
}
_MODULE_BY_NAME = {name: module for module, names in _NAMES_BY_MODULE.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_BY_NAME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULE_BY_NAME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
