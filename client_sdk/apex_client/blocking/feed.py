"""Watching records change: the blocking half."""

from threading import Condition

from apex_client.changes import Change


class ChangeFeed:
    """Changes as they happen: `for change in feed`. It ends when the replica is closed, or by `close`."""

    def __init__(self, feeds: "Feeds", collection: str | None) -> None:
        self._feeds = feeds
        self._collection = collection
        self._changes: dict[tuple[str, str], Change] = {}
        self._arrived = Condition()
        self._closed = False

    def __iter__(self) -> "ChangeFeed":
        return self

    def __next__(self) -> Change:
        change = self.get()
        if change is None:
            raise StopIteration
        return change

    def get(self, timeout_seconds: float | None = None) -> Change | None:
        """Wait for the next change; None when there was none in time, or the feed has ended."""
        with self._arrived:
            self._arrived.wait_for(lambda: self._changes or self._closed, timeout_seconds)
            return self._changes.pop(next(iter(self._changes))) if self._changes else None

    def close(self) -> None:
        """Watch no longer."""
        with self._arrived:
            self._closed = True
            self._arrived.notify_all()
        self._feeds.forget(self)

    def take(self, change: Change) -> None:
        """Add a change, in place of an older one of the same record that nobody has read."""
        if self._collection in (None, change.collection):
            with self._arrived:
                self._changes[change.scope, change.record_id] = change
                self._arrived.notify()


class Feeds:
    """Everybody who watches one replica."""

    def __init__(self) -> None:
        self._feeds: list[ChangeFeed] = []

    def subscribe(self, collection: str | None) -> ChangeFeed:
        """Begin to watch."""
        feed = ChangeFeed(self, collection)
        self._feeds.append(feed)
        return feed

    def publish(self, changes: list[Change]) -> None:
        """Tell everybody."""
        for feed in list(self._feeds):
            for change in changes:
                feed.take(change)

    def forget(self, feed: ChangeFeed) -> None:
        """Tell somebody no longer."""
        if feed in self._feeds:
            self._feeds.remove(feed)

    def close(self) -> None:
        """End every watch."""
        for feed in list(self._feeds):
            feed.close()
