"""The device's side of a sync, without I/O: what goes up, what comes down, what becomes of both.

`SyncSession` is the conversation, `Device` who has it, `Store` where it is kept.
"""

from apex_sync.session.device import Device, Store
from apex_sync.session.session import SyncSession

__all__ = ["Device", "Store", "SyncSession"]
