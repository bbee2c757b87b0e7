"""Request bodies that are read without being believed: plain JSON objects, documented by the type they should have.

A whole record that is sent back may hold values that broke bounds before and were not touched. So a body is decoded as
it is, compared with what its author had, and only the difference is held to types and bounds (`writing.py`).
"""

import zlib
from typing import Any, ClassVar, cast

import msgspec
import zstandard
from litestar.dto import AbstractDTO
from litestar.openapi.spec import Schema
from litestar.typing import FieldDefinition

from apex_server.errors import BodyTooLarge, InvalidFields, MalformedRequest, UnsupportedMediaType
from apex_sync.protocol.zstd_frame import is_one_frame

__all__ = ["Described", "described_as", "list_body", "object_body"]

BODY_BYTES_MAX = 1024 * 1024
"""Where a handler names no bound of its own."""

WINDOW_BYTES_MAX = 8 * 1024 * 1024
"""What a compressor at any usual level asks for; it bounds what a hostile frame can make us allocate."""

GZIP_WINDOW_BITS = 31
"""32 kB with a gzip header, in the words of zlib."""


class Described(AbstractDTO[Any]):
    """Decodes JSON as it is, and describes it in the API description as `documented`."""

    documented: ClassVar[Any] = dict[str, Any]
    example: ClassVar[Any] = None

    def decode_bytes(self, value: bytes) -> Any:
        """Unpack what came packed, and decode JSON. Raises MalformedRequest, BodyTooLarge, UnsupportedMediaType."""
        limit = self.asgi_connection.route_handler.resolve_request_max_body_size() or BODY_BYTES_MAX
        body = unpacked(value, self.asgi_connection.headers.get("content-encoding", ""), int(limit))
        try:
            return msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise MalformedRequest from error

    @classmethod
    def create_for_field_definition(cls, *_: Any, **__: Any) -> None:
        """Build nothing: there is no model to transfer to."""

    @classmethod
    def create_openapi_schema(cls, field_definition: FieldDefinition, handler_id: str, schema_creator: Any) -> Any:
        """Describe the body by the documented type and the example."""
        described = schema_creator.for_field_definition(FieldDefinition.from_annotation(cls.documented))
        return described if cls.example is None else Schema(all_of=[described], examples=[cls.example])

    @classmethod
    def generate_field_definitions(cls, model_type: type[Any]) -> Any:
        """Define no fields."""
        return iter(())

    @classmethod
    def detect_nested_field(cls, field_definition: FieldDefinition) -> bool:
        """Nest nothing."""
        return False


def unpacked(body: bytes, encoding: str, limit_bytes: int) -> bytes:
    """Unpack a gzip or zstd body, which is one whole stream or frame, no further than the bound: 4 kB can hold 100 MB.

    Raises MalformedRequest, BodyTooLarge, UnsupportedMediaType.
    """
    try:
        match encoding.strip().lower():
            case "" | "identity":
                return body
            case "gzip":
                unpacking = zlib.decompressobj(wbits=GZIP_WINDOW_BITS)
                content = unpacking.decompress(body, limit_bytes + 1)
                whole = (unpacking.eof and not unpacking.unused_data) or len(content) > limit_bytes
            case "zstd":
                with zstandard.ZstdDecompressor(max_window_size=WINDOW_BYTES_MAX).stream_reader(body) as reader:
                    content = reader.read(limit_bytes + 1)
                whole = is_one_frame(body)
            case _:
                raise UnsupportedMediaType
    except (zlib.error, zstandard.ZstdError) as error:
        raise MalformedRequest from error
    if not whole:
        raise MalformedRequest
    if len(content) > limit_bytes:
        raise BodyTooLarge(limit_bytes)
    return content


def described_as(documented: Any, example: Any = None) -> type[Described]:
    """Give the `dto` of a handler whose body should have this type."""
    attributes = {"documented": documented, "example": example}
    return cast("type[Described]", type("DescribedBody", (Described,), attributes))


def object_body(data: Any) -> dict[str, Any]:
    """Give a body that is an object. Raises InvalidFields."""
    if not isinstance(data, dict):
        raise InvalidFields.one("", "Expected an object")
    return data


def list_body(data: Any, length_max: int) -> list[Any]:
    """Give a body that is a list of a bounded length. Raises InvalidFields."""
    if not isinstance(data, list):
        raise InvalidFields.one("", "Expected a list")
    if len(data) > length_max:
        raise InvalidFields.one("", f"Expected at most {length_max} items")
    return data
