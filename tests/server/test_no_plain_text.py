"""No column holds text of a person as it is: each column of text is named here, with what bounds what stands in it."""

import asyncpg
import pytest

pytestmark = pytest.mark.anyio

WORDS_OF_OURS = {
    "account_events.action", "account_events.actor_role", "address_letters.lane", "analyses_due.kind",
    "body_metrics.weight_unit", "check_ins.weight_unit", "client_files.status", "client_files.subscription_tier",
    "consents.kind", "data_keys.renewal", "dead_ops.code", "devices.kind", "dirty.kind", "exercises.movement_pattern",
    "foods.source",
    "insights.kind", "insights.priority", "insights.status", "insights.type", "insights.worded_by",
    "invites.letter",
    "logged_sets.failure_reason", "logged_sets.load_unit", "logged_sets.type", "mail_tokens.purpose",
    "mails.dropped_factors", "mails.failure", "mails.purpose", "meal_plans.status", "media.content_type", "media.kind",
    "media.refusal", "media.state", "messages.sender", "messages.type", "nightly.name", "profiles.load_unit",
    "profiles.recovery_status", "profiles.volume_tolerance", "programs.difficulty", "programs.intensity_zone",
    "programs.status", "programs.type", "programs.weekly_volume", "progress_photos.type", "records.collection",
    "schema_migrations.name", "server_keys.name", "sessions.end_reason", "used_budgets.budget", "user_tiers.tier",
    "users.role",
}  # fmt: skip
"""One of a few words that the server's own code or the models declare."""

IDS = {
    "consents.version", "data_keys.master_key_id", "foods.barcode", "insights.about_id", "insights.athlete_id",
    "insights.facts_digest", "insights.model_name", "insights.superseded_by", "logged_exercises.exercise_id",
    "logged_exercises.exercise_key", "logged_exercises.superset", "logged_sets.exercise_key", "logged_sets.set_key",
    "check_in_photos.media_id", "check_in_photos.photo_key", "messages.media_id", "messages.reply_to",
    "messages.thumbnail_media_id", "named_media.media_id", "profiles.avatar_media_id",
    "meal_plans.source_id", "media.digest", "media.handle", "media.media_id", "media.scope", "media_garbage.handle",
    "programs.source_id", "progress_photos.check_in_id", "progress_photos.media_id",
    "scheduled_sessions.session_key", "scopes.name", "server_keys.master_key_id", "support_looks.ticket",
    "workout_logs.program_id", "workout_logs.source",
}  # fmt: skip
"""What has the form of an id; in projections anything else is null or hashed (test_projections.py)."""

HASHES = {"users.password_hash"}

THE_QUEUES_OWN = {
    "pgqueuer.dedupe_key", "pgqueuer.entrypoint", "pgqueuer.headers", "pgqueuer.status", "pgqueuer_log.entrypoint",
    "pgqueuer_log.status", "pgqueuer_log.traceback", "pgqueuer_schedules.entrypoint", "pgqueuer_schedules.expression",
    "pgqueuer_schedules.status", "pgqueuer_statistics.entrypoint", "pgqueuer_statistics.status",
}  # fmt: skip
"""Jobs are made of ids; a traceback names what failed and no values."""


async def test_every_column_of_text_is_known_to_hold_none_of_a_person(database_url: str) -> None:
    owner = await asyncpg.connect(database_url)
    rows = await owner.fetch(
        "SELECT table_name || '.' || column_name AS named FROM information_schema.columns "
        "WHERE table_schema = 'public' AND data_type NOT IN ('uuid', 'bytea', 'boolean', 'smallint', 'integer', "
        "'bigint', 'date', 'double precision', 'interval', 'timestamp with time zone', 'timestamp without time zone')"
    )
    await owner.close()
    found = {row["named"] for row in rows}
    unknown = found - WORDS_OF_OURS - IDS - HASHES - THE_QUEUES_OWN
    assert not unknown, "seal it with the key of whoever it is about (docs/encryption.md), or say here what bounds it"
