"""Looks at the file itself: is it a replica, of this version, sound, private, and this installation's?"""

import sqlite3
from collections.abc import Iterator

from apex_client.doctor.finding import START_ANEW, Finding, some_of
from apex_client.doctor.image import ReplicaImage
from apex_client.store_file import APPLICATION_ID, migrations

__all__ = ["file_findings"]


def file_findings(image: ReplicaImage) -> Iterator[Finding]:
    """Look at the file."""
    problems = list(_problems(image))
    schema, known = image.pragma("user_version"), len(migrations())
    if image.pragma("application_id") != APPLICATION_ID:
        yield Finding("file", "wrong", f"{image.path} is another program's database", "name the replica with --db")
    elif problems:
        yield Finding("file", "wrong", some_of(problems), START_ANEW)
    else:
        yield Finding(
            "file", "good", f"{image.path}, {image.path.stat().st_size / 1e6:,.1f} MB, schema {schema}, sound"
        )
    if schema > known:
        words = f"it has schema {schema}, and this version of the app knows {known}"
        yield Finding("file", "wrong", words, "update the app; until then apex doctor --export gets everything out")
    if image.path.stat().st_mode & 0o077:
        yield Finding("file", "note", "other users may read it", f"chmod 600 {image.path}")
    if not image.path.with_name(f"{image.path.name}.identity").exists():
        words = (
            "its identity file is not beside it, as after a copy: it goes on under a new client id, and loses nothing"
        )
        yield Finding("file", "note", words)


def _problems(image: ReplicaImage) -> Iterator[str]:
    try:
        for row in image.rows("PRAGMA integrity_check"):
            if row["integrity_check"] != "ok":
                yield str(row["integrity_check"])
        for row in image.rows("PRAGMA foreign_key_check"):
            yield f"row {row['rowid']} of {row['table']} hangs loose"
    except sqlite3.Error as error:
        yield str(error)
