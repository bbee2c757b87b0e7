"""Named SQL: every block has a name, a reason and SQL, and a slice that imports has all of it."""

import sys
from importlib import invalidate_caches
from pathlib import Path

import pytest

from apex_server.db import Queries, load_queries
from apex_server.named_sql import QueryFileError, parse_queries

GET_USER = """\
-- name: get_user
-- The login form knows people by their address only.
SELECT id
FROM users
WHERE email = $1;
"""
LIST_USERS = """\
-- name: list_users
-- The coach's front page.
SELECT id
FROM users
ORDER BY id
LIMIT $1
"""


@pytest.fixture
def slice_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An importable package `some_slice` without any SQL yet."""
    folder = tmp_path / "some_slice"
    folder.mkdir()
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "some_slice", raising=False)
    invalidate_caches()
    return folder


def test_queries_of_all_files_are_attributes(slice_folder: Path) -> None:
    (slice_folder / "queries.sql").write_text(f"-- What people are asked for.\n\n{GET_USER}")
    (slice_folder / "lists.sql").write_text(LIST_USERS)
    queries = load_queries("some_slice")
    assert queries.get_user == "SELECT id\nFROM users\nWHERE email = $1"
    assert queries.list_users.endswith("LIMIT $1")
    assert list(queries) == ["get_user", "list_users"]
    assert len(queries) == 2


def test_an_unknown_name_is_an_error_that_names_it(slice_folder: Path) -> None:
    (slice_folder / "queries.sql").write_text(GET_USER)
    with pytest.raises(QueryFileError, match="no query named 'get_usr'"):
        _ = load_queries("some_slice").get_usr


def test_a_name_given_twice_is_refused_across_files(slice_folder: Path) -> None:
    (slice_folder / "a.sql").write_text(GET_USER)
    (slice_folder / "b.sql").write_text(f"\n{GET_USER}")
    with pytest.raises(QueryFileError, match="'get_user' stands twice") as failure:
        load_queries("some_slice")
    assert (failure.value.file_name, failure.value.line) == ("b.sql", 2)


def test_a_package_without_sql_is_refused(slice_folder: Path) -> None:
    with pytest.raises(QueryFileError, match=r"no \.sql file"):
        load_queries("some_slice")


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("SELECT 1;\n", 1, "SQL before the first"),
        ("-- name: GetUser\n-- Why.\nSELECT 1;\n", 1, "not a name in snake_case"),
        ("-- name:\n-- Why.\nSELECT 1;\n", 1, "not a name in snake_case"),
        ("-- name: get_user\nSELECT 1;\n", 2, "says why"),
        ("-- name: get_user\n--\nSELECT 1;\n", 2, "says why"),
        ("-- name: get_user\n-- Why.\n;\n", 1, "has no SQL"),
        ("-- name: get_user\n-- Why.\n-- And more.\n", 1, "has no SQL"),
    ],
)
def test_a_file_that_breaks_the_form_is_refused_with_its_line(text: str, line: int, reason: str) -> None:
    with pytest.raises(QueryFileError, match=reason) as failure:
        list(parse_queries("queries.sql", text))
    assert (failure.value.file_name, failure.value.line) == ("queries.sql", line)


def test_a_missing_special_method_is_asked_for_as_usual() -> None:
    """So that copying and inspecting behave, and hasattr tells the truth."""
    assert not hasattr(Queries("nowhere", {}), "__deepcopy__")
