"""What must hold within the data of a server at any moment, whatever was done to it."""

from apex_server.sync.projections import project
from apex_sync.digest import record_digest
from apex_sync.document import Document
from apex_sync.fold import fold
from apex_sync.models import COLLECTIONS
from apex_sync.wire import parse_document
from tests.simulation.memory_database import MemoryDatabase, MemoryRecord, ScopeContent


def assert_consistent(database: MemoryDatabase) -> None:
    """Hold rows, flags, digests, counts and the audit's clocks against what the documents say."""
    for scope, content in database.scopes.items():
        seqs = [record.stored.seq for record in content.records.values()]
        assert seqs == sorted(set(seqs)), f"{scope}: two records at one seq"
        assert (len(seqs), max(seqs, default=0)) == (content.record_count, content.seq), scope
        assert sum(record.stored.digest for record in content.records.values()) % 2**128 == content.digest, scope
        audited = clocks_by_record(content)
        for record_id, record in content.records.items():
            document = parse_document(record.stored.doc)
            assert_made_of(record_id, record, document)
            assert audited.pop(record_id) == document.next_clocks
        assert not audited


def assert_made_of(record_id: bytes, record: MemoryRecord, document: Document) -> None:
    """Hold a record against its document."""
    stored = record.stored
    assert stored.digest == record_digest(record_id, document)
    folded = fold(document.writes())
    read, problems = COLLECTIONS[stored.collection].read(folded.state)
    flags = bool(problems), bool(folded.conflicts), read.deleted is True
    assert (record.needs_review, record.has_conflicts, record.deleted) == flags
    assert record.rows == project(stored.collection, read)


def clocks_by_record(content: ScopeContent) -> dict[bytes, dict[int, int]]:
    """Sum up the audit: the next clock of each author of each record, every clock named exactly once."""
    clocks: dict[bytes, dict[int, int]] = {}
    for entry in content.audit:
        known = clocks.setdefault(entry.record_id, {})
        assert known.get(entry.client_id, 0) == entry.first_clock
        known[entry.client_id] = entry.next_clock
    return clocks
