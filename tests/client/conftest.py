"""Replicas for tests of the SDK, with a clock and randomness that repeat."""

import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from apex_client import Credentials, Replica
from tests.client.apex_command import Terminal
from tests.client.fleet import Clock
from tests.client.loopback import LoopbackServer
from tests.client.loopback_transport import LoopbackTransport

OpenReplica = Callable[..., Any]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(clock: Clock) -> LoopbackServer:
    return LoopbackServer(clock)


@pytest.fixture
def apex(tmp_path: Path) -> Terminal:
    """The `apex` command, with a replica and a home of its own."""
    return Terminal(tmp_path)


@pytest.fixture
async def open_replica(tmp_path: Path, clock: Clock, server: LoopbackServer) -> AsyncIterator[OpenReplica]:
    """Give a function that opens a replica by name; as somebody, when an e-mail address is given."""
    async with AsyncExitStack() as stack:

        async def opened(name: str = "athlete", email: str | None = None, **options: Any) -> Replica:
            if email and email not in server.accounts:
                server.add_user(email, options.pop("role", "athlete"))
            replica = Replica.open(
                tmp_path / f"{name}.db",
                **{
                    "server": "https://coach.example" if email else None,
                    "credentials": Credentials(email, "secret") if email else None,
                    "transport": LoopbackTransport(server),
                    "now_us": clock,
                    "entropy": random.Random(name).randbytes,
                    "zone": UTC,
                    **options,
                },
            )
            return await stack.enter_async_context(replica)

        yield opened
