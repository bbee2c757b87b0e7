"""What a kind of record is: its fields, their types and bounds, and who may write each of them.

A collection is declared once, beside its model, and everything reads that one declaration: the SDK and REST check
values before they become ops, the server checks ops that arrive, JSON Schema and the docs are made from it.

A model is a `msgspec.Struct` whose fields are all optional (`Leaf[...] = UNSET`), because the same type describes a
whole record, a patch of one, and what is left after a partial merge. Lists of things are maps: `dict[str, Entry]`.

Meaning and permission are different. The *bounds* of a model (`ge`, `le`, `max_length`, enumerations) are what SDK and
REST insist on before a value becomes an op. An op that arrives by sync is held to the *types* alone (the model with its
bounds taken off), so that no edit of an older or newer app is lost; where only the bounds fail, the record is marked
`needs_review`.
"""

import types
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, TypeAlias, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from apex_sync.errors import FieldProblem, MalformedOp, OutOfBounds
from apex_sync.op import EXACT_INT, FINITE, Patch, check_patch
from apex_sync.problems import find_problems, problem_of

Value = TypeVar("Value")
Leaf: TypeAlias = Value | UnsetType | None
"""A register of a record: absent (`UNSET`), explicitly empty (`None`), or a value."""

EntryKey = Annotated[str, Meta(min_length=1, max_length=200)]
"""What a key of a map within a record may be at most, whoever wrote it: such keys stand in database indexes."""

Role = Literal["athlete", "coach", "system"]


class Entry(Struct, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """One thing in a map of a record (a set, an exercise): ordered by `order`, removed by `deleted`."""

    order: Leaf[Annotated[str, Meta(max_length=64)]] = UNSET
    deleted: Leaf[bool] = UNSET


class Record(Struct, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """The fields that every record has."""

    created_at: Leaf[Annotated[str, Meta(max_length=40)]] = UNSET
    deleted: Leaf[bool] = UNSET


class Collection(Struct, frozen=True, dict=True, kw_only=True):
    """The declaration of one kind of record.

    `writers` names the roles that may write a top-level field and everything beneath it; a field that is not named may
    be written by `default_writers`. `check` finds what types and bounds can't say (an end before its start).
    """

    name: str
    model: type[Record]
    scope_kinds: frozenset[str]
    default_writers: frozenset[Role]
    writers: Mapping[str, frozenset[Role]] = {}
    check: Callable[[Any], Iterable[FieldProblem]] = lambda state: ()
    version: int = 1

    @cached_property
    def loose_model(self) -> type[Record]:
        """The model with its bounds taken off and unknown fields let through; types stay."""
        loose: type[Record] = _loosened(self.model, {})
        return loose

    def read(self, state: Mapping[str, Any]) -> tuple[Record, list[FieldProblem]]:
        """Give the typed record of a folded state, with every bound it breaks, at most PROBLEMS_MAX.

        A state that breaks none and has no unknown fields is an instance of `model`; otherwise it is one of
        `loose_model`, with the same attributes. Total for every state made of accepted ops.
        """
        try:
            record: Record = msgspec.convert(state, self.model)
        except msgspec.ValidationError:
            loose: Record = msgspec.convert(state, self.loose_model)
            return loose, [*find_problems(state, self.model), *self.check(loose)]
        return record, list(self.check(record))

    def check_types(self, patch: Patch) -> FieldProblem | None:
        """Say what is mistyped in a patch that came by sync, or None."""
        try:
            msgspec.convert(patch, self.loose_model)
        except msgspec.ValidationError as error:
            return next(iter(find_problems(patch, self.loose_model, limit=1)), problem_of(error))
        return None

    def check_bounds(self, patch: Patch) -> None:
        """Refuse a patch that a person is about to make and that breaks a type or a bound, or that no op can hold.

        Raises OutOfBounds with the field and what it must be.
        """
        try:
            msgspec.convert(patch, self.model)
            check_patch(patch)
        except msgspec.ValidationError as error:
            problem = next(iter(find_problems(patch, self.model, limit=1)), problem_of(error))
            raise OutOfBounds(self.name, problem) from error
        except MalformedOp as error:
            problem = next(iter(find_problems(patch, self.loose_model, limit=1)), FieldProblem("", error.reason))
            raise OutOfBounds(self.name, problem) from error

    def forbidden_fields(self, patch: Patch, role: Role) -> list[str]:
        """List the top-level fields of a patch that this role may not write; of a newer server's role, all."""
        if patch.keys() <= self._writable.get(role, frozenset()):
            return []
        return sorted(field for field in patch if role not in self.writers.get(field, self.default_writers))

    @cached_property
    def _writable(self) -> dict[Role, frozenset[str]]:
        """Known fields by the role that may write them; unknown ones (a newer app's) fall to the default writers."""
        fields = self.model.__struct_fields__
        roles: tuple[Role, ...] = get_args(Role)
        return {
            role: frozenset(field for field in fields if role in self.writers.get(field, self.default_writers))
            for role in roles
        }


def _loosened(annotation: Any, done: dict[type, Any]) -> Any:
    """Rebuild a type without bounds: enumerations become text but for `True`, numbers only stay exact and finite."""
    if isinstance(annotation, type) and issubclass(annotation, Struct):
        if annotation not in done:
            hints = get_type_hints(annotation, include_extras=True)
            fields = [(name, _loosened(hint, done), UNSET) for name, hint in hints.items()]
            done[annotation] = msgspec.defstruct(
                f"Loose{annotation.__name__}", fields, omit_defaults=True, kw_only=True, module=annotation.__module__
            )
        return done[annotation]
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *metas = get_args(annotation)
        patterns = [Meta(pattern=meta.pattern) for meta in metas if isinstance(meta, Meta) and meta.pattern]
        loose = _loosened(inner, done)
        return Annotated[loose, patterns[0]] if patterns else loose
    if origin is Literal:
        return annotation if get_args(annotation) == (True,) else str
    if origin in (Union, types.UnionType):
        return Union[tuple(_loosened(arm, done) for arm in get_args(annotation))]  # noqa: UP007
    if origin is dict:
        _, value = get_args(annotation)
        return dict[EntryKey, _loosened(value, done)]  # type: ignore[misc]
    if origin is list:
        return list[_loosened(get_args(annotation)[0], done)]  # type: ignore[misc]
    if annotation is int:
        return Annotated[int, EXACT_INT]
    if annotation is float:
        return Annotated[float, FINITE]
    return annotation
