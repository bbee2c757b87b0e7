"""How a device makes sure that only its server reads what it sends: TLS 1.3 with a certificate it trusts, or nothing.

A password, a token and a year of health data go over this connection, often in somebody else's network. Plain HTTP and
older TLS are refused before a byte of it is sent, but to this machine itself, or where the app says so.
"""

import ipaddress
import ssl
from pathlib import Path
from urllib.parse import urlsplit

from apex_client.errors import InsecureServer, ServerUnreachable

__all__ = ["Trust", "is_loopback", "too_old"]

TOO_OLD = frozenset({"TLSV1_ALERT_PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL"})
"""What OpenSSL calls a server that speaks no TLS as new as it must."""


class Trust:
    """What a connection must be like.

    `ca_file` names the only authorities that are trusted; without it they are those that certifi, or `SSL_CERT_FILE`,
    lists. `verify` is an SSL context of the app's own instead. With `allow_insecure`, plain HTTP and TLS 1.2 will do;
    a certificate must be good even then.
    """

    def __init__(
        self,
        *,
        ca_file: str | Path | None = None,
        verify: ssl.SSLContext | None = None,
        allow_insecure: bool = False,
    ) -> None:
        if verify is not None and not allow_insecure and not _demands_all(verify):
            raise InsecureServer("", "the SSL context given takes less than TLS 1.3, or any certificate")
        self._ca_file = ca_file
        self._verify = verify
        self._allow_insecure = allow_insecure
        self._contexts: dict[ssl.TLSVersion, ssl.SSLContext] = {}

    def context_for(self, server: str) -> ssl.SSLContext:
        """Give the context for connecting to a server.

        Raises InsecureServer for plain http, and ServerUnreachable where it is no address.
        """
        try:
            scheme = urlsplit(server).scheme
        except ValueError as error:
            raise ServerUnreachable(server, str(error)) from error
        local = self._allow_insecure or is_loopback(server)
        if not local and scheme == "http":
            raise InsecureServer(server, "plain http would show passwords and health data to the network")
        if self._verify is not None:
            return self._verify
        least = ssl.TLSVersion.TLSv1_2 if local else ssl.TLSVersion.TLSv1_3
        if least not in self._contexts:
            self._contexts[least] = self._new_context(least)
        return self._contexts[least]

    def _new_context(self, least: ssl.TLSVersion) -> ssl.SSLContext:
        if self._ca_file is not None:
            context = ssl.create_default_context(cafile=self._ca_file)
        else:
            import httpx

            context = httpx.create_ssl_context()
        context.minimum_version = least
        return context


def is_loopback(server: str) -> bool:
    """Tell whether an address is this machine's own, which no network carries.

    Of names only `localhost` itself: what stands before a dot in front of it is asked of a resolver, and not every
    resolver keeps such names at home, as RFC 6761 wants them to.

    >>> is_loopback("http://127.0.0.1:8000"), is_loopback("http://[::1]:8000"), is_loopback("http://localhost")
    (True, True, True)
    >>> is_loopback("http://coach.example"), is_loopback("http://127.0.0.1.evil.example")
    (False, False)
    >>> is_loopback("http://coach.localhost"), is_loopback("http://localhost.evil.example")
    (False, False)
    """
    try:
        host = urlsplit(server).hostname or ""
    except ValueError:
        return False
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def too_old(error: BaseException | None) -> bool:
    """Tell whether a connection failed because the other side speaks only older TLS."""
    while error is not None:
        if isinstance(error, ssl.SSLError) and error.reason in TOO_OLD:
            return True
        error = error.__cause__ or error.__context__
    return False


def _demands_all(context: ssl.SSLContext) -> bool:
    checks_names = context.verify_mode is ssl.CERT_REQUIRED and context.check_hostname
    return context.minimum_version >= ssl.TLSVersion.TLSv1_3 and checks_names
