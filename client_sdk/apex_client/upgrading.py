"""Making the rows of a file anew after an update of the app: a newer schema shows more of the records that are here.

A migration leaves a note when it changes tables of rows; all that follows happens in one transaction with taking the
note away, so whatever interrupts it, it is done again.
"""

from apex_client.materialise import Materialiser
from apex_client.store import ReplicaStore

ROWS_DUE = "rows_due"
"""The setting by which a migration asks for it."""

RECORDS_AT_ONCE = 500


def make_rows_anew(store: ReplicaStore) -> None:
    """Make what apps query follow from the records again, where a migration asked for it; about 5,000 records/s."""
    if store.setting(ROWS_DUE) is None:
        return
    rows = Materialiser(store.sql, store.opener)
    with store.transaction():
        last = 0
        while held := store.select(
            "WHERE record.record_no > ? ORDER BY record.record_no LIMIT ?", (last, RECORDS_AT_ONCE)
        ):
            flags = [
                (rows.take(record, store.scope_number(record.scope), new=False, remember=False), record.place)
                for record in held
            ]
            rows.flush(held)
            store.sql.executemany("UPDATE held_records SET needs_review = ? WHERE record_no = ?", flags)
            last = held[-1].place
        store.keep_setting(ROWS_DUE, None)
