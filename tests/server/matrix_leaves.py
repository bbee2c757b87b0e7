"""The matrix beneath the routes: who writes each leaf by sync, who is what in each scope, and whose rows a table shows.

A leaf, a kind of scope or a table that stands nowhere here fails the build.
"""

from collections.abc import Mapping

from tests.server.matrix_table import names

__all__ = ["LEAVES", "SCOPES", "TABLES"]

LEAVES: Mapping[str, Mapping[str, str]] = {
    "workout_logs": {
        "athlete coach": "program_id week_number day_number title date start_time end_time duration_minutes exercises "
        "sets fatigue pump mood notes completed source created_at deleted",
    },
    "check_ins": {
        "athlete": "date week_number weight_kg weight weight_unit body_fat_percent measurements photos responses notes "
        "questionnaire_id questionnaire submitted_at created_at deleted",
        "coach": "coach_feedback coach_reviewed reviewed_at reviewed_answers",
        "system": "ai_summary ai_recommendations ai_flags",
    },
    "programs": {
        "coach": "name description type difficulty start_date end_date duration_weeks status weekly_volume "
        "intensity_zone goals notes source_id weeks days exercises sets created_at deleted",
        "athlete": "athlete_feedback",
    },
    "exercises": {
        "coach system": "name aliases muscle_group secondary_muscles movement_pattern equipment laterality video_url "
        "thumbnail_url instructions coaching_cues created_at deleted",
    },
    "profiles": {
        "athlete coach": "name phone avatar_media_id date_of_birth gender training_age_years goals weak_points "
        "injuries nutrition_habits volume_tolerance recovery_status equipment training_days_per_week "
        "session_duration_minutes check_in_day_number target_weight_kg target_weight target_weight_unit "
        "height_cm height height_unit load_unit created_at deleted",
    },
    "client_files": {
        "coach": "status subscription_tier tags archived notes program_notes thread created_at deleted",
    },
    "body_metrics": {
        "athlete coach": "date measured_at weight_kg weight weight_unit body_fat_percent measurements source notes "
        "created_at deleted",
    },
    "progress_photos": {
        "athlete": "media_id content_type size_bytes width_px height_px type pose date taken_at check_in_id notes "
        "created_at deleted",
    },
    "nutrition_logs": {
        "athlete coach": "date meals foods notes created_at deleted",
    },
    "nutrition_targets": {
        "coach": "start_date energy_kcal protein_g carbs_g fat_g fiber_g notes created_at deleted",
    },
    "meal_plans": {
        "athlete coach": "name status start_date end_date notes source_id days meals foods created_at deleted",
    },
    "foods": {
        "athlete coach system": "name aliases category contains brand per_100g servings barcode source source_id "
        "created_at deleted",
    },
    "questionnaires": {
        "coach": "name description active questions created_at deleted",
    },
    "insights": {
        "coach": "dismissed_reason acted_at",
        "coach system": "title summary recommendations flags status",
        "system": "athlete_id kind about_id type priority suggested_actions reasoning facts rules findings "
        "facts_digest superseded_by worded_by model_name confidence expires_at created_at deleted",
    },
    "messages": {
        "coach": "coach",
        "athlete": "athlete",
        "system": "created_at deleted",
    },
    "device_keys": {
        "coach": "coach",
        "athlete": "athlete",
        "coach athlete": "encryption",
        "system": "created_at deleted",
    },
    "published_insights": {
        "system": "source_id type title summary recommendations flags published_at created_at deleted",
    },
}
"""Who writes each leaf of each collection. A leaf that stands nowhere here fails the build."""

SCOPES: Mapping[str, Mapping[str, str]] = {
    "athlete:{athlete}": {"athlete": "athlete", "own_coach": "coach", "owner": "reader"},
    "private:{coach}:{athlete}": {"own_coach": "coach", "owner": "reader"},
    "thread:{coach}:{athlete}": {"athlete": "athlete", "own_coach": "coach"},
    "coach:{coach}": {"own_coach": "coach", "owner": "reader"},
    "library:{coach}": {"own_coach": "coach", "athlete": "reader", "owner": "reader"},
    "global": dict.fromkeys(
        ("athlete", "other_athlete", "own_coach", "foreign_coach", "ex_coach", "owner", "foreign_owner"), "reader"
    ),
}
"""What everybody is in each scope that Anna has to do with; nobody else is anything there, support least of all."""

_TABLES_BY_READERS: Mapping[str, str] = {
    "athlete own_coach owner support": "users data_keys scopes records audit workout_logs logged_exercises logged_sets "
    "check_ins programs scheduled_sessions profiles body_metrics progress_photos nutrition_logs nutrition_targets "
    "meal_plans published_insights media check_in_photos foods",
    "own_coach owner": "insights exercises client_files questionnaires",
    "athlete own_coach": "devices client_ids messages",
    "athlete own_coach ex_coach owner": "coach_athletes",
    "athlete own_coach ex_coach": "account_events",
    "own_coach ex_coach": "invites",
    "athlete support": "consents support_looks",
    "athlete": "sessions refresh_tokens passkeys exports export_chunks phones totp_seeds recovery_codes "
    "account_deletions awaiting_invites email_changes mfa_challenges user_tiers",
    "": "analyses_due code_attempts dead_ops dirty erased_accounts event_chains mail_tokens mails media_garbage "
    "model_tokens nightly organisation_coaches organisation_invites organisations server_client_ids sms_sends "
    "worded_texts",
}

TABLES: Mapping[str, frozenset[str]] = {
    table: names(who) for who, tables in _TABLES_BY_READERS.items() for table in tables.split()
}
"""Who may find rows about Anna in a table when a query forgets its predicate. An ex-coach keeps what is their own: that
there was a relation, the invite they made, and their own account's events."""
