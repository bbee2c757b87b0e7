"""A corpus of crafted input: what an attacker would send, each with a name that says what is wrong with it.

`UPDATES` are bytes that no reader of records may take. `OPS` are op bytes that stand in a well-formed push and are
refused, each alone; `OBJECTIONABLE` are ops that only the judge refuses. `PUSHES` are well-formed pushes of client `ME`
that are not its own ops. `REQUESTS` and `RESPONSES` are messages that nobody can read, `asks` and `pushed_records` what
may stand in messages that can be read. `BOMBS` are bodies that unfold to far more than they are, and `NO_FRAMES` other
bodies that say they are zstd. Random fuzzing finds none of these; `mutations` goes on from them.
"""

from apex_sync.testing.hostile.messages import REQUESTS, RESPONSES, asks, pushed_records
from apex_sync.testing.hostile.mutations import Mutation, mutations
from apex_sync.testing.hostile.ops import OBJECTIONABLE, OPS
from apex_sync.testing.hostile.parts import GOOD, GOOD_OP, ME, OTHER
from apex_sync.testing.hostile.updates import PUSHES, UPDATES, VALID
from apex_sync.testing.hostile.zstd_frames import BOMBS, NO_FRAMES

__all__ = [
    "BOMBS",
    "GOOD",
    "GOOD_OP",
    "ME",
    "NO_FRAMES",
    "OBJECTIONABLE",
    "OPS",
    "OTHER",
    "PUSHES",
    "REQUESTS",
    "RESPONSES",
    "UPDATES",
    "VALID",
    "Mutation",
    "asks",
    "mutations",
    "pushed_records",
]
