"""Drafts of programs and what is followed: an athlete sees what a coach wrote for them once it is assigned.

A draft is a record apart from what the athlete reads, and a record never changes scope; so it becomes theirs as a copy
and not by its status.
"""

from collections.abc import Mapping
from typing import Any

from apex_sync.errors import FieldProblem

PRIVATE_STATUSES = frozenset({"draft", "archived"})
"""What a program can be that its athlete does not see."""


def first_day_problem(scope: str, patch: Mapping[str, Any], state: Mapping[str, Any]) -> FieldProblem | None:
    """Tell what is wrong with what a program in a scope becomes by a patch: an active one that lacks its first day.

    Without it nothing is due, and nobody follows the program. None for a template or draft, and where the patch leaves
    status and first day as they stand: one that an old app synced can be edited.

    >>> first_day_problem("athlete:a", {"status": "active"}, {}).field
    'start_date'
    >>> first_day_problem("athlete:a", {"status": "active"}, {"start_date": "2026-03-02"})
    """
    after = {**state, **patch}
    is_changed = any(after.get(name) != state.get(name) for name in ("status", "start_date"))
    is_undated = after.get("status") == "active" and after.get("start_date") is None
    if scope.partition(":")[0] != "athlete" or not is_changed or not is_undated:
        return None
    return FieldProblem(
        "start_date", "Expected the first day of an active program: name it, or assign a template, which gives it one"
    )


def status_problem(scope: str, status: Any) -> FieldProblem | None:
    """Tell what is wrong with a status of a program in a scope; None where it can stand there.

    >>> status_problem("private:c:a", "active").field, status_problem("athlete:a", "active")
    ('status', None)
    """
    kind = scope.partition(":")[0]
    if kind == "athlete" and status == "draft":
        return FieldProblem(
            "status", "Expected no draft: the athlete reads this one; archive it, or clone it to work on"
        )
    if kind == "private" and status is not None and status not in PRIVATE_STATUSES:
        return FieldProblem("status", "Expected draft or archived: the athlete follows a copy once this is assigned")
    return None
