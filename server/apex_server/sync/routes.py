"""`POST /api/sync`: one round trip that pushes, pulls and acknowledges."""

from typing import Any

from litestar import Request, Response, post
from litestar.di import NamedDependency

from apex_server.caller import Caller
from apex_server.errors import AccessTokenExpired, BodyTooLarge, BodyTooSlow, DatabaseUnavailable
from apex_server.problems import problem_responses
from apex_server.sync.body import ENCODING, packed, read_body
from apex_server.sync.errors import NotMsgpack, NotZstd, UnsupportedVersion
from apex_sync.errors import ProtocolError
from apex_sync.protocol.messages import REQUEST_BYTES_MAX, SyncResponse, decode_request, encode_message

__all__ = ["MEDIA_TYPE", "sync_routes"]

MEDIA_TYPE = "application/vnd.apex.sync+msgpack"


@post(
    "/api/sync",
    status_code=200,
    media_type=MEDIA_TYPE,
    request_max_body_size=REQUEST_BYTES_MAX,
    tags=["sync"],
    summary="Push what the device wrote, and pull what is new",
    responses=problem_responses(
        NotZstd, NotMsgpack, AccessTokenExpired, BodyTooLarge, BodyTooSlow, UnsupportedVersion, DatabaseUnavailable
    ),
)
async def sync(
    request: Request[Any, Any, Any], caller: NamedDependency[Caller], answer: NamedDependency[Any]
) -> Response[bytes]:
    """Answer a SyncRequest with a SyncResponse, both msgpack as docs/protocol.md describes, and zstd when long."""
    body = await read_body(request.stream(), request.headers.get("content-encoding", ""))
    try:
        message = decode_request(body)
    except ProtocolError as error:
        raise NotMsgpack(error.reason) from error
    response: SyncResponse = await answer(caller, message)
    content, encoding = await packed(encode_message(response))
    headers = {"Cache-Control": "no-store", **({"Content-Encoding": encoding} if encoding == ENCODING else {})}
    return Response(content, media_type=MEDIA_TYPE, headers=headers)


sync_routes = [sync]
