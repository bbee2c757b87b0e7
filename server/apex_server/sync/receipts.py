"""Receipts: the server's word that it once held a record in exactly this state.

A device keeps the receipt with the record and brings both back when the server has lost ops (a restore from a backup),
its own and those of others: foreign ops are taken only under a valid receipt. Devices cannot make one, and it holds for
one record in one scope, so content cannot be carried where its bearer may not write it. It covers the bytes of the
document in the engine's own form, not its digest: the digest is a sum, which finds accidents but does not resist
somebody who seeks other content with the same sum.

The secret outlives a restore of the database, because it does not stand there.
"""

import hmac
from collections.abc import Sequence
from hashlib import blake2b

__all__ = ["EPOCH_BYTES", "RECEIPT_BYTES", "ReceiptBook", "receipt_key"]

EPOCH_BYTES = 8
MAC_BYTES = 16
RECEIPT_BYTES = EPOCH_BYTES + MAC_BYTES


def receipt_key(secret: str) -> bytes:
    """Derive the key of receipts from the installation's secret."""
    return blake2b(secret.encode(), digest_size=32, person=b"apex receipts").digest()


class ReceiptBook:
    """Issues receipts of the current epoch and knows those of every epoch."""

    def __init__(self, key: bytes, epoch: bytes, *, former_keys: Sequence[bytes] = ()) -> None:
        self.epoch = epoch
        self._keyed = blake2b(digest_size=MAC_BYTES, key=key)
        self._former = [blake2b(digest_size=MAC_BYTES, key=former) for former in former_keys]

    def issue(self, scope_id: bytes, record_id: bytes, doc: bytes) -> bytes:
        """Write the receipt for a record that is this document, as `encode_document` writes it."""
        return self.epoch + _mac(self._keyed, self.epoch, scope_id, record_id, doc)

    def issued_in(self, receipt: bytes, scope_id: bytes, record_id: bytes, doc: bytes) -> bytes | None:
        """Give the epoch in which a receipt was issued; None when it was not issued for this record in this state."""
        epoch, mac = receipt[:EPOCH_BYTES], receipt[EPOCH_BYTES:]
        genuine = len(receipt) == RECEIPT_BYTES and any(
            hmac.compare_digest(mac, _mac(keyed, epoch, scope_id, record_id, doc))
            for keyed in (self._keyed, *self._former)
        )
        return epoch if genuine else None


def _mac(keyed: blake2b, epoch: bytes, scope_id: bytes, record_id: bytes, doc: bytes) -> bytes:
    mac = keyed.copy()
    mac.update(epoch + scope_id + record_id)
    mac.update(doc)
    return mac.digest()
