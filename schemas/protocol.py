"""The messages of a sync as a table: what stands at which place of which array, the codes, and the limits."""

import inspect
from typing import Any, get_args

from msgspec import NODEFAULT
from msgspec import inspect as types
from msgspec.structs import FieldInfo, fields

from apex_sync import clock, compaction, op, wire
from apex_sync.acceptance import Refusal, RefusalCode, Status
from apex_sync.protocol import messages
from apex_sync.protocol.messages import (
    PulledRecord,
    PushedRecord,
    PushResult,
    ScopeCursor,
    ScopePage,
    SyncRequest,
    SyncResponse,
)

MESSAGES = (SyncRequest, PushedRecord, ScopeCursor, SyncResponse, PushResult, Refusal, ScopePage, PulledRecord)

LIMITS: dict[Any, tuple[str, ...]] = {
    messages: (
        "REQUEST_BYTES_MAX",
        "RESPONSE_BYTES_TARGET",
        "PUSH_RECORDS_MAX",
        "PULL_RECORDS_MAX",
        "SCOPES_MAX",
        "RESEND_RECORDS_MAX",
        "BUCKETS",
        "BUCKET_SCOPES_MAX",
    ),
    wire: ("DOCUMENT_BYTES_MAX", "OPS_MAX", "STRUCTS_MAX", "CLIENTS_MAX"),
    op: ("EXACT_INT_MAX", "CLOCK_MAX", "OP_BYTES_MAX", "SUMMARY_BYTES_MAX", "DEPTH_MAX", "WRITES_MAX"),
    clock: ("SKEW_MAX_MICROSECONDS",),
    compaction: ("COMPACTION_OPS", "COMPACTION_BYTES"),
}


def protocol_description() -> dict[str, Any]:
    """Describe the protocol of this version."""
    return {
        "version": messages.PROTOCOL_VERSION,
        "oldest_version": messages.PROTOCOL_VERSION_OLDEST,
        "encoding": "msgpack arrays, fields in this order; trailing fields may be missing or unknown",
        "push_statuses": list(get_args(Status)),
        "refusal_codes": list(get_args(RefusalCode)),
        "limits": {name: getattr(module, name) for module, names in LIMITS.items() for name in names},
        "messages": {message.__name__: _message(message) for message in MESSAGES},
    }


def _message(message: type[Any]) -> dict[str, Any]:
    return {
        "about": inspect.cleandoc(message.__doc__ or ""),
        "fields": [_field(place, each) for place, each in enumerate(fields(message))],
    }


def _field(place: int, each: FieldInfo) -> dict[str, Any]:
    described: dict[str, Any] = {"place": place, "name": each.name, "type": _type(types.type_info(each.type))}
    if each.default_factory is not NODEFAULT:
        described["default"] = each.default_factory()
    elif each.default is not NODEFAULT:
        described["default"] = each.default.hex() if isinstance(each.default, bytes) else each.default
    return described


def _type(kind: types.Type) -> str:
    """Word a type: `list of up to 1000 PushedRecord`, `integer 1..9007199254740991`."""
    match kind:
        case types.StructType(cls=cls):
            return str(cls.__name__)
        case types.UnionType(types=arms):
            return " or ".join(map(_type, arms))
        case types.ListType(item_type=item, min_length=least, max_length=most):
            count = f"{most} " if least == most and most else f"up to {most} " if most else ""
            return f"list of {count}{_type(item)}"
        case types.TupleType(item_types=items):
            return f"array of {', '.join(map(_type, items))}"
        case types.IntType(ge=least, le=most):
            return f"integer {least}..{most}" if most else "integer"
        case types.LiteralType(values=values):
            return " or ".join(f'"{value}"' for value in values)
    words = {types.StrType: "text", types.BytesType: "bytes", types.BoolType: "boolean", types.FloatType: "float"}
    return {**words, types.NoneType: "null"}[type(kind)]
