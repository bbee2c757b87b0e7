"""No parameter of an address is ignored in silence: `?form=2026-03-01` would list everything, as if it had worked."""

from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler

from apex_server.errors import FieldError, InvalidFields

__all__ = ["guard_parameters", "parameter_names"]

API = "/api/"
"""Pages are reached by links of others, who put parameters of their own into them."""

NAMED_MAX = 20
"""Named in one refusal; whoever has more has one cause."""


def guard_parameters(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Return if all parameters of the query are the endpoint's. Raises InvalidFields with the nearest that is."""
    if not connection.query_params or not isinstance(handler, HTTPRouteHandler):
        return
    path = str(connection.scope.get("path_template", ""))
    if not path.startswith(API):
        return
    known = frozenset(parameter_names(handler, tuple(connection.path_params)).values())
    unknown = [name for name in dict.fromkeys(connection.query_params) if name not in known]
    if unknown:
        raise InvalidFields([FieldError(name, _words(name, known)) for name in unknown[:NAMED_MAX]])


def _words(name: str, known: frozenset[str]) -> str:
    if not known:
        return "is no parameter of this; it takes none"
    nearest = get_close_matches(name, known, n=1)
    if nearest:
        return f"is no parameter of this; did you mean `{nearest[0]}`?"
    return f"is no parameter of this; it takes {', '.join(sorted(known))}"


@cache
def parameter_names(handler: HTTPRouteHandler, in_path: tuple[str, ...]) -> Mapping[str, str]:
    """Name the parameters of the query that an endpoint and what it depends on read, by what code calls them."""
    model = handler.create_kwargs_model(path_parameters=dict.fromkeys(in_path))  # type: ignore[arg-type]
    return {parameter.field_name: parameter.field_alias for parameter in model.expected_query_params}
