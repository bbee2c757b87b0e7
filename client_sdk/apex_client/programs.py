"""Programs: a coach's templates, and what athletes follow.

template = await replica.programs.create(name="Base", duration_weeks=4)
program = await replica.programs.assign(template, athlete_id, start_date="2026-03-02")
"""

from collections.abc import Callable, Mapping
from datetime import date as Date
from typing import TYPE_CHECKING, Any, Self

from apex_client.records import LIST_MAX, Record, Records
from apex_client.views import Snapshot
from apex_sync.errors import OutOfBounds
from apex_sync.models import PROGRAMS, Program
from apex_sync.op import Patch

if TYPE_CHECKING:
    from apex_client.replica import Replica
    from apex_sync.coaching.program_changes import ProgramVersion
    from apex_sync.coaching.program_ends import EndedProgram


class ProgramRecord(Record[Program]):
    """One program; `edit(status="completed")` ends it today, unless it says when."""

    async def _edit(self, build: Callable[[Patch], Patch]) -> Self:
        from apex_sync.coaching.program_ends import completed_program

        today = self._replica._wall_clock(None)[:10]

        def completed(state: Patch) -> Patch:
            patch = build(state)
            if patch.get("status") != state.get("status"):
                _require_status(self.scope, patch.get("status"))
            _require_first_day(self.scope, patch, state)
            return completed_program(patch, PROGRAMS.read(state)[0], today)

        return await super()._edit(completed)


class AssignedProgram(ProgramRecord):
    """The copy that an athlete follows; `ended` are the programs that gave way to it with this call."""

    def __init__(self, replica: "Replica", snapshot: Snapshot, ended: "list[EndedProgram]") -> None:
        super().__init__(replica, snapshot)
        self.ended = ended


class Programs(Records[ProgramRecord]):
    """The programs of one athlete, or all that are on this replica."""

    def __init__(self, replica: "Replica", scope: str | None = None) -> None:
        super().__init__(replica, "programs", scope, handle=ProgramRecord)

    async def create(
        self, fields: Mapping[str, Any] | None = None, *, record_id: str | None = None, **more: Any
    ) -> ProgramRecord:
        """Make a template, or of an athlete what they follow; `program_drafts` holds what they do not see yet.

        What an athlete follows (`status="active"`) has a `start_date`. Raises OutOfBounds, ForbiddenField.
        """
        patch = {**(fields or {}), **more}
        _require_status(self._scope or "", patch.get("status"))
        _require_first_day(self._scope or "", patch, {})
        return await super().create(patch, record_id=record_id)

    async def templates(self, *, limit: int = 100) -> list[ProgramRecord]:
        """List the coach's templates, which nobody follows, by name."""
        return await self.query("scope LIKE 'coach:%' ORDER BY name, id", limit=limit)

    async def clone(self, program: Record[Program], *, name: str | None = None) -> ProgramRecord:
        """Make a template of the coach's from a program, as a draft: a copy without dates and athlete."""
        from apex_client import assigning

        return ProgramRecord(self._replica, await self._replica._do(assigning.clone, program.id, program.scope, name))

    async def versions(self, program: Record[Program], *, limit: int = 50) -> "list[ProgramVersion]":
        """List what a program was and what was changed in it, the latest first, as far as it is remembered.

        Edits of one device within ten minutes of each other are one version, which its `stamp` names.
        """
        from apex_client import program_history

        return await self._replica._do(program_history.versions_of, program.id, program.scope, min(limit, LIST_MAX))

    async def as_of(self, program: Record[Program], stamp: int) -> Program:
        """Read a program as it was in one of its versions. Raises NoSuchVersion, VersionFolded."""
        from apex_client import program_history

        return await self._replica._do(program_history.as_of, program.id, program.scope, stamp)

    async def assign(
        self,
        program: Record[Program],
        athlete_id: str,
        *,
        start_date: Date | str | None = None,
        end_date: Date | str | None = None,
        keep: bool = False,
    ) -> AssignedProgram:
        """Let an athlete follow a copy of a program; again from the same day it is the same one as it stands.

        Without a first day it is that of the program, and else the next Monday, or today if it is one: the athlete's
        day, by the clock they last trained by. From another day it is another copy.
        What they follow in the same days ends with it, unless `keep` is true, and stands in `ended`; a copy that was
        deleted or gave way to another comes back anew.
        Sets in per cent of the maximum get a load from the athlete's best sets of twelve weeks, as far as they are on
        this replica.
        """
        from apex_client import assigning

        assigned = await self._replica._do(
            assigning.assign,
            program.id,
            program.scope,
            athlete_id,
            start_date=self._replica._day(start_date),
            end_date=self._replica._day(end_date),
            today=self._replica._wall_clock(None)[:10],
            keep=keep,
        )
        return AssignedProgram(self._replica, *assigned)

    async def resolve_loads(
        self, program: Record[Program], *, maxima_kg: Mapping[str, float] | None = None, anew: bool = False
    ) -> ProgramRecord:
        """Give sets in per cent that have no load theirs, or with `anew` all, in sessions from today on.

        `maxima_kg` are maxima that the coach knows, by name or id of an exercise; else the athlete's best sets of
        twelve weeks count, as far as they are on this replica. Raises OutOfBounds.
        """
        from apex_client import assigning

        today = self._replica._wall_clock(None)[:10]
        snapshot = await self._replica._do(
            assigning.resolve_loads, program.id, program.scope, maxima_kg or {}, anew=anew, today=today
        )
        return ProgramRecord(self._replica, snapshot)


def _require_status(scope: str, status: Any) -> None:
    """Return where a program of a scope can have this status. Raises OutOfBounds."""
    from apex_sync.coaching.program_drafts import status_problem

    if problem := status_problem(scope, status):
        raise OutOfBounds(PROGRAMS.name, problem)


def _require_first_day(scope: str, patch: Patch, state: Patch) -> None:
    """Return where a program of a scope is not followed without a first day. Raises OutOfBounds."""
    from apex_sync.coaching.program_drafts import first_day_problem

    if problem := first_day_problem(scope, patch, state):
        raise OutOfBounds(PROGRAMS.name, problem)
