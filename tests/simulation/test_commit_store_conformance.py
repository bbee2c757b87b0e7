"""The store in memory and the one in Postgres keep the same promises."""

import pytest

from apex_server.db import Database
from tests.simulation.commit_store_conformance import LockConformance, ShortWayConformance, ViewConformance
from tests.simulation.feed_store_conformance import FeedConformance
from tests.simulation.session_conformance import BindingConformance, OutageConformance
from tests.simulation.store_world import MemoryStoreWorld, PostgresStoreWorld
from tests.simulation.unstorable_conformance import UnstorableConformance

pytestmark = pytest.mark.anyio


class StoreConformance(
    ViewConformance,
    LockConformance,
    ShortWayConformance,
    UnstorableConformance,
    BindingConformance,
    FeedConformance,
    OutageConformance,
):
    """All of it."""


class TestMemory(StoreConformance):
    @pytest.fixture
    async def world(self) -> MemoryStoreWorld:
        return await MemoryStoreWorld().open()


class TestPostgres(StoreConformance):
    @pytest.fixture
    async def world(self, db: Database, database_url: str) -> PostgresStoreWorld:
        return await PostgresStoreWorld(db, database_url).open()
