"""Icons, and the mark of who logged a value: small pieces of HTML that stand on a page hundreds of times.

A page of twenty workouts holds some four hundred sets, each with its mark; as macros of a template these cost half of
the rendering, so they are made here, once each.
"""

from functools import lru_cache

from markupsafe import Markup

from apex_server.resources import Origin
from apex_server.web.wording import as_device

__all__ = ["icon", "origin_mark", "origin_name"]

MARKS_KEPT_MAX = 4096
"""About 400 bytes each: the devices of a thousand athletes."""

_ICON = Markup('<svg class="icon icon-{0}" aria-hidden="true"><use href="#icon-{0}"/></svg>')
_MARK = Markup('<span class="origin kind-{kind}" role="img" aria-label="from {name}" title="{name}">{icon}</span>')


@lru_cache
def icon(name: str) -> Markup:
    """Give one of the icons in `icons.html`."""
    return _ICON.format(name)


@lru_cache(MARKS_KEPT_MAX)
def origin_mark(origin: Origin) -> Markup:
    """Give the icon of who wrote something, with their name for whoever does not see or know it.

    >>> "from &lt;b&gt;" in origin_mark(Origin("phone", "<b>"))
    True
    """
    kind = as_device(origin.kind)
    return _MARK.format(kind=kind, name=origin_name(origin), icon=icon(kind))


def origin_name(origin: Origin) -> str:
    """Name a device, or the person who wrote through the server."""
    return f"{origin.user_name or 'Someone'}, on the web" if origin.kind == "server" else origin.name
