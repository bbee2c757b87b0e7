"""Logging is configured once for a process, and again without harm."""

import logging
from collections.abc import Iterator

import pytest
import structlog

from apex_server.logs import configure_logs


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    structlog.reset_defaults()


def test_a_logger_that_was_used_follows_when_logs_are_configured_again() -> None:
    log = structlog.get_logger("apex.test")
    configure_logs("info")
    log.info("before")
    configure_logs("info")
    with structlog.testing.capture_logs() as lines:
        log.info("after")
    assert [line["event"] for line in lines] == ["after"]
