"""A failing run with everything taken out of it that it fails without."""

from collections.abc import Callable

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
