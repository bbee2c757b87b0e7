"""A whole server as one block: Postgres, web processes and a job worker, up and answering, and gone at the end.

`apex-server serve`, the demo, the benchmarks and the end-to-end tests all run the same thing through this.
"""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TypeVar

import anyio
import httpx
import msgspec
import structlog

from apex_server.attached import attached_command
from apex_server.clock import wall_clock
from apex_server.db import ready_database
from apex_server.db.background import in_background
from apex_server.mail import FolderMailer, mailer_of
from apex_server.settings import Settings, SettingsError
from apex_server.tls import CertificateFiles, certificate_files

__all__ = ["ServerNotAnswering", "address_of", "serving"]

START_TIMEOUT_SECONDS = 30.0
"""A web process needs about a second; a first start on a busy machine some more."""

STOP_TIMEOUT_SECONDS = 10.0
"""Time for requests under way; a commit takes milliseconds, a long pull seconds."""

HEADERS_SECONDS_MAX = 10.0
"""For the head of a request, which fits into a few packets; bodies have limits of their own (`limits.admission`)."""

GIVEN_BACK_BYTES_MIN = 1024 * 1024
"""What is larger goes back to the system when it is freed. Left to itself, glibc keeps as much as the largest it freed:
19 MiB of the hash of one password, in each web process and for good."""

RESTART_DELAY_SECONDS = 1.0
POLL_SECONDS = 0.05

RENEWAL_OVERLAP_SECONDS = 8.0
"""How long a web process goes on once one with the new certificate was started, which takes a busy machine seconds."""

CERTIFICATE_POLL_SECONDS = 10.0
"""How often to look whether the certificate was renewed; a renewal comes weeks before the old one ends."""

_log = structlog.get_logger(__name__)

T = TypeVar("T")

Running = set[subprocess.Popen[bytes]]
"""The web processes that there are just now."""


class ServerNotAnswering(Exception):
    """The web processes were started and did not become ready."""

    def __init__(self, address: str, seconds: float) -> None:
        super().__init__(f"the server at {address} did not answer within {seconds:.0f} s; see the log above")
        self.address = address


@asynccontextmanager
async def serving(settings: Settings, *, with_worker: bool = True) -> AsyncIterator[Settings]:
    """Run everything until the block ends; gives the settings as they turned out, with the address of Postgres.

    A process that ends is started again. Raises SettingsError when the port is taken, what `ready_database` raises, and
    ServerNotAnswering.
    """
    check_port(settings)
    certificate = certificate_files(settings)
    if certificate is not None:
        certificate.take()
    mailer = mailer_of(settings, now=wall_clock)  # Refuses a post that is none.
    async with ready_database(settings) as ready:
        if isinstance(mailer, FolderMailer):
            _log.info("mails_go_to_a_folder", folder=str(mailer.folder), because="APEX_SMTP_URL is not set")
        # A granian each: one whose only process crashes twice in 5.5 s gives up, and would take the others with it.
        commands = [("web", web_command(ready))] * ready.workers + [("worker", worker_command())] * with_worker
        environment = environment_of(ready)
        running: Running = set()
        tasks = [partial(keep_running, *each, environment, running) for each in commands]
        if certificate is not None:
            tasks.append(partial(keep_renewed, certificate, running))
        async with in_background(*tasks):
            await until_ready(address_of(ready))
            yield ready


def address_of(settings: Settings) -> str:
    """Give the address to open in a browser."""
    scheme = "https" if settings.speaks_tls else "http"
    return f"{scheme}://{settings.host}:{settings.port}"


async def until_ready(address: str) -> None:
    """Return when `/ready` says so."""
    # Only whether our own process answers, on an address that its certificate need not name; nothing is told to it.
    async with httpx.AsyncClient(base_url=address, verify=False) as client:  # noqa: S501 # nosec B501
        with anyio.move_on_after(START_TIMEOUT_SECONDS):
            while True:
                try:
                    if (await client.get("/ready")).is_success:
                        return
                except httpx.TransportError:
                    pass
                await anyio.sleep(POLL_SECONDS)
    raise ServerNotAnswering(address, START_TIMEOUT_SECONDS)


def environment_of(settings: Settings) -> Mapping[str, str]:
    """Hand the settings as they turned out (the address of our own Postgres, the secret) to the processes."""
    fields = msgspec.structs.asdict(settings)
    known = {f"APEX_{name.upper()}": variable_of(value) for name, value in fields.items() if value is not None}
    return {"MALLOC_MMAP_THRESHOLD_": str(GIVEN_BACK_BYTES_MIN), **os.environ, **known, **shared_metrics(settings)}


def variable_of(value: object) -> str:
    """Write a setting as the environment has it."""
    return ",".join(value) if isinstance(value, tuple) else str(value)


def shared_metrics(settings: Settings) -> Mapping[str, str]:
    """Let several web processes keep their counters in files of one folder, so that `/metrics` of any tells of all."""
    if settings.workers == 1:
        return {}
    folder = settings.data_dir / "metrics"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return {"PROMETHEUS_MULTIPROC_DIR": str(folder)}


def check_port(settings: Settings) -> None:
    """Refuse a port in use: granian shares ports, so a stale server would go on answering behind the new one.

    Raises SettingsError.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            reason = f"cannot listen on {settings.host}:{settings.port}: {error.strerror}; choose another with --port"
            raise SettingsError("APEX_PORT", reason) from error


def web_command(settings: Settings) -> list[str]:
    """A web process: granian with one event loop; those of one server share the port."""
    return attached_command(
        *("granian", "apex_server.attached:create_attached_app", "--factory", "--interface", "asgi"),
        *("--host", settings.host, "--port", str(settings.port), "--workers", "1"),
        *("--http1-header-read-timeout", str(int(HEADERS_SECONDS_MAX * 1000))),
        *("--no-log", "--respawn-failed-workers", "--workers-kill-timeout", str(int(STOP_TIMEOUT_SECONDS))),
        *("--respawn-interval", str(RENEWAL_OVERLAP_SECONDS)),
        *tls_words(settings),
    )


def tls_words(settings: Settings) -> list[str]:
    """What a web process needs to speak TLS; nothing where it is not to."""
    certificate = certificate_files(settings)
    if certificate is None:
        return []
    files = ["--ssl-certificate", str(certificate.certificate), "--ssl-keyfile", str(certificate.key)]
    return [*files, "--ssl-protocol-min", "tls1.3"]


def worker_command() -> list[str]:
    """The job worker."""
    return attached_command("apex_server.cli", "worker")


async def keep_running(name: str, command: list[str], environment: Mapping[str, str], running: Running) -> None:
    """Start a process again whenever it ends, until cancelled; then stop it and wait for it."""
    while True:
        async with stopped_at_the_end(command, environment) as process:
            if name == "web":
                running.add(process)
            try:
                code = await in_a_thread(process.wait)
            finally:
                running.discard(process)
        _log.error("process_ended", process=name, exit_code=code)
        await anyio.sleep(RESTART_DELAY_SECONDS)


async def keep_renewed(certificate: CertificateFiles, running: Running) -> None:
    """Let web processes begin anew with each certificate that takes the place of the old, until cancelled.

    A new one is up before the old one ends, which answers what it has begun. A certificate that cannot be used is said
    once; the old one stays.
    """
    served = certificate.signature()
    while True:
        await anyio.sleep(CERTIFICATE_POLL_SECONDS)
        found = certificate.signature()
        if found is None or found == served:
            continue
        served = found
        try:
            certificate.take()
        except SettingsError as error:
            _log.error("certificate_not_renewed", reason=str(error))
            continue
        _log.info("certificate_renewed")
        for process in list(running):
            process.send_signal(signal.SIGHUP)


@asynccontextmanager
async def stopped_at_the_end(
    command: list[str], environment: Mapping[str, str]
) -> AsyncIterator[subprocess.Popen[bytes]]:
    """Run a process in a session of its own, so that Ctrl+C reaches it through us and in order."""
    process = start(command, environment)
    try:
        yield process
    finally:
        with anyio.CancelScope(shield=True):
            await in_a_thread(partial(stop, process))


def start(command: list[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a process."""
    return subprocess.Popen(command, env=dict(environment), start_new_session=True)  # noqa: S603 - our own command.


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_TIMEOUT_SECONDS)
    # A web process that lost its parent would go on answering on the shared port, beside the one started next.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


async def in_a_thread(call: Callable[[], T]) -> T:
    """Run what waits for a process; in a thread outside the shared limit, which a server of many would exhaust."""
    return await anyio.to_thread.run_sync(call, abandon_on_cancel=True, limiter=anyio.CapacityLimiter(1))
