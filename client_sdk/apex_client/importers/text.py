"""From a file to text: bounded, and in whatever encoding a spreadsheet left it.

Exports are UTF-8. Files that went through a spreadsheet come with a byte order mark, in UTF-16 or in the Western
European code page; files cut by a bad download may end within a character.
"""

from pathlib import Path
from typing import NamedTuple

from apex_client.importers.errors import EmptyFile, FileTooLarge, FileUnreadable, NotAnExport

FILE_BYTES_MAX = 64_000_000
"""About 700,000 sets: ten sets a day for two hundred years."""

FOREIGN_FILES = (
    (b"PK\x03\x04", "it is a ZIP or a spreadsheet; unpack it, or save the sheet as CSV"),
    (b"\x1f\x8b", "it is compressed; unpack it first"),
    (b"SQLite format 3\x00", "it is a database or an app's backup; use the app's CSV export"),
    (b"%PDF", "it is a PDF"),
    (b"{", "it is JSON"),
    (b"[", "it is JSON"),
    (b"<", "it is a web page or XML"),
)


class DecodedText(NamedTuple):
    """The text of a file, and what had to be assumed to read it."""

    text: str
    warning: str | None


def read_text(source: str | Path | bytes) -> DecodedText:
    """Read and decode a file, or bytes that are already here.

    Raises FileUnreadable, FileTooLarge, EmptyFile, or NotAnExport for a known other kind of file.
    """
    content = source if isinstance(source, bytes) else _read_bytes(Path(source))
    if len(content) > FILE_BYTES_MAX:
        raise FileTooLarge(FILE_BYTES_MAX)
    _refuse_foreign(content)
    decoded = _decode(content)
    if not decoded.text.strip("\ufeff\x00 \t\r\n"):
        raise EmptyFile
    return decoded


def _read_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(FILE_BYTES_MAX + 1)
    except IsADirectoryError as error:
        raise FileUnreadable(path, "it is a directory; name the file in it") from error
    except (OSError, ValueError) as error:
        raise FileUnreadable(path, getattr(error, "strerror", None) or str(error)) from error


def _refuse_foreign(content: bytes) -> None:
    start = content[:64].removeprefix(b"\xef\xbb\xbf").lstrip()
    for magic, hint in FOREIGN_FILES:
        if start.startswith(magic):
            raise NotAnExport([], hint)


def _decode(content: bytes) -> DecodedText:
    if encoding := _utf16(content):
        return DecodedText(content.decode(encoding, "replace").removeprefix("\ufeff"), None)
    try:
        return DecodedText(content.decode("utf-8-sig"), None)
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data":
            # The file was cut within a character; its last row is judged with the other rows.
            return DecodedText(content[: error.start].decode("utf-8-sig"), None)
    return _decode_damaged(content)


def _utf16(content: bytes) -> str | None:
    """Tell UTF-16 by its mark or, without one, by the zero byte beside every Latin letter of a header."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    head = content[:64]
    if len(head) >= 8 and head[1::2].count(0) > len(head) // 4 and 0 not in head[::2]:
        return "utf-16-le"
    if len(head) >= 8 and head[::2].count(0) > len(head) // 4 and 0 not in head[1::2]:
        return "utf-16-be"
    return None


def _decode_damaged(content: bytes) -> DecodedText:
    """Choose between UTF-8 with a few spoilt bytes and the Western European code page, by what most bytes speak for."""
    text = content.decode("utf-8-sig", "replace")
    spoilt = text.count("\ufffd")
    sound = sum(character > "\x7f" for character in text) - spoilt
    if sound > spoilt:
        return DecodedText(text, f"{spoilt} characters are damaged and read as \ufffd")
    try:
        return DecodedText(content.decode("cp1252"), "the file is not UTF-8; it was read as Windows-1252 (Latin-1)")
    except UnicodeDecodeError:
        return DecodedText(content.decode("latin-1"), "the file is not UTF-8; it was read as Latin-1")
