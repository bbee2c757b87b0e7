"""Sync on the server: judges what devices push, commits it scope by scope, and serves the feed of what is new.

| module | what it does |
|---|---|
| `routes`, `body` | `POST /api/sync`: bounded bodies in, messages out |
| `exchange` | answers one request: push, then pull |
| `commit`, `scope_commit` | the one write path, for devices and for the server itself |
| `judging` | decides, without I/O, what a proposed change does to one record |
| `projections`, `projection_tables` | what a record is in relational rows |
| `feed`, `cursors`, `repair` | what is new to a device, and where it differs |
| `receipts`, `identity` | what the server vouches for, and in which life of its data |
| `store` | the seam: what commit and feed need of a store |
| `postgres_commits`, `postgres_rows`, `save_one`, `copy_rows`, `postgres_feed` | that store, in Postgres |
| `rebuild`, `compacting`, `damage` | projections made anew; long histories made short; what does not open, found |
| `resealing` | everything of a scope sealed with the present key of its person |
"""

from apex_server.sync.commit import Committer, Pushed, Written
from apex_server.sync.compacting import compact_long_records
from apex_server.sync.damage import look_for_damage
from apex_server.sync.exchange import SyncExchange
from apex_server.sync.feed import Feed, Pulled
from apex_server.sync.identity import ServerIdentity, begin_epoch, load_identity
from apex_server.sync.postgres_commits import PostgresCommitStore
from apex_server.sync.postgres_feed import PostgresFeedStore
from apex_server.sync.rebuild import projections_are_current, rebuild_projections
from apex_server.sync.resealing import Resealed, seal_scope_anew, sealed_anew
from apex_server.sync.routes import sync_routes

__all__ = [
    "Committer",
    "Feed",
    "PostgresCommitStore",
    "PostgresFeedStore",
    "Pulled",
    "Pushed",
    "Resealed",
    "ServerIdentity",
    "SyncExchange",
    "Written",
    "begin_epoch",
    "compact_long_records",
    "load_identity",
    "look_for_damage",
    "projections_are_current",
    "rebuild_projections",
    "seal_scope_anew",
    "sealed_anew",
    "sync_routes",
]
