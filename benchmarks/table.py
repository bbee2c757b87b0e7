"""One row of the benchmark table, and the table itself, in Markdown for people and JSON for machines."""

from collections.abc import Iterable

from msgspec import Struct


class Row(Struct):
    """What was measured, beside the physical limit and the naive way in the same run.

    `budget` is worded as in the design; `kept` says whether it was kept, None where there is none.
    """

    work: str
    value: float
    unit: str
    limit: float | None = None
    naive: float | None = None
    budget: str = ""
    kept: bool | None = None


def markdown(rows: Iterable[Row]) -> str:
    """Write the table as it stands in docs/benchmarks.md."""
    lines = ["| work | measured | limit | naive | budget | kept |", "|---|---:|---:|---:|---|---|"]
    for row in rows:
        kept = {True: "yes", False: "**no**", None: ""}[row.kept]
        figures = (f"{_figure(row.value)} {row.unit}", _figure(row.limit), _figure(row.naive))
        lines.append("| " + " | ".join((row.work, *figures, row.budget, kept)) + " |")
    return "\n".join(lines) + "\n"


def _figure(number: float | None) -> str:
    if number is None:
        return ""
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:,.3g}"
