"""What an app watches: one event for each record that changed, after it is durable."""

from typing import Literal

from msgspec import Struct


class Change(Struct, frozen=True):
    """A record that changed: written here (`local`), brought by a sync (`pulled`), or taken away (`forgotten`).

    Events of one record that nobody has read yet fold into the newest, so a slow watcher costs no memory.
    """

    collection: str
    record_id: str
    scope: str
    origin: Literal["local", "pulled", "forgotten"]
