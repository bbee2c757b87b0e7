# Made from ../messages.py by client_sdk/generate_blocking.py; edit that file instead.
"""Messages: what a coach and an athlete write to each other, sent and read without a network.

replica.messages.send("How should the last set feel?")
for message in replica.messages.list(limit=20):
    print(message.sender, message.text)
replica.messages.read()

An athlete with one coach need not say to whom; everybody else does: `replica.messages.thread(person_id)`.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from apex_client import thread_keys, threads
from apex_client.blocking.records import LIST_MAX, Record, Records
from apex_client.errors import MediaUnusable, ThreadNeeded
from apex_client.opened_messages import open_said
from apex_client.overview import ThreadDevice, ThreadSummary
from apex_client.sealed_files import FILE_KEY_BYTES
from apex_sync import models
from apex_sync.coaching.message_view import Encryption, SentMessage, instant_text, sent_messages, take_back_patch
from apex_sync.models.message import MessageType, Side

if TYPE_CHECKING:
    from apex_client.blocking.replica import Replica


FileType: TypeAlias = Literal["image", "voice", "video", "file"]
_Devices: TypeAlias = list[ThreadDevice]
_Summaries: TypeAlias = list[ThreadSummary]


class Message(Record[models.Message]):
    """One message, as it stood at the last call."""

    @property
    def said(self) -> list[SentMessage]:
        """What is said in it: one thing, unless somebody tampered and made both sides speak."""
        return [open_said(each, self.snapshot.opened) for each in sent_messages(self.id, self.record)]

    @property
    def sender(self) -> Side | None:
        """Who said it."""
        return next((said.sender for said in self.said), None)

    @property
    def type(self) -> str | None:
        """What it is: text, voice, video, image or file; a newer app may know more."""
        return next((said.type for said in self.said), None)

    @property
    def text(self) -> str | None:
        """What was written."""
        return next((said.text for said in self.said), None)

    @property
    def reply_to(self) -> str | None:
        """The id of the message that it answers, which may not be here."""
        return next((said.reply_to for said in self.said), None)

    @property
    def sent_at(self) -> str | None:
        """When it was sent, UTC."""
        return next((said.sent_at for said in self.said), None)

    @property
    def read_at(self) -> str | None:
        """When the other side read it, UTC."""
        return next((said.read_at for said in self.said), None)

    @property
    def reactions(self) -> Mapping[str, Sequence[Side]]:
        """Who reacted to it, by emoji."""
        return next((said.reactions for said in self.said), {})

    @property
    def deleted(self) -> bool:
        """Whether it was taken back."""
        return any(said.deleted for said in self.said)

    @property
    def encryption(self) -> Encryption | None:
        """Whether it was encrypted for the devices of the two, and could be opened here; None where it was not.

        `unverified` was signed by a device that nobody here has accepted, `locked` was sent before this device was
        there, and `damaged` is not what was sent.
        """
        return next((said.encryption for said in self.said), None)

    def save(self, path: str | Path, *, thumbnail: bool = False) -> None:
        """Write the file that it carries to `path`, complete or not at all.

        Of an encrypted message it is what this one's own key opens, or is not kept. Raises MediaUnusable, also where
        there is no file or no key to it here; ServerRefused as `Media.save` does.
        """
        said = next((said for said in self.said if said.media_id is not None), None)
        if said is None or said.media_id is None:
            raise MediaUnusable(Path(path), "the message carries no file")
        keys: Sequence[bytes] = ()
        if said.encryption is not None:
            opened = self.snapshot.opened.get(said.sender)
            if opened is None or opened.content.media_key is None:
                raise MediaUnusable(Path(path), "cannot be opened on this device")
            keys = (opened.content.media_key,)
        self._replica.media._save(said.media_id, path, keys, thumbnail=thumbnail)

    def reply(self, text: str) -> "Message":
        """Answer it, in its thread. Raises what `Messages.send` does."""
        _, coach_id, athlete_id = self.scope.split(":")
        other_id = athlete_id if self._own_side() == "coach" else coach_id
        return Messages(self._replica, other_id).send(text, reply_to=self.id)

    def react(self, emoji: str, *, given: bool = True) -> "Message":
        """Put an emoji under it, or take yours away again. Raises OutOfBounds."""
        side = self._own_side()
        return self.edit({side: {"reactions": {emoji: given}}})

    def read(self) -> "Message":
        """Mark it as read."""
        Messages(self._replica, self.athlete_id).read([self])
        return self.refresh()

    def delete(self) -> "Message":
        """Take back what you said, on every device; that something was taken back stays."""
        side = self._own_side()
        return self._edit(lambda state: take_back_patch(side, self.record))

    def _own_side(self) -> Side:
        return self._replica._do(threads.side_in, self.scope)


_Messages: TypeAlias = list[Message]


class Messages(Records[Message]):
    """The messages with one person, or with everybody."""

    def __init__(self, replica: "Replica", person_id: str | None = None) -> None:
        super().__init__(replica, "messages", handle=Message)
        self._person_id = person_id

    def thread(self, person_id: str) -> "Messages":
        """Give the messages with one person: of a coach an athlete, of an athlete a coach."""
        return Messages(self._replica, person_id)

    def threads(self) -> _Summaries:
        """List all threads: pinned ones first, then by their newest message, archived ones last."""
        return self._replica._do(threads.threads)

    def send(
        self,
        text: str | None = None,
        *,
        type: MessageType = "text",
        media_id: str | None = None,
        thumbnail_media_id: str | None = None,
        file_name: str | None = None,
        duration_seconds: float | None = None,
        reply_to: str | None = None,
    ) -> Message:
        """Say something; it goes out with the next sync, and at once while `run` is connected.

        Raises OutOfBounds, and ThreadNeeded where it is not clear to whom; in an encrypted thread NewDevices while one
        is not accepted, and NoDeviceToRead.
        """
        content = {
            "type": type, "text": text, "media_id": media_id, "thumbnail_media_id": thumbnail_media_id,
            "file_name": file_name, "duration_seconds": duration_seconds, "reply_to": reply_to,
        }  # fmt: skip
        return Message(self._replica, self._replica._do(threads.send, self._person_id, content))

    def send_file(
        self,
        path: str | Path,
        type: FileType = "image",
        text: str | None = None,
        *,
        duration_seconds: float | None = None,
        reply_to: str | None = None,
    ) -> Message:
        """Send a recording, picture, film or document, with words if there are any; message and file are kept together.

        In an encrypted thread the file is encrypted, too, before anything of it leaves the device. Raises MediaUnusable
        for what is not of its type, and what `send` raises.
        """
        path = Path(path)
        said = {
            "type": type, "text": text, "file_name": path.name, "duration_seconds": duration_seconds,
            "reply_to": reply_to,
        }  # fmt: skip
        scope = self._thread_scope()
        encrypted = self._replica._do(thread_keys.is_encrypted, scope)
        key = self._replica._entropy(FILE_KEY_BYTES) if encrypted else None
        snapshot = self._replica.media.add_with_record(
            path,
            type,
            scope,
            lambda local, known: threads.send(local, self._person_id, {**said, "media_id": known["media_id"]}, key),
            key=key,
        )
        return Message(self._replica, snapshot)

    def list(self, *, before: Message | None = None, limit: int = 50) -> _Messages:
        """List messages, the newest first; the next page begins `before` the last one of this page."""
        last = before.id if before else None
        return self._handles(self._replica._do(threads.said, self._person_id, last, limit=min(limit, LIST_MAX)))

    def unread(self) -> int:
        """Count what others said and you have not read."""
        return self._replica._do(threads.unread, self._person_id)

    def read(self, messages: Sequence[Message] | None = None) -> int:
        """Mark these messages as read, or whatever is unread; tell how many were, 1,000 at most."""
        ids = None if messages is None else [message.id for message in messages]
        read_at = instant_text(datetime.fromtimestamp(self._replica._now_us() / 1e6, UTC))
        return self._replica._do(threads.mark_read, self._person_id, ids, read_at)

    def encrypt(self) -> None:
        """Encrypt what is said in this thread from now on, for the devices of its two people; nobody can undo it.

        Raises ThreadNeeded, NoDeviceToRead.
        """
        self._replica._do(thread_keys.encrypt, self._thread_scope())

    def devices(self) -> _Devices:
        """List the devices that read this thread; those that are not `trusted` are new, and to be accepted.

        Raises ThreadNeeded.
        """
        return self._replica._do(thread_keys.devices, self._thread_scope())

    def accept(self, devices: Sequence[ThreadDevice]) -> None:
        """Accept new devices: what is sent from now on is for them, too. Raises ThreadNeeded."""
        self._replica._do(thread_keys.accept, self._thread_scope(), devices)

    def safety_number(self) -> str:
        """Give the 60 digits that are the same on both sides, unless somebody in between has a key of their own.

        Raises ThreadNeeded.
        """
        return self._replica._do(thread_keys.safety_number, self._thread_scope())

    def _thread_scope(self) -> str:
        return self._replica._do(threads.thread_with, self._person_id)

    def file(
        self, *, pinned: bool | None = None, archived: bool | None = None, tags: Sequence[str] | None = None
    ) -> Record[models.ClientFile]:
        """Pin, archive or tag the thread with an athlete, as their coach; the athlete sees nothing of it.

        Raises ThreadNeeded, ForbiddenField.
        """
        if self._person_id is None:
            raise ThreadNeeded(None, none=False)
        filing = {"pinned": pinned, "archived": archived, "tags": None if tags is None else [*tags]}
        changes = {name: value for name, value in filing.items() if value is not None}
        return self._replica.athlete(self._person_id).client_file.edit(thread=changes)
