"""Named SQL, read from the `.sql` files beside a slice.

A file is a run of blocks; the name is how Python calls it and the comment says why it exists:

    -- name: get_user
    -- The login form knows people by their address only.
    SELECT id, password_hash
    FROM users
    WHERE email = $1;

A block without a name, without a reason or without SQL, and a name given twice in one package, are errors at import, so
a slice that imports has all its SQL.
"""

import re
from collections.abc import Iterator, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from typing import NamedTuple

__all__ = ["Queries", "QueryFileError", "load_queries", "parse_queries"]

NAME_LINE = re.compile(r"--\s*name:\s*(?P<name>.*?)\s*$")
NAME = re.compile(r"[a-z][a-z0-9_]*")


class QueryFileError(Exception):
    """A file of named SQL that breaks its form, or a name that is not in it."""

    def __init__(self, file_name: str, reason: str, *, line: int | None = None) -> None:
        super().__init__(f"{file_name}{f':{line}' if line else ''}: {reason}")
        self.file_name = file_name
        self.reason = reason
        self.line = line


class NamedQuery(NamedTuple):
    """One block of a file; `line` is where its name stands."""

    name: str
    sql: str
    line: int


class Queries:
    """The SQL texts of one package as attributes: `queries.get_user`."""

    def __init__(self, source: str, texts: Mapping[str, str]) -> None:
        self._source = source
        self._texts = dict(texts)

    def __getattr__(self, name: str) -> str:
        """Give the SQL of that name; raises QueryFileError for a name no file has."""
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self._texts[name]
        except KeyError:
            raise QueryFileError(self._source, f"no query named {name!r}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._texts))

    def __len__(self) -> int:
        return len(self._texts)


def load_queries(package: str) -> Queries:
    """Read every `.sql` file directly in a package; call it once, at import: `load_queries(__package__)`.

    Raises QueryFileError when a file breaks the form, a name stands twice, or there is no SQL at all.
    """
    texts: dict[str, str] = {}
    for file in sql_files(package):
        for query in parse_queries(file.name, file.read_text(encoding="utf-8")):
            if query.name in texts:
                raise QueryFileError(file.name, f"{query.name!r} stands twice in {package}", line=query.line)
            texts[query.name] = query.sql
    if not texts:
        raise QueryFileError(package, "has no .sql file with named queries")
    return Queries(package, texts)


def sql_files(package: str) -> list[Traversable]:
    files = (file for file in resources.files(package).iterdir() if file.name.endswith(".sql"))
    return sorted(files, key=lambda file: file.name)


def parse_queries(file_name: str, text: str) -> Iterator[NamedQuery]:
    """Cut a file into its blocks, in order; raises QueryFileError at the first that breaks the form."""
    block: list[str] = []
    start = 0
    for number, line in enumerate(text.splitlines(), start=1):
        if NAME_LINE.match(line):
            if start:
                yield read_block(file_name, block, start)
            block, start = [line], number
        elif start:
            block.append(line)
        elif line.strip() and not line.startswith("--"):
            raise QueryFileError(file_name, "SQL before the first `-- name:` line", line=number)
    if start:
        yield read_block(file_name, block, start)


def read_block(file_name: str, block: list[str], start: int) -> NamedQuery:
    head = NAME_LINE.match(block[0])
    name = head["name"] if head else ""
    if not NAME.fullmatch(name):
        raise QueryFileError(file_name, f"{name!r} is not a name in snake_case", line=start)
    if len(block) < 2 or not re.match(r"--\s*\S", block[1]):
        raise QueryFileError(file_name, f"{name!r} needs a comment line under its name that says why", line=start + 1)
    sql = "\n".join(block[2:]).strip().removesuffix(";").rstrip()
    if not any(line.strip() and not line.lstrip().startswith("--") for line in sql.splitlines()):
        raise QueryFileError(file_name, f"{name!r} has no SQL", line=start)
    return NamedQuery(name, sql, start)
