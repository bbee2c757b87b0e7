"""`apex-server`: run the server, or one part of it.

`serve` is all most people need: it starts Postgres (its own, or the one in APEX_DATABASE_URL), migrates it, and keeps
the web processes and one job worker running until it is stopped. Larger installations run the parts apart.
"""

import os
import signal
from collections.abc import Callable, Coroutine
from functools import partial, wraps
from pathlib import Path
from typing import Any

import anyio
import click

from apex_server.db import Database, DatabaseError, ready_database
from apex_server.jobs.failures import list_failed_jobs
from apex_server.logs import configure_logs
from apex_server.serving import ServerNotAnswering, address_of, serving
from apex_server.settings import Settings, SettingsError
from apex_server.sync import begin_epoch, rebuild_projections

__all__ = ["main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="apex-sync-server")
def main() -> None:
    """Merge what all devices wrote, project it into Postgres, analyse it for the coach.

    \b
    Examples:
      apex-server serve                          an own Postgres in ~/.local/share/apex-server
      apex-server serve --port 9000 --workers 4
      APEX_DATABASE_URL=postgresql://… apex-server serve
    """  # noqa: D301 - the backspace keeps the lines of the examples.


def reports_errors(command: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async command; an error somebody can mend is one line on standard error and exit code 1."""

    @wraps(command)
    def run(**options: Any) -> None:
        try:
            anyio.run(partial(command, **options))
        except (SettingsError, DatabaseError, ServerNotAnswering) as error:
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
    async with serving(settings) as ready:
        click.echo(f"Apex Sync is served at {address_of(ready)} (Ctrl+C stops it)")
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for _ in signals:
                break


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


@main.command()
@reports_errors
async def rebuild() -> None:
    """Make all relational rows anew from the documents. The server may go on serving meanwhile."""
    async with ready_database(read_settings()) as ready, Database.open(ready) as database:
        click.echo(f"{await rebuild_projections(database)} records projected anew")


@main.command()
@reports_errors
async def restored() -> None:
    """Say that the database was restored from a backup: run it once, before the server serves again.

    It begins a new epoch. Every device then offers again what it holds, so whatever any of them has comes back.
    """
    async with ready_database(read_settings()) as ready, Database.open(ready) as database:
        click.echo(f"epoch {(await begin_epoch(database)).hex()} begins; start the server now")


@main.command("failed-jobs")
@reports_errors
async def failed_jobs() -> None:
    """List the analyses that failed for good, the newest first, with the reason."""
    async with ready_database(read_settings()) as ready, Database.open(ready) as database:
        jobs = await list_failed_jobs(database)
    for job in jobs:
        click.echo(f"{job.failed_at:%Y-%m-%d %H:%M}  {job.about}  {job.reason}")
    if not jobs:
        click.echo("no job has failed")


def read_settings(**given: Any) -> Settings:
    """Read the environment; what was given on the command line goes before it."""
    variables = {f"APEX_{name.upper()}": str(value) for name, value in given.items() if value is not None}
    return Settings.from_environment({**os.environ, **variables})


if __name__ == "__main__":
    main()
