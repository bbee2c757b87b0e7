"""The file of a backup: a ZIP of tables as Postgres copies them, with a manifest, sealed by its own SHA-256.

    tables/<name>.copy.zst    COPY … WITH (FORMAT binary), compressed with zstd
    manifest.json             what is in it: schema, epoch, and rows, bytes and SHA-256 of each table

The last 64 bytes of the file, which ZIP takes for a comment, are the SHA-256 in hex of all bytes before them. So a file
that was cut or altered anywhere is known before anything else of it is believed, and unzip, zstd and psql open it on a
machine without this server.

A file has its name when it is whole and on the disk; until then it is called `<name>.part`.
"""

import hashlib
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, NamedTuple

import msgspec
import zstandard
from msgspec import Struct

from apex_server.operations.errors import BackupDamaged, BackupExists, NotABackup

__all__ = ["BackedUpTable", "BackupReader", "BackupWriter", "Manifest", "SchemaStep", "TableSink"]

FORM = 1
"""Raised when a reader of the form before would misread it."""

MANIFEST = "manifest.json"
MANIFEST_BYTES_MAX = 1024 * 1024
SEAL_BYTES = 64
COMPRESSION_LEVEL = 6
"""Documents are compressed once and kept for years; level 3 takes half the time for a tenth more."""

CHUNK_BYTES = 256 * 1024
WINDOW_BYTES_MAX = 8 * 1024 * 1024
"""More than level 6 ever uses: a table never takes more memory than that to unpack."""

Progress = Callable[[int], None]


class SchemaStep(NamedTuple):
    """A migration that the database had seen; `sha256` in hex."""

    version: int
    name: str
    sha256: str


class BackedUpTable(Struct, frozen=True):
    """One table; `bytes` and `sha256` are of the uncompressed stream."""

    name: str
    columns: list[str]
    rows: int
    bytes: int
    sha256: str


class Manifest(Struct, frozen=True, kw_only=True):
    """What a backup holds, tables in an order in which they can be restored.

    `secret_fingerprint` tells whether two installations have the same APEX_SECRET, and nothing else about it.
    """

    form: int = FORM
    made_at: datetime
    server_version: str
    postgres_version: str
    schema: list[SchemaStep]
    epoch: str
    secret_fingerprint: str
    tables: list[BackedUpTable]

    @property
    def row_count(self) -> int:
        """All rows together."""
        return sum(table.rows for table in self.tables)


class TableSink:
    """Takes the stream of one table."""

    def __init__(self, compressed: zstandard.ZstdCompressionWriter) -> None:
        self._compressed = compressed
        self._hash = hashlib.sha256()
        self.bytes = 0

    def write(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self._compressed.write(chunk)
        self._hash.update(chunk)
        self.bytes += len(chunk)

    @property
    def sha256(self) -> str:
        """Give the hash of all bytes so far."""
        return self._hash.hexdigest()


class BackupWriter:
    """A backup that is being written; made by `BackupWriter.open`."""

    def __init__(self, archive: zipfile.ZipFile, made_at: datetime) -> None:
        self._archive = archive
        self._made_at = made_at

    @classmethod
    @contextmanager
    def open(cls, path: Path, made_at: datetime) -> Iterator["BackupWriter"]:
        """Give a writer; the file is there under its name once the block has ended well. Raises BackupExists."""
        if path.exists():
            raise BackupExists(path)
        part = path.with_name(f"{path.name}.part")
        try:
            with open_private(part) as file:
                with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                    archive.comment = bytes(SEAL_BYTES)
                    yield cls(archive, made_at)
                seal(file)
            if path.exists():
                raise BackupExists(path)
            part.rename(path)
            sync_directory(path.parent)
        finally:
            part.unlink(missing_ok=True)

    @contextmanager
    def table(self, name: str) -> Iterator[TableSink]:
        """Give where the stream of a table goes."""
        with self._archive.open(self._entry(member_of(name)), "w", force_zip64=True) as member:
            compressor = zstandard.ZstdCompressor(level=COMPRESSION_LEVEL, write_checksum=True)
            with compressor.stream_writer(member, closefd=False) as compressed:
                yield TableSink(compressed)

    def describe(self, manifest: Manifest) -> None:
        """Write the manifest, after all tables."""
        self._archive.writestr(self._entry(MANIFEST), msgspec.json.format(msgspec.json.encode(manifest)))

    def _entry(self, name: str) -> zipfile.ZipInfo:
        return zipfile.ZipInfo(name, self._made_at.timetuple()[:6])


class BackupReader:
    """A backup that has proven whole; made by `BackupReader.open`."""

    def __init__(self, path: Path, archive: zipfile.ZipFile, manifest: Manifest) -> None:
        self.path = path
        self.manifest = manifest
        self._archive = archive

    @classmethod
    @contextmanager
    def open(cls, path: Path, told: Progress = lambda count: None) -> Iterator["BackupReader"]:
        """Check the seal, reading the whole file once, and give its reader; `told` hears of every byte.

        Raises NotABackup, BackupDamaged, OSError.
        """
        with path.open("rb") as file:
            check_seal(path, file, told)
            try:
                with zipfile.ZipFile(file) as archive:
                    yield cls(path, archive, read_manifest(path, archive))
            except zipfile.BadZipFile as error:
                raise NotABackup(path, f"it is no ZIP file ({error})") from error

    def stream(self, table: BackedUpTable, told: Progress = lambda count: None) -> Iterator[bytes]:
        """Give the stream of a table. Raises BackupDamaged where it is not the one that was written."""
        found = hashlib.sha256()
        unpacker = zstandard.ZstdDecompressor(max_window_size=WINDOW_BYTES_MAX)
        size = 0
        try:
            with self._archive.open(member_of(table.name)) as member, unpacker.stream_reader(member) as unpacked:
                while size <= table.bytes and (chunk := unpacked.read(CHUNK_BYTES)):
                    found.update(chunk)
                    size += len(chunk)
                    yield chunk
                    told(len(chunk))
        except (zstandard.ZstdError, zipfile.BadZipFile, KeyError, EOFError) as error:
            raise BackupDamaged(self.path, f"table {table.name} cannot be unpacked ({error})") from error
        if (size, found.hexdigest()) != (table.bytes, table.sha256):
            raise BackupDamaged(self.path, f"table {table.name} is another one than its manifest says")


def member_of(table: str) -> str:
    return f"tables/{table}.copy.zst"


def open_private(path: Path) -> IO[bytes]:
    """Make a file that its owner alone can read: it holds health data. One that a killed backup left is replaced."""
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600), "w+b")


def seal(file: IO[bytes]) -> None:
    """Replace the last bytes by the hash of all before them, read back from the file, and bring it to the disk."""
    found = sealed_hash(file, lambda count: None)
    file.seek(-SEAL_BYTES, os.SEEK_END)
    file.write(found)
    file.flush()
    os.fsync(file.fileno())


def check_seal(path: Path, file: IO[bytes], told: Progress) -> None:
    size = os.fstat(file.fileno()).st_size
    if size <= SEAL_BYTES or file.read(2) != b"PK":
        raise NotABackup(path, "it does not begin as one")
    found = sealed_hash(file, told)
    file.seek(-SEAL_BYTES, os.SEEK_END)
    if file.read() != found:
        raise BackupDamaged(path, "it was cut off or altered, its SHA-256 is not the one at its end")


def sealed_hash(file: IO[bytes], told: Progress) -> bytes:
    """Hash everything but the last bytes."""
    found = hashlib.sha256()
    file.flush()
    left = os.fstat(file.fileno()).st_size - SEAL_BYTES
    file.seek(0)
    while left > 0 and (chunk := file.read(min(CHUNK_BYTES, left))):
        found.update(chunk)
        left -= len(chunk)
        told(len(chunk))
    return found.hexdigest().encode()


def read_manifest(path: Path, archive: zipfile.ZipFile) -> Manifest:
    try:
        if archive.getinfo(MANIFEST).file_size > MANIFEST_BYTES_MAX:
            raise NotABackup(path, "its manifest is too large")
        manifest = msgspec.json.decode(archive.read(MANIFEST), type=Manifest)
    except (KeyError, msgspec.DecodeError) as error:
        raise NotABackup(path, f"its manifest cannot be read ({error})") from error
    if manifest.form != FORM:
        raise NotABackup(path, f"it has form {manifest.form}, and this server reads {FORM}")
    return manifest


def sync_directory(path: Path) -> None:
    """Make a new name as durable as what it names."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
