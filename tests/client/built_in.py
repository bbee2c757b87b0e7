"""What a server puts into everybody's scope when it starts."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from apex_sync.coaching.exercise_library import BuiltinExercise, builtin_exercises
from apex_sync.coaching.food_library import BuiltinFood, builtin_foods
from apex_sync.document import Document
from apex_sync.op import Write, encode_op
from tests.client.loopback import LoopbackServer, Span, StoredRecord, StoredScope

LIBRARY: Mapping[str, Sequence[BuiltinExercise | BuiltinFood]] = {
    "exercises": builtin_exercises(),
    "foods": builtin_foods(),
}


def give_library(server: LoopbackServer, email: str, collection: str) -> None:
    """Put a built-in library into everybody's scope, and let somebody read it."""
    server.grants[server.accounts[email].id]["global"] = "reader"
    scope = server.scopes.setdefault("global", StoredScope())
    for each in LIBRARY[collection]:
        document = Document()
        leaves = {name: value for name, value in each.patch.items() if value is not None}
        document.append(7, encode_op([Write(server.now_us(), [], leaves)]))
        key = UUID(each.id).bytes
        stored = scope.records.setdefault(key, StoredRecord(collection))
        server._commit(scope, key, stored, document, [Span(0, 7, 0)])
