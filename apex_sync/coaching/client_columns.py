"""The columns of a file of athletes: what a coach may know of somebody before they come.

The server reads rows by this list, and the terminal prints it; so nobody has to look into the code for a name.
"""

from difflib import get_close_matches
from typing import Final, Literal, NamedTuple

__all__ = ["CLIENT_COLUMNS", "COLUMN_NAMES", "ClientColumn", "unknown_column"]

Part = Literal["invite", "profile", "file"]
Kind = Literal["text", "list", "number", "whole number"]


class ClientColumn(NamedTuple):
    """One column: where it goes, how it is read, what is allowed, and an example."""

    name: str
    part: Part
    kind: Kind
    about: str
    example: str


CLIENT_COLUMNS: Final = (
    ClientColumn("name", "invite", "text", "as you call them", "Anna Berg"),
    ClientColumn("email", "invite", "text", "where the invite is mailed", "anna@example.com"),
    ClientColumn("phone", "profile", "text", "at most 40 characters", "+49 170 1234567"),
    ClientColumn("date_of_birth", "profile", "text", "year-month-day", "1994-05-17"),
    ClientColumn("gender", "profile", "text", "male, female or other", "female"),
    ClientColumn("training_age_years", "profile", "number", "0 to 80", "4.5"),
    ClientColumn("goals", "profile", "list", "what they want", "Compete;Squat 140 kg"),
    ClientColumn("weak_points", "profile", "list", "what lags behind", "calves;rear delts"),
    ClientColumn("nutrition_habits", "profile", "text", "in your words", "skips breakfast"),
    ClientColumn("volume_tolerance", "profile", "text", "low, medium or high", "medium"),
    ClientColumn("recovery_status", "profile", "text", "excellent, good, fair or poor", "good"),
    ClientColumn("equipment", "profile", "list", "what they train with", "barbell;dumbbells"),
    ClientColumn("training_days_per_week", "profile", "whole number", "0 to 14", "4"),
    ClientColumn("session_duration_minutes", "profile", "whole number", "0 to 600", "75"),
    ClientColumn("check_in_day_number", "profile", "whole number", "1 (Monday) to 7", "7"),
    ClientColumn("target_weight_kg", "profile", "number", "kilograms", "62.5"),
    ClientColumn("height_cm", "profile", "number", "centimetres", "168"),
    ClientColumn("load_unit", "profile", "text", "kg or lb, for loads", "kg"),
    ClientColumn("status", "file", "text", "active, inactive, overdue or needs-attention", "active"),
    ClientColumn("subscription_tier", "file", "text", "premium, standard or basic", "premium"),
    ClientColumn("tags", "file", "list", "your own", "Prep;New Clients"),
    ClientColumn("notes", "file", "text", "yours alone", "is shy"),
)
"""In the order of a template. The parts of a list stand between semicolons."""

COLUMN_NAMES: Final = tuple(column.name for column in CLIENT_COLUMNS)


def unknown_column(name: str) -> str:
    """Say what is wrong with a column that there is not, and which one it may be.

    >>> unknown_column("heigth_cm")
    'is no column of an import: did you mean height_cm?'
    >>> unknown_column("wings")
    'is no column of an import'
    """
    near = get_close_matches(name.strip().lower().replace(" ", "_"), COLUMN_NAMES, n=1)
    return "is no column of an import" + (f": did you mean {near[0]}?" if near else "")
