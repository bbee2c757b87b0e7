"""Watching records change: the async half."""

from anyio import Event, move_on_after

from apex_client.changes import Change


class ChangeFeed:
    """Changes as they happen: `async for change in feed`. It ends when the replica is closed, or by `close`."""

    def __init__(self, feeds: "Feeds", collection: str | None) -> None:
        self._feeds = feeds
        self._collection = collection
        self._changes: dict[tuple[str, str], Change] = {}
        self._event = Event()
        self._closed = False

    def __aiter__(self) -> "ChangeFeed":
        return self

    async def __anext__(self) -> Change:
        change = await self.get()
        if change is None:
            raise StopAsyncIteration
        return change

    async def get(self, timeout_seconds: float | None = None) -> Change | None:
        """Wait for the next change; None when there was none in time, or the feed has ended."""
        with move_on_after(timeout_seconds):
            while not self._changes and not self._closed:
                self._event = Event()
                await self._event.wait()
        return self._changes.pop(next(iter(self._changes))) if self._changes else None

    def close(self) -> None:
        """Watch no longer."""
        self._closed = True
        self._event.set()
        self._feeds.forget(self)

    def take(self, change: Change) -> None:
        """Add a change, in place of an older one of the same record that nobody has read."""
        if self._collection in (None, change.collection):
            self._changes[change.scope, change.record_id] = change
            self._event.set()


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
        for feed in self._feeds:
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
