"""Who contributed what to a record: read from the fold, keyed as a reader looks things up.

A client id stands for one installation; whoever shows these things turns it into the name of a device.
"""

from collections.abc import Mapping

from apex_sync.fold import Claim, Fold

Path = tuple[str, ...]


def leaf_claims(fold: Fold) -> dict[Path, Claim]:
    """Give for every leaf of the state who wrote it, and when."""
    return dict(fold.claims())


def entry_contributors(claims: Mapping[Path, Claim], field: str) -> dict[str, tuple[int, ...]]:
    """Give for every entry of a map (`sets`) the clients whose writes stand in it, in the order they came to it.

    >>> claims = {("sets", "a", "reps"): Claim(8, 7, 20), ("sets", "a", "rpe"): Claim(9, 3, 10)}
    >>> entry_contributors(claims, "sets")
    {'a': (3, 7)}
    """
    found: dict[str, dict[int, int]] = {}
    for path, claim in claims.items():
        if len(path) > 2 and path[0] == field:
            first = found.setdefault(path[1], {})
            first[claim.client_id] = min(claim.hlc, first.get(claim.client_id, claim.hlc))
    return {key: tuple(sorted(clients, key=lambda client_id: clients[client_id])) for key, clients in found.items()}


def dotted(path: Path) -> str:
    """Write the path of a leaf as the APIs name it.

    >>> dotted(("sets", "k3f9", "reps"))
    'sets.k3f9.reps'
    """
    return ".".join(path)
