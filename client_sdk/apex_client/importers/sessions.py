"""The rows of a file gathered into sessions, exercises and sets, in one pass.

A session is one start and title (or one day). Within it an exercise begins anew where its name changes, where the set
numbers start again, and at a warm-up after a working set. A row that is skipped keeps its place among the sets of its
exercise, so the sets after it keep their keys when a later export has the row mended.
"""

from collections.abc import Iterable
from typing import Any

from msgspec import Struct, field

from apex_client.importers.layouts import Column, Layout
from apex_client.importers.moments import read_moment
from apex_client.importers.plan import REST_TIMER, ImportWarning, SkippedRow
from apex_client.importers.records import Record
from apex_client.importers.repair import EMPTY_ROW, repaired_cells
from apex_client.importers.row_values import RowValues
from apex_client.importers.sources import ROW_KINDS, SET_TYPES, RowKind
from apex_client.importers.values import NAME_LENGTH, SUPERSET_LENGTH, Unreadable, clean_text

SetLeaves = dict[str, Any]

SKIPPED_TEXT_LENGTH = 160


class Entry(Struct):
    """One exercise as done at one place of a session; `sets` holds None for a skipped row."""

    name: str
    occurrence: int
    superset: str = ""
    sets: list[SetLeaves | None] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    """The line of each row that was kept, sets and notes."""
    last_number: int | None = None


class Session(Struct):
    """One workout of the file, not yet judged."""

    date: str
    start: str | None
    title: str
    by_day: bool = False
    end: str = ""
    duration: str = ""
    notes: list[str] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    occurrences: dict[str, int] = field(default_factory=dict)

    @property
    def start_key(self) -> str:
        """The part of every id that says when: a file without session starts has one session a day."""
        return self.start if self.start and not self.by_day else self.date

    @property
    def rows(self) -> int:
        """How many rows of the file it keeps."""
        return sum(len(entry.lines) for entry in self.entries)

    @property
    def lines(self) -> tuple[int, int]:
        """The lines on which the first and the last row that it keeps begin."""
        lines = [line for entry in self.entries for line in entry.lines]
        return min(lines), max(lines)


class Label(Struct, frozen=True):
    """What a set number says: a number, a tag, or that the row is no set."""

    number: int | None = None
    type: str | None = None
    kind: RowKind = "set"
    unknown: str = ""


class Reading(Struct):
    """What one pass over a file found."""

    rows: int = 0
    sessions: dict[tuple[str, str], Session] = field(default_factory=dict)
    skipped: list[SkippedRow] = field(default_factory=list)
    warnings: list[ImportWarning] = field(default_factory=list)


class SessionReader:
    """Takes the rows of a file one by one."""

    def __init__(self, layout: Layout, values: RowValues) -> None:
        self.layout = layout
        self.values = values
        self.reading = Reading()
        self.width = layout.width
        self.start = _required_place(layout, "start")
        self.exercise = _required_place(layout, "exercise")
        self.title = layout.place("title")
        self.set_number = layout.place("set_number")
        self.superset = layout.place("superset")
        self.exercise_notes = layout.place("exercise_notes")
        self.session_cells = [
            column for column in layout.columns if column.meaning in ("session_notes", "duration", "end")
        ]
        self.known_sessions: dict[tuple[str, str], Session] = {}
        self.known_labels: dict[str, Label] = {}
        self.known_names: dict[str, str] = {}

    def read(self, records: Iterable[Record]) -> Reading:
        """Read every row, to the end of the file."""
        for record in records:
            self.reading.rows += 1
            if cells := self._cells(record):
                self._take(record.line, cells)
        return self.reading

    def _cells(self, record: Record) -> list[str] | None:
        """Give a row its due width, or account for it as skipped."""
        cells = record.cells
        if len(cells) == self.width and not record.damage and cells != self.layout.header:
            return cells
        repaired, remark = repaired_cells(record, self.layout)
        if repaired is None:
            self._skip(record.line, cells, remark)
        elif remark:
            self._warn(record.line, remark)
        return repaired

    def _take(self, line: int, cells: list[str]) -> None:
        label = self._label(cells)
        if label.kind == "rest":
            self._skip(line, cells, REST_TIMER)
            return
        session = self._session(line, cells)
        if session is None:
            return
        name = self._name(line, cells[self.exercise])
        if not name:
            self._skip(line, cells, "no exercise name")
            return
        leaves, problems = self.values.read(cells)
        if label.unknown and leaves.keys() == {"duration_seconds"}:
            # A tag in another language over seconds alone is a rest timer.
            self._skip(line, cells, REST_TIMER)
            return
        entry = _entry(session, name, label, cells[self.superset] if self.superset is not None else "")
        if self.exercise_notes is not None and (note := cells[self.exercise_notes]):
            _add_note(entry.notes, self._text(note))
        if label.kind == "note":
            entry.lines.append(line)
        else:
            self._take_set(line, cells, entry, label, leaves, problems)

    def _take_set(
        self, line: int, cells: list[str], entry: Entry, label: Label, leaves: SetLeaves, problems: list[str]
    ) -> None:
        """Keep a set with whatever of it can be kept; skip it only when that is nothing."""
        if problems and not leaves.keys() - {"type"}:
            entry.sets.append(None)
            self._skip(line, cells, "; ".join(problems))
            return
        if label.type:
            leaves["type"] = label.type
        if label.unknown:
            problems.append(f"set tag {label.unknown!r} is unknown; read as a working set")
        for problem in problems:
            self._warn(line, problem)
        entry.sets.append(leaves)
        entry.lines.append(line)

    def _session(self, line: int, cells: list[str]) -> Session | None:
        raw = cells[self.start], cells[self.title] if self.title is not None else ""
        session = self.known_sessions.get(raw)
        if session is None:
            try:
                session = self.known_sessions[raw] = self._new_session(line, *raw)
            except Unreadable as problem:
                empty = not any(map(str.strip, cells))
                self._skip(line, cells, EMPTY_ROW if empty else str(problem))
                return None
        for column in self.session_cells:
            if cell := cells[column.place]:
                self._take_session_cell(session, column, cell)
        return session

    def _new_session(self, line: int, start_cell: str, title_cell: str) -> Session:
        moment = read_moment(start_cell)
        title = self._name(line, title_cell)
        if not self.layout.source.by_day:
            return self.reading.sessions.setdefault(
                (moment.time or moment.date, title), Session(moment.date, moment.time, title)
            )
        session = self.reading.sessions.setdefault(
            (moment.date, ""), Session(moment.date, moment.time, "", by_day=True)
        )
        session.start = min(filter(None, (session.start, moment.time)), default=None)
        return session

    def _take_session_cell(self, session: Session, column: Column, cell: str) -> None:
        if column.meaning == "session_notes":
            _add_note(session.notes, self._text(cell))
        elif column.meaning == "duration":
            session.duration = session.duration or cell + (column.unit or "")
        else:
            session.end = session.end or cell

    def _text(self, cell: str) -> str:
        text = clean_text(cell)
        return text.replace("\\n", "\n") if self.layout.source.escapes_line_breaks else text

    def _name(self, line: int, cell: str) -> str:
        name = self.known_names.get(cell)
        if name is None:
            name = clean_text(cell)
            if len(name) > NAME_LENGTH:
                self._warn(line, f"a name of {len(name)} characters was cut to {NAME_LENGTH}")
            name = self.known_names[cell] = name[:NAME_LENGTH].rstrip()
        return name

    def _label(self, cells: list[str]) -> Label:
        if self.set_number is None:
            return _NO_LABEL
        cell = cells[self.set_number]
        label = self.known_labels.get(cell)
        if label is None:
            label = self.known_labels[cell] = read_label(cell)
        return label

    def _skip(self, line: int, cells: list[str], reason: str) -> None:
        text = self.layout.delimiter.join(cells).replace("\n", " ")
        self.reading.skipped.append(SkippedRow(line, reason, text[:SKIPPED_TEXT_LENGTH]))

    def _warn(self, line: int, reason: str) -> None:
        self.reading.warnings.append(ImportWarning(line, reason))


_NO_LABEL = Label()


def read_label(cell: str) -> Label:
    """Read a set number of Strong or Hevy.

    >>> read_label("W").type, read_label("Rest Timer").kind, read_label("3").number
    ('warmup', 'rest', 3)
    """
    text = cell.strip().casefold()
    if text.removesuffix(".0").isdecimal():
        return Label(number=int(text.removesuffix(".0")))
    if text in ROW_KINDS:
        return Label(kind=ROW_KINDS[text])
    if text in SET_TYPES:
        return Label(type=SET_TYPES[text])
    return Label(unknown=cell.strip()[:40])


def _required_place(layout: Layout, meaning: str) -> int:
    place = layout.place(meaning)
    assert place is not None, f"{layout.source.name} was recognised without {meaning}"  # noqa: S101
    return place


def _entry(session: Session, name: str, label: Label, superset: str) -> Entry:
    """Give the exercise that a row belongs to: the last one of the session, or a new one."""
    entry = session.entries[-1] if session.entries else None
    if entry is None or entry.name != name or _begins_anew(entry, label):
        occurrence = session.occurrences.get(name, 0)
        session.occurrences[name] = occurrence + 1
        entry = Entry(name, occurrence, superset_label(superset))
        session.entries.append(entry)
    if label.number is not None:
        entry.last_number = label.number
    return entry


def _begins_anew(entry: Entry, label: Label) -> bool:
    if entry.last_number is None:
        return False
    return label.type == "warmup" if label.number is None else label.number <= entry.last_number


def superset_label(cell: str) -> str:
    """Name a superset as lifters do.

    >>> superset_label("0"), superset_label("27"), superset_label("")
    ('A', '28', '')
    """
    text = cell.strip()
    if text.isdecimal() and len(text) < 6:
        number = int(text)
        return chr(ord("A") + number) if number < 26 else str(number + 1)
    return text[:SUPERSET_LENGTH]


def _add_note(notes: list[str], note: str) -> None:
    if note and note not in notes:
        notes.append(note)
