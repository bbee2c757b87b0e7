"""A made-up Strong export for the demo: eleven weeks of believable training, always the same from one seed."""

import csv
from datetime import date
from pathlib import Path
from random import Random

from apex_sync.testing.training import sessions

WEEKS = 11
HEADER = (
    *("Date", "Workout Name", "Duration", "Exercise Name", "Set Order", "Weight", "Reps", "Distance", "Seconds"),
    *("Notes", "Workout Notes", "RPE"),
)


def write_sample_export(path: Path, random: Random, *, until: date) -> Path:
    """Write the export and give its path."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(HEADER)
        for session in sessions(random, until=until, weeks=WEEKS):
            counts: dict[str, int] = {}
            for performed in session.sets:
                counts[performed.exercise] = counts.get(performed.exercise, 0) + 1
                rows.writerow(
                    (
                        f"{session.start:%Y-%m-%d %H:%M:%S}", session.title, _duration(session.minutes),
                        performed.exercise, counts[performed.exercise], performed.load_kg, performed.reps,
                        0, 0, "", "", performed.rpe,
                    )
                )  # fmt: skip
    return path


def _duration(minutes: int) -> str:
    return f"{minutes // 60}h {minutes % 60}m" if minutes >= 60 else f"{minutes}m"
