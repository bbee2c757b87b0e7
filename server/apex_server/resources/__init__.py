"""Replicated records over REST, the same for every kind: reading by fold, writing as ops, versions, pages, provenance.

A slice names its collection, the shape people read and write and the list it gives, and inherits its endpoints from
`RecordController`. Whatever is written goes through `sync.Committer`, so a change made here reaches every device like
any other.
"""

from apex_server.resources.bodies import Described, described_as, list_body, object_body
from apex_server.resources.check_in_views import answered_questions, check_in_views, questionnaires_named
from apex_server.resources.controller import Asked, AthleteRecordController, RecordController
from apex_server.resources.encrypted_threads import encrypted_threads, keys_place
from apex_server.resources.errors import AlreadyExists, VersionRequired, VersionStale
from apex_server.resources.exercise_traits import library_for
from apex_server.resources.history import (
    body_weight_exercises_of,
    performed_sets_of_workouts,
    personal_records_of,
    trained_exercises_of,
)
from apex_server.resources.measurings import GIRTHS, body_weights_of, measurings_of, weigh_ins_of_rows
from apex_server.resources.merging import Draft, RecordMerger
from apex_server.resources.pages import PAGE_LENGTH_MAX, DayMark, IdMark, Mark, NameMark, PageMark, StampMark
from apex_server.resources.provenance import Origin, origins_of_clients, provenance_of
from apex_server.resources.reading import KnownRecord, moment_of, read_record, read_records, require_scope
from apex_server.resources.requests import FirstDay, LastDay
from apex_server.resources.thread_filings import thread_filings
from apex_server.resources.versions import etag_of
from apex_server.resources.views import placed, record_view, view_of_model
from apex_server.resources.weighing import WeighingWriter, weighed_draft
from apex_server.resources.writing import Made, RecordKind, RecordWriter

__all__ = [
    "GIRTHS",
    "PAGE_LENGTH_MAX",
    "AlreadyExists",
    "Asked",
    "AthleteRecordController",
    "DayMark",
    "Described",
    "Draft",
    "FirstDay",
    "IdMark",
    "KnownRecord",
    "LastDay",
    "Made",
    "Mark",
    "NameMark",
    "Origin",
    "PageMark",
    "RecordController",
    "RecordKind",
    "RecordMerger",
    "RecordWriter",
    "StampMark",
    "VersionRequired",
    "VersionStale",
    "WeighingWriter",
    "answered_questions",
    "body_weight_exercises_of",
    "body_weights_of",
    "check_in_views",
    "described_as",
    "encrypted_threads",
    "etag_of",
    "keys_place",
    "library_for",
    "list_body",
    "measurings_of",
    "moment_of",
    "object_body",
    "origins_of_clients",
    "performed_sets_of_workouts",
    "personal_records_of",
    "placed",
    "provenance_of",
    "questionnaires_named",
    "read_record",
    "read_records",
    "record_view",
    "require_scope",
    "thread_filings",
    "trained_exercises_of",
    "view_of_model",
    "weigh_ins_of_rows",
    "weighed_draft",
]
