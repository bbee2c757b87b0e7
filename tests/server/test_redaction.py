"""Nothing secret reaches a log: not by name, not inside a text, not in the words or frames of an exception."""

import io
import json
import logging
from collections.abc import Iterator

import asyncpg
import pytest
import structlog

from apex_server import logs
from apex_server.errors import NotFound
from apex_server.opaque_tokens import new_token

SECRET = "hunter2-xylophone"


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Give what is logged, as it would reach the standard error."""
    handlers, level = logging.root.handlers[:], logging.root.level
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    logs.configure_logs("debug")
    yield stream
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    logging.raiseExceptions = True
    structlog.reset_defaults()


NAMES = [
    "password", "new_password", "token", "refresh_token", "device_token", "secret", "authorization", "cookie", "email",
    "phone", "code", "recovery_codes", "totp_seed", "openai_api_key", "master_key", "headers", "body", "csrf_token",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_value_is_hidden_by_its_name_wherever_it_stands(written: io.StringIO, name: str) -> None:
    log = structlog.get_logger("apex.test")
    log.info("event", **{name: SECRET})
    log.info("event", outer={name: SECRET, "deeper": [{name: [SECRET]}]})
    logging.getLogger("library").warning("event", extra={name: SECRET})
    assert SECRET not in written.getvalue() and len(written.getvalue().splitlines()) == 3


TEXTS = [
    f"Authorization: Bearer {SECRET}",
    f"postgresql://owner:{SECRET}@db/apex is away",
    f"password={SECRET}",
    f'{{"refresh_token": "{SECRET}"}}',
    f"no mailbox {SECRET}@example.com",
    f'duplicate key value violates "users"\nDETAIL:  Key (email)=({SECRET}) already exists.',
    f"key sk-{SECRET} was refused",
    f"eyJhbGciOiJFZERTQSJ9.{SECRET}.{SECRET}",
]


@pytest.mark.parametrize("text", TEXTS)
def test_what_looks_secret_is_hidden_in_any_text(written: io.StringIO, text: str) -> None:
    structlog.get_logger("apex.test").warning("event", reason=text)
    structlog.get_logger("apex.test").warning(text)
    logging.getLogger("library").error("it said %s", text)
    assert SECRET not in written.getvalue() and len(written.getvalue().splitlines()) == 3


def test_a_token_of_ours_is_hidden_and_an_id_is_not(written: io.StringIO) -> None:
    token, record_id = new_token(), "019ac0a4-7c3e-7000-8000-000000000001"
    structlog.get_logger("apex.test").info(f"took {token}", record_id=record_id, milliseconds=1.5, exit_code=1)
    line = json.loads(written.getvalue())
    assert token not in line["event"]
    assert (line["record_id"], line["milliseconds"], line["exit_code"]) == (record_id, 1.5, 1)


def fail_with(error: Exception) -> None:
    password = SECRET  # A local variable, as rich tracebacks print them.
    assert password
    raise error


def failing_postgres() -> asyncpg.PostgresError:
    error = asyncpg.UniqueViolationError(f"duplicate {SECRET}")
    error.detail = f"Key (email)=({SECRET}) already exists."
    error.constraint_name = "users_email_key"
    return error


FAILURES = [
    (ValueError(SECRET), "ValueError"),
    (KeyError(SECRET), "KeyError"),
    (UnicodeDecodeError("utf-8", SECRET.encode(), 0, 1, SECRET), "UnicodeDecodeError"),
    (OSError(13, "Permission denied", SECRET), "Permission denied"),
    (ExceptionGroup(SECRET, [ValueError(SECRET), TypeError("f() takes no arguments")]), "f() takes no arguments"),
    (failing_postgres(), "23505 users_email_key"),
    (NotFound("workout"), "NotFound"),
]


@pytest.mark.parametrize(("error", "shown"), FAILURES, ids=[shown for _, shown in FAILURES])
def test_an_exception_keeps_its_type_and_frames_and_loses_its_words(
    written: io.StringIO, error: Exception, shown: str
) -> None:
    try:
        try:
            fail_with(error)
        except Exception as inner:
            raise RuntimeError(f"while doing {SECRET}") from inner
    except RuntimeError as outer:
        structlog.get_logger("apex.test").exception("failed", error=outer)
        logging.getLogger("library").exception("failed")
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert SECRET not in written.getvalue()
    for line in lines:
        assert shown in line["exception"] and "RuntimeError" in line["exception"]
        assert "in fail_with" in line["exception"], "where it happened is what one looks for"


def test_a_line_that_cannot_be_formatted_prints_nothing_of_it(written: io.StringIO) -> None:
    logging.getLogger("library").error("%d", SECRET)
    assert SECRET not in written.getvalue()
