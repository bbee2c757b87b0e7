"""The command line as a whole: every command, in the order a newcomer meets them."""

from pathlib import Path
from typing import Annotated, Any

import typer
import typer.core

from apex_client.cli import (
    account,
    analytics,
    boxes,
    checkin,
    client,
    clients,
    doctor,
    encrypting,
    exercises,
    exporting,
    food,
    importing,
    insights,
    log,
    measuring,
    messages,
    organisation,
    photos,
    privacy,
    profile,
    program,
    querying,
    status,
    syncing,
    targets,
)
from apex_client.cli.examples import examples
from apex_client.cli.opening import NO_DB, Db, keyed_from_here, trust_from_here, use_from_here


class Apex(typer.core.TyperGroup):
    """The whole command line; it says how to write a word that begins with a minus, which is read as an option."""

    def invoke(self, ctx: Any) -> Any:
        """Run what was typed."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            option = getattr(error, "option_name", None)  # What Typer raises for it has no public name.
            if isinstance(option, str) and not option.startswith("--") and hasattr(error, "message"):
                error.message += " (a word that begins with a minus goes behind --)"
            raise


app = typer.Typer(
    cls=Apex,
    name="apex",
    help="Log training offline in one SQLite file, and sync it with an Apex Sync server.",
    epilog=examples(
        "apex import strong.csv --unit kg",
        'apex log set "Bench Press" 8x102.5kg@8',
        "apex register --server https://coach.example --email you@example.com --name Anna",
        "apex sync",
        'apex query "SELECT date, title, volume_load_kg FROM workout_logs"',
    ),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print("apex", version("apex-sync-client"))
        raise typer.Exit


@app.callback()
def _apex(
    db: Db = NO_DB,
    key_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", exists=True, dir_okay=False, help="The key of an encrypted replica; APEX_KEY_FILE."
        ),
    ] = None,
    ca_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="Trust the authorities in this PEM file alone; APEX_CA_FILE.",
        ),
    ] = None,
    insecure: Annotated[
        bool,
        typer.Option("--insecure", metavar="", help="Sync over plain http or old TLS, too; APEX_INSECURE=1."),
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", metavar="", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    use_from_here(db)
    keyed_from_here(key_file)
    trust_from_here(ca_file=ca_file, insecure=insecure)


for part in (
    account,
    log,
    analytics,
    checkin,
    measuring,
    profile,
    photos,
    importing,
    exercises,
    food,
    clients,
    client,
    program,
    targets,
    insights,
    messages,
    organisation,
    syncing,
    status,
    boxes,
    querying,
    exporting,
    encrypting,
    privacy,
    doctor,
):
    part.add_to(app)
