"""The API description: what the server says of itself at `/schema/openapi.json`, and the copy kept in `schemas/`.

The composition root passes TAGS and `use_handler_docstrings=True` to its OpenAPIConfig: what a handler says of itself
is what a reader of the description is told.
"""

import msgspec
from litestar import Litestar
from litestar.openapi.spec import Tag

__all__ = ["TAGS", "openapi_json"]

TAGS = [
    Tag("auth", "Accounts and sessions."),
    Tag("devices", "Where people are signed in."),
    Tag("clients", "A coach's athletes, and the invites by which they come."),
    Tag("organisation", "Owners who read along with several coaches."),
    Tag("consents", "What people have consented to, and since when."),
    Tag("privacy", "What was done with a person's data, a copy of all of it, and its end."),
    Tag("support", "Looks of support at people who have let them."),
    Tag("workouts", "What athletes really did. The same records that phone and watch hold, merged from all of them."),
    Tag("checkins", "The athletes' weekly reports, the coach's answers, and the approved analysis."),
    Tag("programs", "Templates, and the programs that athletes follow."),
    Tag("exercises", "The built-in library of exercises, and what coaches add to it."),
    Tag("progress", "Body metrics, and what they look like over time."),
    Tag("nutrition", "What athletes eat, what they are asked to eat, and the library of foods."),
    Tag("insights", "What the analysis found, for the coach to approve or dismiss."),
    Tag("sync", "The exchange of devices that hold replicas, over HTTP and live."),
    Tag("operation", "For whoever runs the server."),
]
"""What each group of endpoints is about, in the order in which they are shown."""


def openapi_json(app: Litestar) -> str:
    """Write the API description of an app as JSON: the same text for the same app, ending in a newline."""
    document = msgspec.json.encode(app.openapi_schema.to_schema(), order="deterministic")
    return msgspec.json.format(document, indent=2).decode() + "\n"
