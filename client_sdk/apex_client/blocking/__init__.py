"""The SDK for hosts without an event loop: the same `Replica`, whose calls block until they are done.

    from apex_client.blocking import Replica

    with Replica.open("athlete.db") as replica:
        log = replica.workouts.start(title="Push")

Any thread may call it. There is no thread of its own but one while the live channel is open; `run`, which syncs in the
background, blocks until `stop`, so a host that wants it gives it a thread.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from apex_client.blocking.replica import Replica

__all__ = ["Replica"]


def __getattr__(name: str) -> Any:
    """Import the replica when it is first used."""
    if name != "Replica":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from apex_client.blocking.replica import Replica

    globals()[name] = Replica
    return Replica
