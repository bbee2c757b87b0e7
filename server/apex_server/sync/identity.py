"""Which life of the data this server serves: the epoch, and the client ids under which the server itself writes.

A restore from a backup must begin a new epoch: then every device offers again what it holds, and the server writes
under new client ids, because it may have used clocks of the old ones that the backup does not know.
"""

from typing import NamedTuple

from apex_server.db import Database, load_queries
from apex_server.sync.receipts import ReceiptBook, receipt_key

__all__ = ["ServerIdentity", "begin_epoch", "load_identity"]

queries = load_queries(__package__)


class ServerIdentity(NamedTuple):
    """The epoch, and the receipts that are issued in it."""

    epoch: bytes
    receipts: ReceiptBook


async def load_identity(db: Database, secret: str, *former_secrets: str) -> ServerIdentity:
    """Read the identity of the database; `secret` is the installation's.

    Receipts that were issued under a former secret are known again. Raises DatabaseUnavailable.
    """
    async with db.commit_connection() as connection:
        epoch = bytes(await connection.fetchval(queries.get_epoch))
    return ServerIdentity(
        epoch, ReceiptBook(receipt_key(secret), epoch, former_keys=[receipt_key(former) for former in former_secrets])
    )


async def begin_epoch(db: Database) -> bytes:
    """Begin a new epoch and give it: what to do once after a restore from a backup, before the server serves again."""
    async with db.commit_connection() as connection:
        return bytes(await connection.fetchval(queries.begin_epoch))
