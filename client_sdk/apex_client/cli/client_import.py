"""What `apex clients import` says: row by row what would happen or did, and what to do next."""

import shlex
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from apex_client.cli import invites
from apex_client.cli.screen import counted, escaped, said, shown, table

if TYPE_CHECKING:
    from apex_client.standing import ImportProblem, ImportReport, PlannedInvite

__all__ = ["tell_done", "tell_plan"]

ROWS_SHOWN = 20
"""A screen's worth, of what is wrong first."""

LETTERS = {
    "none": "an invite, with a code that you tell them",
    "waiting": "an invite, with a letter to their address",
    "unconfirmed": "an invite; its letter waits until your own address is confirmed",
    "too_many": "an invite, without a letter: you wrote too many",
}


def tell_plan(report: "ImportReport", file: Path, *, all_rows: bool) -> None:
    """Say what would become of each row, those that are left out first."""
    left_out = _left_out(report)
    planned = [(each.row, each.name or "", _fate(each)) for each in report.planned]
    listed = [*left_out, *planned] if all_rows else [*left_out, *planned][:ROWS_SHOWN]
    rows = table("row", "athlete", "what would happen", right=("row",))
    for number, name, fate in listed:
        rows.add_row(str(number), escaped(name), escaped(fate))
    shown(rows)
    if more := len(left_out) + len(planned) - len(listed):
        said(f"[dim]and {counted(more, 'row')} more: --all lists them[/]")
    _tell_cut(report)
    left = report.rows - report.valid
    said(f"{counted(report.rows, 'row')}: {counted(report.valid, 'invite')} would be made, {left} left out")
    if report.replaced:
        said(f"{counted(report.replaced, 'open invite')} of before would be void, with the codes you told")
    said("[bold]dry run:[/] nothing was made")
    command = f"apex clients import {escaped(shlex.quote(str(file)))}"
    if report.valid:
        said(f"to invite {'them' if not left else 'those'}: {command} --invite")
    if left:
        said(f"to have the others, too, mend what is listed above in the file, and look again: {command}")


def tell_done(report: "ImportReport", *, all_rows: bool) -> None:
    """Say what became of each row: its code, or why it was left out."""
    left_out = _left_out(report)
    if left_out:
        wrong = table("row", "left out", right=("row",))
        for number, _, why in left_out if all_rows else left_out[:ROWS_SHOWN]:
            wrong.add_row(str(number), escaped(why))
        shown(wrong)
        if not all_rows and len(left_out) > ROWS_SHOWN:
            said(f"[dim]and {counted(len(left_out) - ROWS_SHOWN, 'row')} more: --all lists them[/]")
        _tell_cut(report)
    if report.invited:
        made = table("row", "athlete", "code to tell them", right=("row",))
        for each in report.invited:
            made.add_row(str(each.row), escaped(each.name or ""), each.invite.code)
        shown(made)
    left = report.rows - report.valid
    said(f"{counted(report.rows, 'row')}: {counted(len(report.invited), 'invite')} made, {left} left out")
    if report.replaced:
        said(f"{report.replaced} had an open invite under their address: the codes before are void")
    for letter in sorted(report.letters.keys() & invites.LETTERS.keys()):
        said(f"{counted(report.letters[letter], 'letter')} with the code, {letter}: {invites.LETTERS[letter]}")
    if report.invited:
        said("nobody can look these codes up again; what is open: apex clients invites")


def _left_out(report: "ImportReport") -> list[tuple[int, str, str]]:
    """Give the rows that are left out, each once, with all that is wrong in it."""
    by_row = groupby(report.problems, key=lambda problem: problem.row)
    return [(row, "", f"left out: {'; '.join(map(_wrong, problems))}") for row, problems in by_row]


def _wrong(problem: "ImportProblem") -> str:
    return f"{problem.field}: {problem.message}" if problem.field else problem.message


def _fate(planned: "PlannedInvite") -> str:
    fate = LETTERS.get(planned.letter, "an invite")
    return f"{fate}, in place of the open one" if planned.replaces else fate


def _tell_cut(report: "ImportReport") -> None:
    if report.more_problems:
        said("[dim]more is wrong than is listed here: mend these first[/]")
