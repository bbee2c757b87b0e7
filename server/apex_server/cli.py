"""`apex-server`: run the server, or one part of it, and look after its data.

`serve` is all most people need: it starts Postgres (its own, or the one in APEX_DATABASE_URL), migrates it, and keeps
the web processes and one job worker running until it is stopped. Larger installations run the parts apart.

The commands for data find the Postgres of a server that is running by its data directory. Results go to the standard
output, everything about them to the standard error. Exit codes: 0 done, 1 not done or something is wrong, 2 misused.
"""

import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial, wraps
from pathlib import Path
from typing import Any

import anyio
import click
import msgspec

from apex_server.db import Database, DatabaseError, joined_database, ready_database, started_database
from apex_server.jobs.failures import list_failed_jobs
from apex_server.key_renewal import Renewals, ask_for_renewal, see_renewals
from apex_server.limits import TIERS, set_tier
from apex_server.logs import configure_logs
from apex_server.mail import list_held_mails
from apex_server.media import media_store_of
from apex_server.operations import ADVICE, OperationError, Verification, add_support, back_up, verify_media
from apex_server.operations import restore as restore_backup
from apex_server.operations import verify as verify_database
from apex_server.personal_data import BACKUPS_KEPT, prune_backups
from apex_server.serving import ServerNotAnswering, serving
from apex_server.settings import Settings, SettingsError
from apex_server.sync import begin_epoch, rebuild_projections
from apex_server.vault import (
    FileMasterKeys,
    VaultError,
    is_rotated,
    master_keys_of,
    new_master_key,
    rotate_master_key,
)

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
      apex-server backup monday.apexbackup
      apex-server verify
    """  # noqa: D301 - the backspace keeps the lines of the examples.


def reports_errors(command: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async command; an error somebody can mend is one line on standard error and exit code 1."""

    @wraps(command)
    def run(**options: Any) -> None:
        try:
            anyio.run(partial(command, **options))
        except (SettingsError, DatabaseError, OperationError, ServerNotAnswering, VaultError) as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:
            raise click.ClickException(
                f"{error.filename}: {error.strerror}" if error.filename else str(error)
            ) from error

    return run


@main.command()
@click.option("--host", help="Address to listen on; APEX_HOST, else 127.0.0.1.")
@click.option("--port", type=click.IntRange(0, 65_535), help="Port to listen on; APEX_PORT, else 8000.")
@click.option("--workers", type=click.IntRange(1, 64), help="Web processes; APEX_WORKERS, else 1.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="APEX_DATA_DIR, else ~/.local/share/apex-server.")
@click.option("--tls-cert", type=click.Path(path_type=Path), help="Certificate chain (PEM); APEX_TLS_CERTIFICATE.")
@click.option("--tls-key", type=click.Path(path_type=Path), help="Its private key (PEM); APEX_TLS_KEY.")
@reports_errors
async def serve(
    host: str | None,
    port: int | None,
    workers: int | None,
    data_dir: Path | None,
    tls_cert: Path | None,
    tls_key: Path | None,
) -> None:
    """Run everything: Postgres, the web processes, and a job worker.

    With a certificate and its key the server speaks TLS 1.3 itself, and takes a renewed one over within seconds.
    """
    settings = read_settings(
        host=host, port=port, workers=workers, data_dir=data_dir, tls_certificate=tls_cert, tls_key=tls_key
    )
    configure_logs(settings.log_level)
    async with serving(settings) as ready:
        click.echo(f"Apex Sync is served at {ready.page_url} (Ctrl+C stops it)")
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
    async with joined_database(read_settings()) as ready, Database.open(ready) as database:
        click.echo(f"{await rebuild_projections(database)} records projected anew")


@main.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--keys", type=click.Path(path_type=Path, dir_okay=False), help="The key file; apex-server.keys beside it."
)
@reports_errors
async def backup(file: Path, keys: Path | None) -> None:
    """Write everything to FILE, as it is at this moment. The server may go on serving meanwhile.

    FILE must not be there yet. What people wrote is in it sealed; the keys go to the file apex-server.keys beside it,
    which each backup replaces, and open with the master key alone. Photos and files are copied to the folder
    apex-server.media beside it, each once, unless they are in a bucket. Keep APEX_MASTER_KEY and APEX_SECRET (the files
    `master_key` and `secret` in the data directory) elsewhere.

    \b
    Examples:
      apex-server backup /backups/apex-$(date +%F).apexbackup
      APEX_DATABASE_URL=postgresql://… apex-server backup monday.apexbackup
    """  # noqa: D301 - as above.
    settings = read_settings()
    async with joined_database(settings, otherwise=started_database) as started:
        with progress("backing up") as told:
            manifest = await back_up(started, file, told, keys=keys)
    click.echo(f"{file}: {manifest.row_count:,} rows of {len(manifest.tables)} tables, epoch {manifest.epoch}")


@main.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--replace", is_flag=True, help="Destroy what the database has now.")
@click.option("--keys", type=click.Path(path_type=Path, dir_okay=False), help="The newest key file; beside FILE.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="APEX_DATA_DIR, else ~/.local/share/apex-server.")
@reports_errors
async def restore(file: Path, replace: bool, keys: Path | None, data_dir: Path | None) -> None:
    """Put a backup in the place of the database, whole or not at all, and begin a new epoch.

    The server must be stopped. A file that was cut or altered is refused before anything is touched. Devices offer
    again what they hold, so what was written after the backup comes back as far as any device has it.

    \b
    Examples:
      apex-server restore monday.apexbackup --replace

    A trial beside the real server, in a data directory of its own. Without APEX_MASTER_KEY and APEX_SECRET, first copy
    the files `master_key` and `secret` of the real one into it:

    \b
      install -D -m 600 ~/.local/share/apex-server/master_key /srv/apex-trial/master_key
      install -D -m 600 ~/.local/share/apex-server/secret /srv/apex-trial/secret
      apex-server restore monday.apexbackup --data-dir /srv/apex-trial
    """  # noqa: D301 - as above.
    async with started_database(read_settings(data_dir=data_dir)) as started:
        with progress("restoring") as told:
            restored = await restore_backup(started, file, keys=keys, replace=replace, told=told)
    manifest = restored.manifest
    click.echo(f"restored {manifest.row_count:,} rows as of {manifest.made_at:%Y-%m-%d %H:%M:%S} UTC")
    click.echo(f"epoch {restored.epoch.hex()} begins: start the server, and devices offer again what they hold")
    if restored.erased:
        click.echo(f"{restored.erased} people who were erased after the backup was made are not brought back")
    if restored.media_lacking:
        click.echo(
            f"warning: {restored.media_lacking} photos and files are neither in the store nor in apex-server.media "
            "beside the backup; apex-server verify names them",
            err=True,
        )
    if restored.foreign_mark:
        click.echo(
            "warning: the database that the backup is of keeps its photos and files here, too, so none without a row "
            f"are cleared up. If it is no more: rm {restored.foreign_mark}",
            err=True,
        )
    click.echo("accounts made after the backup are gone, and who renewed a session since signs in again")
    if not restored.same_secret:
        click.echo(
            "warning: APEX_SECRET is another one than when the backup was made. Put the old one in place before any "
            "device syncs: without it devices bring back only what they wrote themselves, and all sign in again",
            err=True,
        )


@main.command()
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object.")
@reports_errors
async def verify(as_json: bool) -> None:
    """Compute everything anew from the documents, and compare. Writes nothing; the server may go on serving.

    Photos and files are opened where they are kept; in a bucket, looked for.

    Exits 1 and lists what differs, with what to do about it.

    \b
    Examples:
      apex-server verify
      apex-server verify --json | jq .damages
    """  # noqa: D301 - as above.
    async with joined_database(read_settings()) as ready, Database.open(ready) as database:
        with progress("verifying") as told:
            found = await verify_database(database, told)
        with progress("opening media") as told:
            await verify_media(database, media_store_of(ready), found, told)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode({"sound": found.is_sound, **msgspec.to_builtins(found)})))
    else:
        show_verification(found)
    if not found.is_sound:
        sys.exit(1)


def show_verification(found: Verification) -> None:
    """Print a line for each check, and one for each damage."""
    for check, looked_at in found.looked_at.items():
        wrong = found.wrong[check]
        state = click.style("ok", fg="green") if not wrong else click.style(f"{wrong:,} wrong", fg="red", bold=True)
        click.echo(f"{check:<10} {looked_at:>12,}  {state}" + (f": {ADVICE[check]}" if wrong else ""))
    for damage in found.damages:
        where = " ".join(part for part in (damage.scope, damage.record_id) if part)
        click.echo(f"{damage.check}: {where + ': ' if where else ''}{damage.words}")
    unlisted = sum(found.wrong.values()) - len(found.damages)
    if unlisted:
        click.echo(f"and {unlisted:,} more")


@contextmanager
def progress(title: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar where somebody is looking; it is told how much is done, of how much."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    with click.progressbar(length=1, label=title, file=sys.stderr) as bar:

        def told(done: int, total: int) -> None:
            bar.length = max(total, 1)
            bar.update(done - bar.pos)

        yield told


@main.command()
@reports_errors
async def restored() -> None:
    """Say that the database was restored by other means than `restore` (pg_restore, a copy of the directory).

    Run it once, before the server serves again.

    It begins a new epoch. Every device then offers again what it holds, so whatever any of them has comes back.
    """
    async with ready_database(read_settings()) as ready, Database.open(ready) as database:
        click.echo(f"epoch {(await begin_epoch(database)).hex()} begins; start the server now")


@main.command("rotate-master-key")
@reports_errors
async def rotate() -> None:
    """Wrap the keys of all people under a new master key. The server may go on serving meanwhile.

    With the file `master_key` in the data directory it makes the new key by itself, as the file's first line; what
    stood there stays below it. With APEX_MASTER_KEY, that must be the new key and APEX_FORMER_MASTER_KEYS have the one
    before, in every process of the installation; with APEX_MASTER_KEY_FILE, its first line and the next. Run again
    after an interruption, it goes on where it was.

    Make a backup afterwards: its key file then opens with the new key, and the former one can go.
    """
    settings = read_settings()
    master_keys = master_keys_of(settings)
    async with joined_database(settings) as ready, Database.open(ready, master_keys=master_keys) as database:
        if await is_rotated(database.commit_connection, master_keys):
            if not isinstance(master_keys, FileMasterKeys):
                raise click.ClickException(
                    "everything is under APEX_MASTER_KEY already: put a new key there (openssl rand -base64 32), and "
                    "this one into APEX_FORMER_MASTER_KEYS, for all processes; then run this again. In the file that "
                    "APEX_MASTER_KEY_FILE names, they are the first line and the next"
                )
            master_keys.add(new_master_key())
        count = await rotate_master_key(database.commit_connection, master_keys)
    click.echo(f"{count:,} keys are wrapped under the master key {master_keys.current_id} now")


@main.command("renew-keys")
@click.argument("email", required=False)
@click.option("--older-than", "days", type=click.IntRange(0, 3650), default=365, show_default=True, help="Days.")
@click.option("--status", is_flag=True, help="Only tell how far all are.")
@reports_errors
async def renew(email: str | None, days: int, status: bool) -> None:
    """Give everybody whose data key is older than so many days another one; or only EMAIL, whatever its age.

    The worker does it while everybody goes on working: after a quarter of an hour the new key seals what is written,
    then everything is sealed with it, and ninety days later, if a backup was made since, the old one is destroyed.

    \b
    Examples:
      apex-server renew-keys                     whose key is older than a year
      apex-server renew-keys anna@example.com
      apex-server renew-keys --older-than 0      everybody
      apex-server renew-keys --status
    """  # noqa: D301 - as above.
    now = datetime.now(UTC)
    older_than = now if email is not None else now - timedelta(days=days)
    async with joined_database(read_settings()) as ready, Database.open(ready) as database:
        if not status:
            count = await ask_for_renewal(database, older_than=older_than, email=email, now=now)
            if count is None:
                raise click.ClickException(
                    f"nobody has an account with {email} and has opened the mail that confirms it"
                )
            click.echo(f"people who get another key: {count:,}; the worker sees to it")
        for line in described(await see_renewals(database)):
            click.echo(line)


STEPS = {
    "asked": "to get a new key",
    "announced": "to seal with it",
    "resealing": "to have everything sealed with it",
    "kept": "to lose former keys",
}
"""What comes next in a renewal, for `renew-keys`."""


def described(renewals: Renewals) -> Iterator[str]:
    """Say how far renewals are, and what waits for what."""
    for each in renewals.under_way:
        yield f"{STEPS[each.step]}: {each.people:,}, the next {minute(each.next_at)}"
        if each.without_backup:
            yield f"  {each.without_backup:,} of them wait for a backup from after that: apex-server backup FILE"
    if not renewals.under_way:
        yield "no renewal is under way"
    yield f"a data key was last renewed: {minute(renewals.renewed_at)}"
    yield f"the last backup: {minute(renewals.backed_up_at)}"


def minute(moment: datetime | None) -> str:
    """Write a moment for a terminal."""
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else "never"


@main.command("prune-backups")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--days", type=click.IntRange(1, 3650), default=BACKUPS_KEPT.days, show_default=True)
@reports_errors
async def prune(directory: Path, days: int) -> None:
    """Delete the backups in DIRECTORY that are older than they may be; the newest stays, whatever its age.

    The worker does the same once an hour where APEX_BACKUP_DIR is set.
    """
    for path in prune_backups(directory, datetime.now(UTC), timedelta(days=days)):
        click.echo(f"deleted {path}")


@main.command("failed-jobs")
@reports_errors
async def failed_jobs() -> None:
    """List the analyses and mails that failed for good, the newest first, with the reason."""
    async with joined_database(read_settings()) as ready, Database.open(ready) as database:
        jobs = await list_failed_jobs(database)
        mails = await list_held_mails(database)
    for job in jobs:
        click.echo(f"{job.failed_at:%Y-%m-%d %H:%M}  {job.about}  {job.reason}")
    for mail in mails:
        click.echo(f"{mail.failed_at:%Y-%m-%d %H:%M}  mail:{mail.purpose}:{mail.user_id or '?'}  {mail.failure}")
    if not jobs and not mails:
        click.echo("no job has failed")


@main.command("set-tier")
@click.argument("email")
@click.argument("tier", type=click.Choice([*TIERS, "default"]))
@reports_errors
async def give_tier(email: str, tier: str) -> None:
    """Put whoever has EMAIL into TIER, which says how much they may use; `default` is what their role has.

    \b
    Examples:
      apex-server set-tier anna@example.com coach_team
      apex-server set-tier anna@example.com default
    """  # noqa: D301 - as above.
    chosen = next((name for name in TIERS if name == tier), None)
    async with joined_database(read_settings()) as ready, Database.open(ready) as database:
        if await set_tier(database, email, chosen) is None:
            raise click.ClickException(f"nobody has an account with {email} and has opened the mail that confirms it")
    click.echo(f"{email}: {tier}; the server knows within a minute")


@main.command("add-support")
@click.argument("email")
@click.argument("name")
@reports_errors
async def make_support(email: str, name: str) -> None:
    """Make a support account for NAME at EMAIL, and print its first password, once.

    Support reads what a person has who consents to it, and writes nothing (docs/roles.md). Nobody registers as support,
    and nobody looks at anybody without a second factor.

    \b
    Example:
      apex-server add-support sam@example.com "Sam Porter"
    """  # noqa: D301 - as above.
    async with joined_database(read_settings()) as ready, Database.open(ready) as database:
        password = await add_support(ready, database, email, name)
        page = ready.page_url.rstrip("/") + "/security"
    click.echo(f"{email} may sign in. The first password, which stands nowhere else: {password}")
    click.echo("Before they can look at anybody, they")
    click.echo(f"  1. sign in at {page} and change that password;")
    click.echo("  2. set up a passkey or an authenticator app there: support reads nothing by a password alone;")
    click.echo("  3. sign in with it again. A look begins within 15 minutes of that, and lasts an hour at most.")


def read_settings(**given: Any) -> Settings:
    """Read the environment; what was given on the command line goes before it."""
    variables = {f"APEX_{name.upper()}": str(value) for name, value in given.items() if value is not None}
    return Settings.from_environment({**os.environ, **variables})


if __name__ == "__main__":
    main()
