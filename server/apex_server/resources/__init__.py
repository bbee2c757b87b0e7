"""Replicated records over REST, the same for every kind: reading by fold, writing as ops, versions, pages, provenance.

A slice names its collection and the shape people read and write; everything else is here. Whatever is written goes
through `sync.Committer`, so a change made here reaches every device like any other.
"""

from apex_server.resources.bodies import Described, described_as, list_body, object_body
from apex_server.resources.errors import AlreadyExists, VersionRequired, VersionStale
from apex_server.resources.history import personal_records_of
from apex_server.resources.merging import Draft, RecordMerger
from apex_server.resources.pages import PAGE_LENGTH_MAX, PageMark
from apex_server.resources.provenance import ConflictView, ContributionView, Origin, Provenance, provenance_of
from apex_server.resources.reading import KnownRecord, read_record, read_records, require_scope
from apex_server.resources.versions import etag_of, version_named, version_required
from apex_server.resources.writing import Made, RecordKind, RecordWriter

__all__ = [
    "PAGE_LENGTH_MAX",
    "AlreadyExists",
    "ConflictView",
    "ContributionView",
    "Described",
    "Draft",
    "KnownRecord",
    "Made",
    "Origin",
    "PageMark",
    "Provenance",
    "RecordKind",
    "RecordMerger",
    "RecordWriter",
    "VersionRequired",
    "VersionStale",
    "described_as",
    "etag_of",
    "list_body",
    "object_body",
    "personal_records_of",
    "provenance_of",
    "read_record",
    "read_records",
    "require_scope",
    "version_named",
    "version_required",
]
