"""A Postgres of a torture's own, which it may hurt, with a fresh migrated database for whoever asks."""

import itertools
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from anyio.from_thread import BlockingPortal, start_blocking_portal

from apex_server.db import EmbeddedPostgres
from tests.server.conftest import NOT_DURABLE, TEMPLATE, execute, make_template, url_of

__all__ = ["NOT_DURABLE", "Cluster", "own_cluster"]


class Cluster:
    """The server, and the event loop that supervises it."""

    def __init__(self, postgres: EmbeddedPostgres, portal: BlockingPortal, folder: Path) -> None:
        self.postgres = postgres
        self.portal = portal
        self.folder = folder
        self._numbers = itertools.count(1)

    @contextmanager
    def database(self, template: str = TEMPLATE) -> Iterator[str]:
        """Give the owner's URL of a database until the block ends."""
        name = self.new_database(template)
        try:
            yield url_of(self.postgres, name)
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def new_database(self, template: str = TEMPLATE) -> str:
        """Copy a database that nobody is connected to; give the name of the copy."""
        name = f"torture_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def url(self, name: str) -> str:
        """Give the owner's URL of a database."""
        return url_of(self.postgres, name)

    def execute(self, statement: str) -> None:
        """Run a statement as the owner of everything."""
        self.portal.call(execute, self.postgres.dsn, statement)


@contextmanager
def own_cluster(options: Mapping[str, str] = NOT_DURABLE, disk: Path | None = None) -> Iterator[Cluster]:
    """Run a Postgres until the block ends, on a disk of its own if one is given, and leave nothing behind."""
    path = Path(tempfile.mkdtemp(prefix="apex-torture-"))
    server = EmbeddedPostgres((disk or path) / "server", options=options)
    try:
        with start_blocking_portal("asyncio") as portal, portal.wrap_async_context_manager(server):
            portal.call(make_template, server)
            yield Cluster(server, portal, path)
    finally:
        shutil.rmtree(path)
