# Made from ../people.py by client_sdk/generate_blocking.py; edit that file instead.
"""What the others on this replica are called, and since when one works with them: asked of the server once.

It is asked when somebody new is here. Whoever came by an invite need not have written a name into their profile, and a
coach's name stands in no record. All of it goes with the thread of its person.
"""

from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec import Struct

from apex_client.blocking.account import read_answer
from apex_client.errors import SyncFailed
from apex_client.local import LocalReplica
from apex_client.store_file import sqlite_errors

if TYPE_CHECKING:
    from apex_client.blocking.account import Account
    from apex_client.blocking.replica import Replica

_OTHERS = (
    "SELECT iif(scope.role = 'coach', substr(scope.name, 45), substr(scope.name, 8, 36)) AS id"
    " FROM held_scopes AS scope WHERE scope.name LIKE 'thread:%'"
)


class _Thread(Struct):
    coach_id: str
    athlete_id: str
    name: str
    created_at: str = ""


class _Threads(Struct):
    threads: list[_Thread]


def learn_names(replica: "Replica", account: "Account") -> None:
    """Ask for the names of those who have none here; without an answer, the next sync asks again."""
    if not replica._do(_somebody_is_new):
        return
    with suppress(SyncFailed):
        answer = read_answer(account.call("GET", "/api/messages/threads", None), _Threads)
        replica._do(_keep, answer.threads)


def _somebody_is_new(local: LocalReplica) -> bool:
    sql = f"SELECT EXISTS ({_OTHERS} AND id NOT IN (SELECT id FROM people WHERE since IS NOT NULL))"  # noqa: S608 - made of constants.
    with sqlite_errors(local.store.path):
        return bool(local.store.sql.execute(sql).fetchone()[0])


def _keep(local: LocalReplica, threads: list[_Thread]) -> None:
    with local.store.transaction():
        others = {other for (other,) in local.store.sql.execute(_OTHERS)}
        told = {person: thread for thread in threads for person in (thread.coach_id, thread.athlete_id)}
        local.store.sql.executemany(
            "INSERT OR REPLACE INTO people (id, name, since) VALUES (?, ?, ?)",
            [(person, thread.name, thread.created_at) for person, thread in told.items() if person in others],
        )
