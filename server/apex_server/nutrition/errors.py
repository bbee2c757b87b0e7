"""What only the endpoints of nutrition refuse."""

from collections.abc import Sequence
from dataclasses import dataclass

from apex_server.errors import ApiError
from apex_sync.coaching.meal_planning import Miss

__all__ = ["NoTargets", "TargetsNotMet"]


class NoTargets(ApiError):
    """Nobody has asked the athlete to eat anything in particular, and the request names no targets either."""

    status = 422
    code = "no_targets"
    title = "There are no targets to plan meals for."
    next_step = "Name 'targets', or set targets for the athlete first."


@dataclass(eq=False)
class TargetsNotMet(ApiError):
    """No choice of foods and portions comes within 5 % of the energy and 10 % of each macro."""

    misses: Sequence[Miss]

    status = 422
    code = "targets_not_met"
    title = "No meals were found that meet the targets."
    next_step = "Change what 'misses' names, leave out less, or ask for more meals a day."
