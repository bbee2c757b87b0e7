"""A failing run with everything taken out of it that it fails without."""

import re
from collections.abc import Callable, Iterable

from tests.simulation.plan import Plan


def shrunk(plan: Plan, fails: Callable[[Plan], bool]) -> list[int]:
    """Give the numbers of the steps of which none can be left out any more: halves first, then single steps."""
    kept = list(range(len(plan.steps)))
    size = len(kept)
    while size := size // 2:
        start = 0
        while start < len(kept):
            fewer = kept[:start] + kept[start + size :]
            if fails(plan.only(fewer)):
                kept = fewer
            else:
                start += size
    return kept


def kinds(failures: Iterable[str]) -> set[str]:
    """Tell kinds of failures apart, whatever ids and values they name: fewer steps may fail for another reason."""
    return {re.sub(r"\S*[\d{}\[\]]\S*", "", failure.strip().splitlines()[-1])[:80] for failure in failures}
