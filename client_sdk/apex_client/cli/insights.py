"""`apex insights`: what the analysis found; a coach reads, edits and approves drafts, an athlete reads what came of it.

All of it works offline: a decision goes up with the next sync, and the text comes to the athlete with theirs.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apex_client.cli.examples import examples
from apex_client.cli.failures import CommandFailed, WrongUsage
from apex_client.cli.opening import NO_DB, Db, opened, use_from_here
from apex_client.cli.screen import escaped, paragraphs, said, shown, table
from apex_client.cli.sessions import Whose, athlete_names, is_coach, records_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from apex_client.blocking import Replica
    from apex_client.blocking.insights import Insights
    from apex_client.blocking.records import Record
    from apex_sync.models import Insight

LISTED = 20

LOOKED_THROUGH_MAX = 1000
"""For the one that is meant, the latest first: more than a coach is told in a season."""

ID_LENGTH = 8
"""Characters of an id that tell these few apart."""

COLOURS = {"critical": "red", "high": "yellow", "medium": "white", "low": "dim"}

Named = Annotated[str, typer.Argument(metavar="INSIGHT", help="The beginning of what apex insights calls it.")]

group = typer.Typer(
    help="What the analysis found: a coach reads drafts and decides, an athlete reads what was approved.",
    epilog=examples(
        "apex insights",
        "apex insights show 3f9a1c20",
        'apex insights edit 3f9a1c20 --summary "Sleep more, then lift more."',
        "apex insights approve 3f9a1c20",
        'apex insights dismiss 3f9a1c20 --reason "He told me why."',
    ),
    rich_markup_mode="rich",
)


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(group, name="insights", rich_help_panel="Coaching")


@group.callback(invoke_without_command=True)
def _insights(
    context: typer.Context,
    everything: Annotated[
        bool, typer.Option("--all", metavar="", help="For a coach: those decided on, too, not drafts alone.")
    ] = False,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=LOOKED_THROUGH_MAX, help="How many.")] = LISTED,
    athlete: Whose = None,
    db: Db = NO_DB,
) -> None:
    if context.invoked_subcommand is not None:
        use_from_here(db)
        return
    with opened(db) as replica:
        if is_coach(replica):
            source = _of(replica, athlete)
            _list(source.list(status=None if everything else "draft", limit=limit), athlete_names(replica))
        else:
            _show_published(records_of(replica, athlete).published_insights.list(limit=limit))


@group.command(epilog=examples("apex insights show 3f9a1c20"))
def show(insight: Named, db: Db = NO_DB) -> None:
    """Show an insight with the facts behind it."""
    with opened(db) as replica:
        found = _named(replica, insight)
        whose = athlete_names(replica).get(found.get("athlete_id") or "", "?")
        said(f"[bold]{escaped(found.get('title') or '?')}[/]  {escaped(whose)}  {_priority(found)}, {_status(found)}")
        shown(_text_of(found))
        if facts := found.get("facts"):
            listed = table("fact", "what", "value", right=("value",))
            for fact in facts:
                value = fact.get("value")
                measured = f"{value:.10g} {fact.get('unit') or ''}" if isinstance(value, int | float) else value or ""
                listed.add_row(escaped(fact.get("id") or ""), escaped(fact.get("label") or ""), escaped(measured))
            shown(listed)
        if found.get("status") == "draft":
            said(f"[dim]to let them read it: apex insights approve {found.id[:ID_LENGTH]}[/]")


@group.command(epilog=examples("apex insights approve 3f9a1c20"))
def approve(insight: Named, db: Db = NO_DB) -> None:
    """Let the athlete read it; it reaches them with the next syncs, yours and theirs."""
    with opened(db) as replica:
        found = _undecided(replica, insight)
        replica.insights.approve(found)
        said(f"approved: {_called(replica, found)}; apex sync takes it along")


@group.command(epilog=examples("apex insights dismiss 3f9a1c20", 'apex insights dismiss 3f9a --reason "Known."'))
def dismiss(
    insight: Named,
    reason: Annotated[str | None, typer.Option(help="Why; it helps to tune the rules.")] = None,
    db: Db = NO_DB,
) -> None:
    """Put it aside; the athlete never sees it."""
    with opened(db) as replica:
        found = _undecided(replica, insight)
        replica.insights.dismiss(found, reason=reason)
        said(f"dismissed: {_called(replica, found)}")


@group.command(
    epilog=examples(
        'apex insights edit 3f9a1c20 --title "Short on sleep"',
        'apex insights edit 3f9a1c20 --advice "Lights out at ten." --advice "No coffee after two."',
    )
)
def edit(
    insight: Named,
    title: Annotated[str | None, typer.Option(help="In place of its title.")] = None,
    summary: Annotated[str | None, typer.Option(help="In place of its text.")] = None,
    advice: Annotated[
        list[str] | None, typer.Option("--advice", metavar="TEXT", help="In place of its advice; once for each.")
    ] = None,
    db: Db = NO_DB,
) -> None:
    """Put a draft into your own words before you approve it."""
    given = {"title": title, "summary": summary, "recommendations": advice or None}
    fields = {field: text for field, text in given.items() if text is not None}
    if not fields:
        raise WrongUsage("say what it is to be: --title, --summary or --advice")
    with opened(db) as replica:
        found = _undecided(replica, insight).edit(fields)
        said(f"saved: {_called(replica, found)}")
        shown(_text_of(found))


def _list(insights: "Sequence[Record[Insight]]", names: dict[str, str]) -> None:
    if not insights:
        said("nothing to decide on; those of before: apex insights --all")
        return
    listed = table("insight", "athlete", "priority", "what", "status")
    for each in insights:
        listed.add_row(
            each.id[:ID_LENGTH],
            escaped(names.get(each.get("athlete_id") or "", "?")),
            _priority(each),
            escaped(each.get("title") or "?"),
            _status(each),
        )
    shown(listed)
    said("[dim]read one: apex insights show INSIGHT[/]")


def _show_published(insights: "Sequence[Record[Any]]") -> None:
    if not insights:
        said("nothing yet: here stands what your coach approves of the analysis of your training")
        return
    blocks = [f"[bold]{escaped(each.get('title') or '?')}[/]  {_day(each)}\n{_text_of(each)}" for each in insights]
    shown("\n\n".join(blocks))


def _text_of(insight: "Record[Any]") -> str:
    advice = [f"- {each}" for each in insight.get("recommendations") or []]
    return paragraphs("\n".join(filter(None, [insight.get("summary") or "", *advice])))


def _named(replica: "Replica", named: str) -> "Record[Insight]":
    """Give the insight that is meant. Raises CommandFailed."""
    wanted = named.strip().casefold()
    if not is_coach(replica):
        raise CommandFailed("drafts are a coach's to read; what was approved is shown by apex insights")
    found = [each for each in replica.insights.list(limit=LOOKED_THROUGH_MAX) if wanted and each.id.startswith(wanted)]
    if len(found) != 1:
        raise CommandFailed(f"{named!r} is {'more than one' if found else 'none'} of them: apex insights --all")
    return found[0]


def _undecided(replica: "Replica", named: str) -> "Record[Insight]":
    """Give the draft that is meant. Raises CommandFailed."""
    found = _named(replica, named)
    if newer := found.get("superseded_by"):
        raise CommandFailed(f"a newer one has taken its place: apex insights show {newer[:ID_LENGTH]}")
    if found.get("status") != "draft":
        raise CommandFailed(f"it is {found.get('status')} already")
    return found


def _of(replica: "Replica", athlete: str | None) -> "Insights":
    if athlete is None:
        return replica.insights
    of_one: Insights = records_of(replica, athlete).insights  # type: ignore[attr-defined]
    return of_one


def _called(replica: "Replica", insight: "Record[Insight]") -> str:
    whose = athlete_names(replica).get(insight.get("athlete_id") or "", "?")
    return escaped(f"{insight.get('title') or '?'}, {whose}")


def _priority(insight: "Record[Insight]") -> str:
    priority = insight.get("priority") or ""
    return f"[{COLOURS.get(priority, 'white')}]{escaped(priority)}[/]"


def _status(insight: "Record[Insight]") -> str:
    status = insight.get("status") or ""
    decided = f" {_day_of(insight.get('acted_at'))}" if status in ("approved", "dismissed") else ""
    return escaped(f"{status}{decided}")


def _day(insight: "Record[Any]") -> str:
    return f"[dim]{_day_of(insight.get('published_at'))}[/]"


def _day_of(written: str | None) -> str:
    """Write the day of a moment; nothing where nobody can read it."""
    try:
        return f"{datetime.fromisoformat(written or ''):%Y-%m-%d}"
    except ValueError:
        return ""
