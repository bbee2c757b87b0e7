"""Drafts of programs: what a coach writes for one athlete is not seen by the athlete until it is assigned.

A draft is a record apart from what the athlete reads, and a record never changes scope; so it becomes theirs as a copy
and not by its status.
"""

from typing import Any

from apex_sync.errors import FieldProblem

PRIVATE_STATUSES = frozenset({"draft", "archived"})
"""What a program can be that its athlete does not see."""


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
