"""What the SDK has for each operation of the REST API, or why it has nothing; a test holds that none is forgotten.

`replica.request(method, path)` calls any of them as the signed-in user. A call of its own has what an app needs offline
or in a few words.
"""

from collections.abc import Iterator, Mapping

from apex_server.resources import RecordController

__all__ = ["proven_by", "sdk_call"]

RESOURCES: Mapping[str, str] = {"workout_logs": "workouts", "check_ins": "checkins", "progress_photos": "photos"}
"""Resources of the replica that are not called like their collection."""

RECORD_CALLS: Mapping[str, str] = {
    "list_records": "replica.{resource}.list()",
    "list_records_of_athlete": "replica.athlete(id).{resource}.list()",
    "get_record": "replica.{resource}.get(id)",
    "make_record": "replica.{resource}.create()",
    "replace_record": "record.edit()",
    "patch_record": "record.edit()",
    "delete_record": "record.delete()",
    "restore_record": "record.restore()",
}
"""What every kind of record has, by its handler."""

CALLS: Mapping[str, str] = {
    "POST /api/auth/register": "replica.register()",
    "POST /api/auth/login": "replica.login()",
    "POST /api/auth/login/mfa": "replica.finish_login()",
    "POST /api/auth/login/sms": "replica.send_mfa_code()",
    "POST /api/auth/logout": "replica.logout()",
    "POST /api/auth/refresh": "replica.sync()",
    "POST /api/auth/reauthenticate": "replica.reauthenticate()",
    "GET /api/clients": "replica.clients.list()",
    "POST /api/clients": "replica.clients.invite()",
    "GET /api/clients/invites": "replica.clients.invites()",
    "DELETE /api/clients/invites": "replica.clients.revoke_invites()",
    "DELETE /api/clients/invites/{invite_id}": "replica.clients.revoke_invite()",
    "POST /api/clients/import": "replica.clients.import_csv()",
    "GET /api/clients/{athlete_id}": "replica.clients.get(id)",
    "PUT /api/clients/{athlete_id}": "replica.athlete(id).client_file.edit()",
    "PATCH /api/clients/{athlete_id}": "replica.athlete(id).client_file.edit()",
    "DELETE /api/clients/{athlete_id}": "replica.athlete(id).client_file.edit()",
    "POST /api/clients/{athlete_id}/restore": "replica.athlete(id).client_file.edit()",
    "PUT /api/clients/{athlete_id}/status": "replica.athlete(id).client_file.edit()",
    "GET /api/clients/{athlete_id}/dashboard": "replica.clients.dashboard(id)",
    "GET /api/clients/{athlete_id}/timeline": "replica.clients.timeline(id)",
    "GET /api/checkins/pending": "replica.checkins.pending()",
    "POST /api/checkins/{checkin_id}/review": "check_in.review()",
    "GET /api/exercises/search": "replica.exercises.search()",
    "POST /api/workouts/bulk-sync": "replica.sync()",
    "GET /api/programs/templates": "replica.programs.templates()",
    "GET /api/programs/{program_id}/versions": "replica.programs.versions()",
    "GET /api/programs/{program_id}/versions/{stamp}": "replica.programs.as_of()",
    "POST /api/programs/{program_id}/clone": "replica.programs.clone()",
    "POST /api/programs/{program_id}/assign": "replica.programs.assign()",
    "POST /api/programs/{program_id}/loads": "replica.programs.resolve_loads()",
    "GET /api/progress/charts/{athlete_id}": "replica.athlete(id).body_metrics.trend()",
    "POST /api/progress/compare": "replica.photos.compare()",
    "POST /api/media": "replica.media.add()",
    "POST /api/messages/voice": "replica.messages.send_file()",
    "POST /api/messages/media": "replica.messages.send_file()",
    "PUT /api/media/uploads/{upload_id}/parts/{number}": "replica.sync()",
    "POST /api/media/uploads/{upload_id}/complete": "replica.sync()",
    "GET /api/media/{media_id}": "replica.media.save()",
    "GET /api/media/{media_id}/thumbnail": "replica.media.save()",
    "GET /api/nutrition/targets/{athlete_id}": "replica.athlete(id).nutrition_targets.list()",
    "PUT /api/nutrition/targets/{athlete_id}": "replica.athlete(id).nutrition_targets.create()",
    "GET /api/nutrition/foods/search": "replica.foods.search()",
    "POST /api/nutrition/foods/barcode": "replica.foods.with_barcode()",
    "POST /api/nutrition/plans/{plan_id}/assign": "replica.meal_plans.assign()",
    "POST /api/nutrition/meals/plan": "replica.meal_plans.plan()",
    "GET /api/insights": "replica.insights.list()",
    "GET /api/insights/client/{athlete_id}": "replica.athlete(id).insights.list()",
    "GET /api/insights/published": "replica.published_insights.list()",
    "GET /api/insights/{insight_id}": "replica.insights.get(id)",
    "PATCH /api/insights/{insight_id}": "record.edit()",
    "POST /api/insights/{insight_id}/approve": "replica.insights.approve()",
    "PUT /api/insights/{insight_id}/dismiss": "replica.insights.dismiss()",
    "GET /api/messages/threads": "replica.messages.threads()",
    "GET /api/messages/threads/{thread_id}": "replica.messages.list()",
    "PATCH /api/messages/threads/{thread_id}": "replica.messages.file()",
    "POST /api/messages": "replica.messages.send()",
    "PUT /api/messages/read": "replica.messages.read()",
    "PUT /api/messages/{message_id}/read": "message.read()",
    "PUT /api/messages/{message_id}/reactions": "message.react()",
    "DELETE /api/messages/{message_id}": "message.delete()",
    "GET /api/messages/unread": "replica.messages.unread()",
    "GET /api/consents": "replica.privacy.consents()",
    "PUT /api/consents": "replica.privacy.allow()",
    "POST /api/privacy/export": "replica.privacy.export()",
    "GET /api/privacy/exports": "replica.privacy.export()",
    "GET /api/privacy/exports/{export_id}/file": "replica.privacy.export()",
    "GET /api/privacy/deletion": "replica.privacy.deletion()",
    "POST /api/privacy/deletion": "replica.privacy.ask_for_deletion()",
    "DELETE /api/privacy/deletion": "replica.privacy.cancel_deletion()",
    "GET /api/analytics/dashboard": "replica.analytics.dashboard()",
    "GET /api/analytics/adherence": "replica.analytics.clients()",
    "GET /api/analytics/client/{athlete_id}": "replica.analytics.client(id)",
    "GET /api/analytics/volume/{athlete_id}": "replica.athlete(id).analytics.volume()",
    "GET /api/analytics/progression": "replica.analytics.progression()",
    "GET /api/analytics/export": "replica.analytics.export()",
    "GET /api/workouts/analytics": "replica.analytics.workouts()",
    "POST /api/sync": "replica.sync()",
}
"""What has a call of its own besides."""

APART: Mapping[str, str] = {
    "/api/auth/passkeys": "a browser holds passkeys: the page `/security`",
    "/api/auth/login/passkey": "a browser holds passkeys: the page `/security`",
    "/api/auth/mfa": "set up on the page `/security`",
    "/api/auth/change-": "done on the page `/security`, or `replica.request`",
    "/api/auth/": "done from a mail, in a browser, or `replica.request`",
    "/api/auth/me": "read by `replica.request`; `replica.user` knows it offline",
    "/api/devices": "looked after on the page `/security`, or `replica.request`",
    "/api/audit": "read by `replica.request`",
    "/api/limits": "read by `replica.request`",
    "/api/invites": "two people and a network are there: `replica.request`, or the page `/join`",
    "/api/clients": "the relation itself is the server's: `replica.request`",
    "/api/organisation": "the server's own: `replica.request`",
    "/api/support": "support has no replica",
    "/api/consents/messages/stop/": "done from a mail",
    "/api/checkins/{checkin_id}/ai-analyze": "the analysis runs by itself a minute after a sync: `replica.request`",
    "/api/insights/": "the analysis runs by itself a minute after a sync: `replica.request`",
    "/api/sync/": "what `replica.run()` listens to is the live channel beside it",
    "/health": "for whoever runs the server",
    "/ready": "for whoever runs the server",
}
"""Why the SDK has no call, by how an address begins; the longest beginning counts."""

TESTS: Mapping[str, str] = {
    "/api/auth/": "server/test_auth.py",
    "/api/auth/change-email": "server/test_email_change.py",
    "/api/auth/undo-email-change": "server/test_email_change.py",
    "/api/auth/forgot-password": "server/test_mailed_links.py",
    "/api/auth/reset-password": "server/test_mailed_links.py",
    "/api/auth/verify-email": "server/test_mailed_links.py",
    "/api/auth/resend-verification": "server/test_mailed_links.py",
    "/api/auth/refresh": "server/test_refresh.py",
    "/api/auth/reauthenticate": "server/test_step_up.py",
    "/api/auth/mfa": "server/test_second_factors.py",
    "/api/auth/login/mfa": "server/test_second_factors.py",
    "/api/auth/login/sms": "server/test_second_factors.py",
    "/api/auth/passkeys": "server/test_passkeys.py",
    "/api/auth/login/passkey": "server/test_passkeys.py",
    "/api/devices": "server/test_devices.py",
    "/api/audit": "server/test_audit_events.py",
    "/api/limits": "server/test_limits_http.py",
    "/api/invites": "server/test_invites.py",
    "/api/clients": "server/test_clients.py",
    "/api/clients/import": "server/test_client_import.py",
    "/api/clients/invites": "server/test_mailed_invites.py",
    "/api/clients/{athlete_id}/link": "server/test_invites.py",
    "/api/organisation": "server/test_organisations.py",
    "/api/support": "server/test_support.py",
    "/api/consents": "server/test_consents.py",
    "/api/consents/messages/stop": "server/test_unread_messages.py",
    "/api/privacy/export": "server/test_export.py",
    "/api/privacy/deletion": "server/test_erasure.py",
    "/api/workouts": "server/test_workouts_rest.py",
    "/api/workouts/bulk-sync": "server/test_bulk_sync.py",
    "/api/checkins": "server/test_checkins_rest.py",
    "/api/programs": "server/test_programs_rest.py",
    "/api/programs/{program_id}/assign": "server/test_program_assignment.py",
    "/api/programs/{program_id}/loads": "server/test_program_assignment.py",
    "/api/programs/{program_id}/versions": "server/test_program_versions.py",
    "/api/exercises": "server/test_record_resources.py",
    "/api/exercises/search": "server/test_exercise_search.py",
    "/api/insights": "server/test_insights.py",
    "/api/media": "server/test_media.py",
    "/api/messages": "server/test_messages_rest.py",
    "/api/progress": "server/test_progress_rest.py",
    "/api/progress/compare": "server/test_progress_photos.py",
    "/api/progress/photos": "server/test_progress_photos.py",
    "/api/nutrition": "server/test_nutrition_rest.py",
    "/api/nutrition/foods/search": "server/test_food_search.py",
    "/api/nutrition/meals": "server/test_meal_plans_rest.py",
    "/api/nutrition/plans": "server/test_meal_plans_rest.py",
    "/api/questionnaires": "server/test_questionnaires_rest.py",
    "/api/analytics": "server/test_analytics.py",
    "/api/workouts/analytics": "server/test_analytics.py",
    "/api/sync": "server/test_sync_http.py",
    "/api/sync/events": "e2e/test_live.py",
    "/health": "e2e/test_serve_command.py",
    "/ready": "e2e/test_serve_command.py",
}
"""What proves an endpoint, by how its address begins; the longest beginning counts."""


def sdk_call(operation: str) -> str | None:
    """Give what the SDK calls for `GET /api/workouts`, or why it calls nothing; None where nobody has said."""
    call = CALLS.get(operation) or _record_calls().get(operation)
    return f"`{call}`" if call else _of_longest_beginning(APART, operation.partition(" ")[2])


def proven_by(operation: str) -> str | None:
    """Give the file that proves an operation; None where nobody has said."""
    return _of_longest_beginning(TESTS, operation.partition(" ")[2])


def _of_longest_beginning(by_beginning: Mapping[str, str], path: str) -> str | None:
    fitting = [beginning for beginning in by_beginning if path.startswith(beginning)]
    return by_beginning[max(fitting, key=len)] if fitting else None


def _record_calls() -> dict[str, str]:
    """Give the calls of what controllers of records inherit."""
    calls = {}
    for controller in _controllers(RecordController):
        name = controller.kind.collection.name
        for handler in controller(None).get_route_handlers():  # type: ignore[arg-type]  # It is asked, not served.
            call = RECORD_CALLS.get(handler.handler_name)
            if call is not None:
                [path], [method] = handler.paths, handler.http_methods  # type: ignore[attr-defined]
                address = f"{controller.path}{path.rstrip('/')}".replace(":uuid}", "}")
                calls[f"{method} {address}"] = call.format(resource=RESOURCES.get(name, name))
    return calls


def _controllers(above: type[RecordController]) -> Iterator[type[RecordController]]:
    for below in above.__subclasses__():
        yield from _controllers(below)
        if hasattr(below, "kind"):
            yield below
