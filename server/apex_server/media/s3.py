"""The media store in a bucket: S3, or anything that speaks its protocol. The one module that imports boto3.

Uploads go from devices straight to the bucket, by presigned links that say which part of which upload of how many
bytes, and that are good for an hour. boto3 blocks, so its calls run in threads of their own, a few at a time.

The keys of the bucket come where AWS's own tools find them: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or
the machine's role.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import boto3
from anyio import CapacityLimiter, to_thread
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from apex_server.media.errors import MediaStoreAway
from apex_server.media.store import PIECE_BYTES, NoSuchObject, raw_name

__all__ = ["S3Store"]

PART_BYTES = 5 * 1024 * 1024
"""The smallest that S3 takes of a part that is not the last: the less is sent twice after a cut."""
LINK_SECONDS = 3600
"""How long a link is good; declaring the media again gives a new one."""
THREADS_MAX = 8
CONNECT_SECONDS, READ_SECONDS, ATTEMPTS = 5, 20, 3
ABSENT = frozenset({"404", "NoSuchKey", "NoSuchUpload"})

T = TypeVar("T")


class S3Store:
    """Keeps media in one bucket; `credentials` as boto3 names them, for tests."""

    def __init__(
        self,
        bucket: str,
        *,
        endpoint: str | None = None,
        region: str | None = None,
        part_bytes: int = PART_BYTES,
        link_seconds: int = LINK_SECONDS,
        credentials: Mapping[str, str] | None = None,
    ) -> None:
        self.part_bytes = part_bytes
        self._bucket = bucket
        self._link_seconds = link_seconds
        self._threads = CapacityLimiter(THREADS_MAX)
        config = Config(
            signature_version="s3v4",
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            # What other makers' servers do not know is not asked of them.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": "path" if endpoint else "auto"},
        )
        self._client: Any = boto3.client(
            "s3", endpoint_url=endpoint, region_name=region, config=config, **(credentials or {})
        )

    async def begin(self, upload_id: UUID) -> str:
        """Begin a multipart upload, and give its id."""
        begun = await self._call(self._client.create_multipart_upload, Key=raw_name(upload_id))
        return str(begun["UploadId"])

    def link(self, upload_id: UUID, handle: str, number: int, size_bytes: int) -> str:
        """Give a presigned address for a part of just this size."""
        params = {
            "Bucket": self._bucket,
            "Key": raw_name(upload_id),
            "UploadId": handle,
            "PartNumber": number,
            "ContentLength": size_bytes,
        }
        return str(self._client.generate_presigned_url("upload_part", Params=params, ExpiresIn=self._link_seconds))

    async def missing(self, upload_id: UUID, handle: str, sizes: Sequence[int]) -> list[int]:
        """List the parts that are not there whole."""
        try:
            there = await self._parts(upload_id, handle)
        except NoSuchObject:
            # It is assembled already, or the bucket has given the upload up.
            return [] if await self.size(raw_name(upload_id)) else list(range(1, len(sizes) + 1))
        return [number for number, size in enumerate(sizes, 1) if there.get(number, (0, ""))[0] != size]

    async def assemble(self, upload_id: UUID, handle: str, sizes: Sequence[int]) -> None:
        """Let the bucket make one object of the parts."""
        try:
            there = await self._parts(upload_id, handle)
            parts = [{"PartNumber": number, "ETag": there[number][1]} for number in range(1, len(sizes) + 1)]
            await self._call(
                self._client.complete_multipart_upload,
                Key=raw_name(upload_id),
                UploadId=handle,
                MultipartUpload={"Parts": parts},
            )
        except NoSuchObject:
            return  # It is done.

    async def put(self, name: str, file: Path) -> None:
        """Keep a copy of a file; a large one goes up in parts."""
        await self._run(partial(self._client.upload_file, str(file), self._bucket, name))

    async def read(self, name: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Give an object from a place on, to its end or up to and without `end`. Raises NoSuchObject."""
        last = "" if end is None else end - 1
        wanted = {"Range": f"bytes={start}-{last}"} if start or end is not None else {}
        body = (await self._call(self._client.get_object, Key=name, **wanted))["Body"]
        try:
            while piece := await self._run(partial(body.read, PIECE_BYTES)):
                yield piece
        finally:
            body.close()

    async def size(self, name: str) -> int | None:
        """Give the size of an object; None where the bucket has none of this name."""
        try:
            return int((await self._call(self._client.head_object, Key=name))["ContentLength"])
        except NoSuchObject:
            return None

    async def delete(self, upload_id: UUID, handle: str, *, raw_only: bool = False) -> None:
        """Delete what came in and what is on its way, or everything."""
        with suppress(NoSuchObject):  # It was assembled, or is deleted.
            await self._call(self._client.abort_multipart_upload, Key=raw_name(upload_id), UploadId=handle)
        files = ("raw",) if raw_only else ("raw", "original", "thumbnail")
        for name in files:
            with suppress(NoSuchObject):  # A store other than Amazon's says so.
                await self._call(self._client.delete_object, Key=f"{upload_id}/{name}")

    async def _parts(self, upload_id: UUID, handle: str) -> dict[int, tuple[int, str]]:
        """Give size and tag of each part that has arrived; they are fewer than fit on one page. Raises NoSuchObject."""
        listed = await self._call(self._client.list_parts, Key=raw_name(upload_id), UploadId=handle)
        return {part["PartNumber"]: (part["Size"], part["ETag"]) for part in listed.get("Parts", [])}

    async def _call(self, operation: Callable[..., T], **params: Any) -> T:
        return await self._run(partial(operation, Bucket=self._bucket, **params))

    async def _run(self, call: Callable[[], T]) -> T:
        """Run a call in a thread. Raises NoSuchObject, and MediaStoreAway for whatever else is wrong with the store."""
        try:
            return await to_thread.run_sync(call, limiter=self._threads)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in ABSENT:
                raise NoSuchObject(error.operation_name) from error
            raise MediaStoreAway from error
        except (BotoCoreError, boto3.exceptions.Boto3Error, OSError) as error:
            raise MediaStoreAway from error
