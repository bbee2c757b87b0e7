"""The sans-I/O sync protocol: what the two sides say to each other."""

from apex_sync.protocol.messages import (
    PROTOCOL_VERSION,
    PROTOCOL_VERSION_OLDEST,
    PULL_RECORDS_MAX,
    PUSH_RECORDS_MAX,
    REQUEST_BYTES_MAX,
    RESPONSE_BYTES_TARGET,
    PulledRecord,
    PushedRecord,
    PushResult,
    ScopeCursor,
    ScopePage,
    SyncRequest,
    SyncResponse,
    decode_request,
    decode_response,
    encode_message,
)

__all__ = [
    "PROTOCOL_VERSION",
    "PROTOCOL_VERSION_OLDEST",
    "PULL_RECORDS_MAX",
    "PUSH_RECORDS_MAX",
    "REQUEST_BYTES_MAX",
    "RESPONSE_BYTES_TARGET",
    "PulledRecord",
    "PushResult",
    "PushedRecord",
    "ScopeCursor",
    "ScopePage",
    "SyncRequest",
    "SyncResponse",
    "decode_request",
    "decode_response",
    "encode_message",
]
