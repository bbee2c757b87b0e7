"""What only support accounts are refused."""

from apex_server.errors import Forbidden

__all__ = ["LookRequired", "SupportReadsOnly"]


class SupportReadsOnly(Forbidden):
    """Support changes nothing of anybody's and holds no copy of it."""

    code = "support_reads_only"
    title = "Support reads single things through the server, and writes nothing."
    next_step = "Tell the person what to change."


class LookRequired(Forbidden):
    """Support looks at one person at a time, who has consented, and says for which ticket."""

    code = "look_required"
    title = "You are not looking at anybody."
    next_step = "Begin a look at POST /api/support/looks; the person must have given support access."
