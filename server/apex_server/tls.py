"""TLS of the server itself: a certificate and its key, checked before anybody is served, and renewed without a pause.

The web processes read a private copy in the data directory. A renewal replaces two files, one after the other, often by
moving a symbolic link; the copy is replaced only when certificate and key belong together again. TLS 1.3 is the least
that is spoken: every browser and every device that the SDK runs on knows it.
"""

import os
import ssl
import tempfile
from pathlib import Path

from apex_server.settings import Settings, SettingsError

__all__ = ["CertificateFiles", "Signature", "certificate_files"]

CERTIFICATE = "APEX_TLS_CERTIFICATE"
KEY = "APEX_TLS_KEY"

OTHERS = 0o007
"""Anybody on the machine. A group may read the key: that is how `ssl-cert` and the like hand keys to services."""

PKCS8_HEAD = b"-----BEGIN PRIVATE KEY-----"
ENCRYPTED = b"ENCRYPTED"
FILE_BYTES_MAX = 1024 * 1024
"""A chain of a few certificates has some kilobytes."""

Signature = tuple[int, int, int, int, int, int]
"""By which a change of either file is noticed: inode, size and time of both."""


class CertificateFiles:
    """The files somebody named, and the copy that web processes read."""

    def __init__(self, certificate: Path, key: Path, folder: Path) -> None:
        self._named_certificate = certificate
        self._named_key = key
        self.certificate = folder / "certificate.pem"
        self.key = folder / "key.pem"

    def take(self) -> None:
        """Check what is named, and make it the copy. Raises SettingsError, with the copy as it was."""
        certificate, key = _read(CERTIFICATE, self._named_certificate), _read(KEY, self._named_key)
        _check_key(self._named_key, key)
        folder = self.certificate.parent
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".new.", dir=folder) as name:
                new_certificate, new_key = Path(name, "certificate.pem"), Path(name, "key.pem")
                _write(new_certificate, certificate)
                _write(new_key, key)
                _check_together(self._named_certificate, self._named_key, new_certificate, new_key)
                new_key.replace(self.key)
                new_certificate.replace(self.certificate)
        except OSError as error:
            raise SettingsError(KEY, f"cannot be kept in {folder}: {error.strerror}") from error

    def signature(self) -> Signature | None:
        """Give what changes when a file does; None while one is missing, as in the middle of a renewal."""
        try:
            first, second = self._named_certificate.stat(), self._named_key.stat()
        except OSError:
            return None
        return first.st_ino, first.st_size, first.st_mtime_ns, second.st_ino, second.st_size, second.st_mtime_ns


def certificate_files(settings: Settings) -> CertificateFiles | None:
    """Give the files of a server that speaks TLS itself; None for one that does not."""
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    return CertificateFiles(settings.tls_certificate, settings.tls_key, settings.data_dir / "tls")


def _read(variable: str, path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise SettingsError(variable, f"{path} cannot be read: {error.strerror}") from error
    if len(content) > FILE_BYTES_MAX:
        raise SettingsError(variable, f"{path} is no PEM file: it has more than {FILE_BYTES_MAX} bytes")
    return content


def _check_key(path: Path, key: bytes) -> None:
    if os.name == "posix" and path.stat().st_mode & OTHERS:
        raise SettingsError(KEY, f"{path} may be read by everybody on this machine; chmod 600 {path}")
    if ENCRYPTED in key:
        raise SettingsError(
            KEY, f"{path} is encrypted, and nobody is there to type its password; openssl pkey -in {path} -out new.pem"
        )
    if PKCS8_HEAD not in key:
        raise SettingsError(KEY, f"{path} is no private key in PKCS#8; openssl pkey -in {path} -out new.pem makes one")


def _check_together(certificate: Path, key: Path, new_certificate: Path, new_key: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(new_certificate, new_key)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise SettingsError(KEY, f"{key} is not the key of the certificate in {certificate}") from error
        raise SettingsError(CERTIFICATE, f"{certificate} and {key} cannot be used: {error.reason or error}") from error


def _write(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
