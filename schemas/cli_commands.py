"""Which `apex` command shows each kind of record and which writes it, or what a person does instead."""

from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["COMMANDS", "ByHand", "command_table"]


class ByHand(NamedTuple):
    """What there is at a terminal for a kind of record: a command as it is typed, or a reason that has no backtick."""

    shown: str
    written: str


COMMANDS: Mapping[str, ByHand] = {
    "workout_logs": ByHand("`apex log list`", "`apex log set`"),
    "check_ins": ByHand("`apex checkin`", "`apex checkin`"),
    "programs": ByHand("`apex program list`", "`apex program new`"),
    "exercises": ByHand("`apex exercises search`", "`apex exercises import`"),
    "profiles": ByHand("`apex profile`", "`apex profile set`"),
    "client_files": ByHand("`apex clients`", "`apex clients tag`"),
    "body_metrics": ByHand("`apex measure`", "`apex weigh`"),
    "progress_photos": ByHand("`apex photos list`", "`apex photos add`"),
    "nutrition_logs": ByHand("`apex food list`", "`apex food log`"),
    "nutrition_targets": ByHand("`apex targets`", "`apex targets set`"),
    "meal_plans": ByHand("`apex food plans`", "`apex food plan`"),
    "foods": ByHand("`apex food search`", "`apex food add`"),
    "questionnaires": ByHand("`apex checkin questions`", "a coach writes them with the SDK or over REST"),
    "insights": ByHand("`apex insights`", "`apex insights edit`"),
    "published_insights": ByHand("`apex insights`", "`apex insights approve`"),
    "messages": ByHand("`apex messages read`", "`apex messages send`"),
    "device_keys": ByHand("`apex messages safety`", "each device makes its own when it first syncs"),
}


def command_table() -> str:
    """Write the table of docs/sdk.md."""
    rows = (f"| `{name}` | {each.shown} | {each.written} |" for name, each in COMMANDS.items())
    return "| records | shown by | written by |\n|---|---|---|\n" + "\n".join(rows) + "\n"
