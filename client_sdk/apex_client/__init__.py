"""Log training offline in one SQLite file, and sync it with an Apex Sync server.

    from apex_client import Credentials, Replica

`apex_client.blocking` has the same `Replica` for hosts without an event loop. What is named here is imported when it is
first used, so that a watch which only logs never loads what it does not need.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from apex_client.accounts import Credentials, User
    from apex_client.changes import Change
    from apex_client.changing_keys import change_replica_key
    from apex_client.errors import ClientError, MfaRequired
    from apex_client.overview import AthleteSummary, ConflictItem, RejectedItem, SearchHit
    from apex_client.replica import Replica
    from apex_client.status import RecordStatus, ReplicaStatus, SyncProgress, SyncReport
    from apex_client.views import ExerciseEntry, SetEntry, Snapshot

__all__ = [
    "AthleteSummary",
    "Change",
    "ClientError",
    "ConflictItem",
    "Credentials",
    "ExerciseEntry",
    "MfaRequired",
    "RecordStatus",
    "RejectedItem",
    "Replica",
    "ReplicaStatus",
    "SearchHit",
    "SetEntry",
    "Snapshot",
    "SyncProgress",
    "SyncReport",
    "User",
    "change_replica_key",
]

_HOMES = {
    "AthleteSummary": "overview",
    "Change": "changes",
    "ClientError": "errors",
    "ConflictItem": "overview",
    "Credentials": "accounts",
    "ExerciseEntry": "views",
    "MfaRequired": "errors",
    "RecordStatus": "status",
    "RejectedItem": "overview",
    "Replica": "replica",
    "ReplicaStatus": "status",
    "SearchHit": "overview",
    "SetEntry": "views",
    "Snapshot": "views",
    "SyncProgress": "status",
    "SyncReport": "status",
    "User": "accounts",
    "change_replica_key": "changing_keys",
}


def __getattr__(name: str) -> Any:
    """Import what is named here when it is first used."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value
