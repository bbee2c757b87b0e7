"""The store in memory and the one in Postgres keep the same promises."""

import pytest

from apex_server.db import Database
from tests.simulation.commit_store_conformance import StoreConformance
from tests.simulation.store_world import MemoryStoreWorld, PostgresStoreWorld

pytestmark = pytest.mark.anyio


class TestMemory(StoreConformance):
    @pytest.fixture
    async def world(self) -> MemoryStoreWorld:
        return await MemoryStoreWorld().open()


class TestPostgres(StoreConformance):
    @pytest.fixture
    async def world(self, db: Database, database_url: str) -> PostgresStoreWorld:
        return await PostgresStoreWorld(db, database_url).open()
