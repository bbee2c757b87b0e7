"""`apex-server`: run the server, or one part of it.

`serve` is all most people need: it starts Postgres (its own, or the one in APEX_DATABASE_URL), migrates it, and keeps
the web processes and one job worker running until it is stopped. Larger installations run the parts apart.
"""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from functools import partial, wraps
from pathlib import Path
from typing import Any, TypeVar

import anyio
import click
import msgspec

from apex_server.db import DatabaseError, ready_database
from apex_server.logs import configure_logs
from apex_server.settings import Settings, SettingsError

__all__ = ["main"]

STOP_TIMEOUT_SECONDS = 10.0
"""Time for requests under way; a commit takes milliseconds, a long pull seconds."""

RESTART_DELAY_SECONDS = 1.0
Result = TypeVar("Result")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="apex-sync-server")
def main() -> None:
    r"""Merge what all devices wrote, project it into Postgres, analyse it for the coach.

    \b
    Examples:
      apex-server serve                          an own Postgres in ~/.local/share/apex-server
      apex-server serve --port 9000 --workers 4
      APEX_DATABASE_URL=postgresql://… apex-server serve
    """


def reports_errors(command: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async command; an error somebody can mend is one line on standard error and exit code 1."""

    @wraps(command)
    def run(**options: Any) -> None:
        try:
            anyio.run(partial(command, **options))
        except (SettingsError, DatabaseError) as error:
            raise click.ClickException(str(error)) from error

    return run


@main.command()
@click.option("--host", help="Address to listen on; APEX_HOST, else 127.0.0.1.")
@click.option("--port", type=click.IntRange(0, 65_535), help="Port to listen on; APEX_PORT, else 8000.")
@click.option("--workers", type=click.IntRange(1, 64), help="Web processes; APEX_WORKERS, else 1.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="APEX_DATA_DIR, else ~/.local/share/apex-server.")
@reports_errors
async def serve(host: str | None, port: int | None, workers: int | None, data_dir: Path | None) -> None:
    """Run everything: Postgres, the web processes, and a job worker."""
    settings = read_settings(host=host, port=port, workers=workers, data_dir=data_dir)
    configure_logs(settings.log_level)
    check_port(settings)
    async with ready_database(settings) as ready:
        environment = environment_of(ready)
        click.echo(f"Apex Sync is served at http://{ready.host}:{ready.port} (Ctrl+C stops it)")
        await keep_running({"web": web_command(ready), "worker": worker_command()}, environment)


@main.command()
@reports_errors
async def migrate() -> None:
    """Bring the database to this version's schema, and stop."""
    async with ready_database(read_settings()):
        click.echo("the database is up to date")


@main.command()
@reports_errors
async def worker() -> None:
    """Run the jobs (analysis) of the database in APEX_DATABASE_URL."""
    from apex_server.jobs.worker import run_worker  # The web process never needs it.

    settings = read_settings()
    configure_logs(settings.log_level)
    await run_worker(settings)


def read_settings(**given: Any) -> Settings:
    """Read the environment; what was given on the command line goes before it."""
    variables = {f"APEX_{name.upper()}": str(value) for name, value in given.items() if value is not None}
    return Settings.from_environment({**os.environ, **variables})


def environment_of(settings: Settings) -> Mapping[str, str]:
    """Hand the settings as they turned out (the address of our own Postgres, the secret) to the processes."""
    fields = msgspec.structs.asdict(settings)
    known = {f"APEX_{name.upper()}": str(value) for name, value in fields.items() if value is not None}
    return {**os.environ, **known}


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
    """The web processes: granian, each with one event loop."""
    return [
        *(sys.executable, "-m", "granian", "apex_server.app:create_app", "--factory", "--interface", "asgi"),
        *("--host", settings.host, "--port", str(settings.port), "--workers", str(settings.workers)),
        *("--no-log", "--respawn-failed-workers", "--workers-kill-timeout", str(int(STOP_TIMEOUT_SECONDS))),
    ]


def worker_command() -> list[str]:
    """The job worker."""
    return [sys.executable, "-m", "apex_server.cli", "worker"]


async def keep_running(commands: Mapping[str, list[str]], environment: Mapping[str, str]) -> None:
    """Run the processes until SIGINT or SIGTERM; one that ends is started again after a second."""
    async with anyio.create_task_group() as tasks:
        for name, command in commands.items():
            tasks.start_soon(keep_one_running, name, command, environment)
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for _ in signals:
                tasks.cancel_scope.cancel()
                break


async def keep_one_running(name: str, command: list[str], environment: Mapping[str, str]) -> None:
    """Start a process again whenever it ends, until cancelled; then stop it and wait for it."""
    while True:
        with stopped_at_the_end(command, environment) as process:
            code = await anyio.to_thread.run_sync(process.wait, abandon_on_cancel=True)
        click.echo(f"the {name} process ended with code {code}; starting it again", err=True)
        await anyio.sleep(RESTART_DELAY_SECONDS)


@contextmanager
def stopped_at_the_end(command: list[str], environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process in a session of its own, so that Ctrl+C reaches it through us and in order."""
    process = subprocess.Popen(command, env=dict(environment), start_new_session=True)  # noqa: S603 - our own command.
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


if __name__ == "__main__":
    main()
