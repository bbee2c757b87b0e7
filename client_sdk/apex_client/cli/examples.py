"""Examples at the end of every help page."""


def examples(*lines: str) -> str:
    """Give the epilog of a command: each example on a line of its own, brackets without effect."""
    return "\n".join(["[dim]Examples[/]", *("  " + line.replace("[", "\\[") for line in lines)])
