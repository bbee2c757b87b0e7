"""Whatever is asked of messages reads a few rows by index, however many messages others have."""

import pytest

from apex_server.db import load_queries
from apex_sync.ids import Scope, thread_scope
from tests.server.test_sync_plans import Filled, explain, filled

__all__ = ["filled"]

pytestmark = pytest.mark.anyio

queries = load_queries("apex_server.messages")


async def test_a_thread_and_what_is_unread_are_found_by_index(filled: Filled) -> None:
    world, db, athlete = filled
    coach = await world.coach(athlete)
    thread_id = Scope.parse(thread_scope(str(coach), str(athlete))).id
    async with db.request(athlete) as connection:
        for sql, arguments in (
            (queries.list_threads, (athlete, None, None)),
            (queries.list_messages, (thread_id, None, None, None, 51)),
            (queries.count_unread, ("athlete",)),
            (queries.list_unread, ([thread_id], "athlete")),
            (queries.newest_of_thread, (thread_id,)),
            (queries.has_message, (thread_id, thread_id)),
        ):
            assert await explain(connection, sql, *arguments) == [], sql
