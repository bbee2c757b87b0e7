# Made from ../media.py by client_sdk/generate_blocking.py; edit that file instead.
"""Photos and files: taken offline, kept in the replica, sent when there is a network, read by whoever may.

    media_id = replica.media.add("form check.mp4", kind="video", scope=thread)
    replica.media.save(media_id, "form check.mp4")

A file is named by the SHA-256 of its bytes, so it is sent once, and a record can name it before anybody has it. What
was sent of it stays sent: after a cut, a crash or a week the upload goes on with the parts that are missing.
"""

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING

from msgspec import Struct

from apex_client import media_queue, threads
from apex_client.blocking.account import read_answer
from apex_client.blocking.waiting import Inbox, Lock
from apex_client.errors import MediaUnusable, ReplicaClosed, ReplicaError, ServerRefused, SyncFailed
from apex_client.local import LocalReplica
from apex_client.media_queue import PIECE_BYTES, MediaItem
from apex_client.sealed_files import Opening, sealed_reader
from apex_client.views import Snapshot
from apex_client.whole_file import whole_file
from apex_sync.models.media import HEAD_BYTES, SIZE_MAX, ContentType, Kind, type_of
from apex_sync.op import Patch

if TYPE_CHECKING:
    from apex_client.blocking.replica import Replica

LOOK_SECONDS = 60.0
"""How often the background looks for what is to be sent, when nothing has told it; and how long it waits after a
failure, of which the sync that runs beside tells."""

PASSING = frozenset({"hash_mismatch", "takes_too_long"})
"""Refusals that say nothing of a file, which was spoilt on a bad way, or had a busy server: it goes once more."""

WAKE = "wake"


class _Part(Struct):
    number: int
    offset: int
    size_bytes: int
    url: str


class _Upload(Struct):
    upload_id: str
    state: str
    refusal: str | None
    parts: list[_Part]


Tell = Callable[[int, int], object]
"""Told how many bytes are sent, of how many."""


class Media:
    """What this replica hands in and reads; on a replica `replica.media`."""

    def __init__(self, replica: "Replica") -> None:
        self._replica = replica
        self._lock = Lock()
        self._inbox: Inbox[str] = Inbox()
        self._swept = False
        self._stopped = False

    def add(self, path: str | Path, *, kind: Kind, scope: str | None = None) -> str:
        """Take a file in to be sent to a scope (one's own records when none is named), and give what it is named by.

        When this returns it is durable here. Raises MediaUnusable for what is not of its kind, empty or too large.
        """
        media_no, media_id, size, _ = self._take_in(Path(path), kind, scope)
        self._replica._do(media_queue.end, media_no, media_id, size)
        self._inbox.put(WAKE)
        return media_id

    def add_with_record(
        self,
        path: Path,
        kind: Kind,
        scope: str | None,
        make: Callable[[LocalReplica, Patch], Snapshot],
        *,
        key: bytes | None = None,
    ) -> Snapshot:
        """Take a file in together with the record that names it; `make` is given what is known of the file.

        With a `key`, nothing of it but its size leaves this device in the clear.
        """
        media_no, media_id, size, content_type = self._take_in(path, kind, scope, key)
        known = {"media_id": media_id, "content_type": content_type, "size_bytes": size}
        snapshot = self._replica._do(
            media_queue.end_with_record, media_no, media_id, size, lambda local: make(local, known)
        )
        self._inbox.put(WAKE)
        return snapshot

    def queue(self) -> list[MediaItem]:
        """List what is to be sent, what the server is looking at, and what it has refused, the oldest first."""
        return self._replica._do(media_queue.items, "waiting", "sent", "refused")

    def drop(self, media_id: str, *, scope: str | None = None) -> None:
        """Let go of a file that is still in the queue, wherever it is to go or in one scope: it is not sent."""
        queue = [item for item in self.queue() if item.media_id == media_id]
        found = [item.media_no for item in queue if scope in (None, item.scope)]
        self._replica._do(media_queue.drop, found)

    def save(self, media_id: str, path: str | Path, *, thumbnail: bool = False) -> None:
        """Write a file to `path`, from here while it is in the queue, else from the server; complete or not at all.

        A picture is then as the server has drawn it: upright, a JPEG, without what cameras write into files; a
        `thumbnail` is small. Whatever an encrypted message names with a key is kept only as it was sent, and opened
        where it is encrypted: so `save_picture` is for what shows elsewhere, too, and `Message.save` for one message.
        Raises ServerRefused with `not_found` for what nobody has sent yet, or is not for you; MediaUnusable for what is
        not what was sent.
        """
        keys = self._replica._do(threads.keys_of_media, media_id)
        self._save(media_id, path, keys, may_be_plain=True, thumbnail=thumbnail)

    def save_picture(self, media_id: str, path: str | Path, *, thumbnail: bool = False) -> None:
        """Write what a record shows in the open, a progress photo or an avatar, whatever messages say of it.

        See `save`; a photo has this itself.
        """
        self._save(media_id, path, thumbnail=thumbnail)

    def _save(
        self,
        media_id: str,
        path: str | Path,
        keys: Sequence[bytes] = (),
        *,
        may_be_plain: bool = False,
        thumbnail: bool = False,
    ) -> None:
        """Write a file, opened with one of the `keys` if there are any. Raises ServerRefused, MediaUnusable."""
        item = None if thumbnail else self._replica._do(media_queue.find, media_id)
        with whole_file(Path(path), "wb") as file:
            opening = Opening(keys, media_id, file.write, Path(path), may_be_plain=may_be_plain) if keys else None
            write = opening.add if opening else file.write
            if item is not None:
                for offset in range(0, item.size_bytes, PIECE_BYTES):
                    write(self._replica._do(media_queue.piece_range, item.media_no, offset, PIECE_BYTES))
            else:
                place = f"/api/media/{media_id}{'/thumbnail' if thumbnail else ''}"
                self._replica._account.download(place, write)
            if opening:
                opening.end()

    def upload(self, tell: Tell | None = None) -> int:
        """Send what waits, and see what has become of what was sent; gives how many went up.

        What the server does not take waits on, with its code, and holds up no other. Raises a SyncFailed: the first
        ServerRefused once all had their turn.
        """
        with self._lock:
            if not self._swept:
                self._replica._do(media_queue.sweep)
                self._swept = True
            waiting = self._replica._do(media_queue.items, "waiting", "sent")
            total = sum(item.size_bytes for item in waiting if item.state == "waiting")
            done = sent = 0
            refused: ServerRefused | None = None
            for item in waiting:
                try:
                    sent += self._send(item, _from(tell, done, total))
                except ServerRefused as refusal:
                    self._replica._do(media_queue.note, item.media_no, item.state, refusal.code)
                    refused = refused or refusal
                done += item.size_bytes if item.state == "waiting" else 0
            if refused is not None:
                raise refused
            return sent

    def keep_uploading(self) -> None:
        """Send what is added, until `stop`; whatever goes wrong is tried again later."""
        self._stopped = False
        while not self._stopped:
            self._inbox.clear()
            try:
                self.upload()
            except ReplicaClosed:
                return
            except (SyncFailed, ReplicaError):
                pass  # The sync beside tells of a server that is away, and the queue of what still waits.
            self._inbox.get(LOOK_SECONDS)

    def stop(self) -> None:
        """Let `keep_uploading` return."""
        self._stopped = True
        self._inbox.put(WAKE)

    def _take_in(
        self, path: Path, kind: Kind, scope: str | None, key: bytes | None = None
    ) -> tuple[int, str, int, ContentType]:
        """Copy a file into the replica, encrypted if there is a key; gives its number, hash, size and what it is."""
        replica = self._replica
        home = scope or replica._open.own_scope("progress_photos")
        size_max = SIZE_MAX[kind]
        with replica._thread.aside(_opened, path) as file:
            content_type = _checked(path, file, kind)
            read = sealed_reader(key, file) if key else partial(file.read, PIECE_BYTES)
            if key:
                kind, content_type = "sealed", "application/octet-stream"
            media_no = replica._do(media_queue.begin, home, kind, content_type)
            seen, size, place = hashlib.sha256(), 0, 0
            while piece := replica._thread.aside(read):
                seen.update(piece)
                size += len(piece)
                if file.tell() > size_max:
                    replica._do(media_queue.drop, [media_no])
                    raise MediaUnusable(path, f"has more than {size_max // 2**20} MiB")
                replica._do(media_queue.add_piece, media_no, place, piece)
                place += 1
        return media_no, seen.hexdigest(), size, content_type

    def _send(self, item: MediaItem, tell: Callable[[int], object]) -> int:
        """Bring one file a step further: 1 when it went up whole."""
        upload = self._declare(item)
        went_up = 0
        if upload.state == "open":
            sent = item.size_bytes - sum(part.size_bytes for part in upload.parts)
            for part in upload.parts:
                tell(sent)
                content = self._replica._do(media_queue.piece_range, item.media_no, part.offset, part.size_bytes)
                self._replica._account.put(part.url, content)
                sent += part.size_bytes
                self._replica._do(media_queue.note_sent, item.media_no, sent)
            tell(sent)
            answer = self._replica.request("POST", f"/api/media/uploads/{upload.upload_id}/complete")
            upload, went_up = read_answer(answer, _Upload), 1
        self._note(item, upload)
        return went_up

    def _declare(self, item: MediaItem) -> _Upload:
        body = {
            "media_id": item.media_id,
            "size_bytes": item.size_bytes,
            "content_type": item.content_type,
            "kind": item.kind,
            "scope": item.scope,
        }
        return read_answer(self._replica.request("POST", "/api/media", body), _Upload)

    def _note(self, item: MediaItem, upload: _Upload) -> None:
        if upload.state == "ready":
            self._replica._do(media_queue.drop, [item.media_no])
        elif upload.state == "refused":
            once_more = upload.refusal in PASSING and item.refusal not in PASSING
            state = "waiting" if once_more else "refused"
            self._replica._do(media_queue.note, item.media_no, state, upload.refusal)
        elif item.state != "sent":
            before = item.refusal if item.refusal in PASSING else None
            self._replica._do(media_queue.note, item.media_no, "sent", before)


def _from(tell: Tell | None, before: int, total: int) -> Callable[[int], object]:
    """Give what tells of one file, after those before it."""
    return lambda sent: tell(before + sent, total) if tell else None


def _opened(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except OSError as error:
        raise MediaUnusable(path, f"cannot be read: {error.strerror}") from error


def _checked(path: Path, file: IO[bytes], kind: Kind) -> ContentType:
    """Tell what a file is. Raises MediaUnusable."""
    head = file.read(HEAD_BYTES)
    file.seek(0)
    if not head:
        raise MediaUnusable(path, "is empty")
    found = type_of(head, kind)
    if found is None:
        raise MediaUnusable(path, f"is no {kind} of a kind that is taken")
    return found
