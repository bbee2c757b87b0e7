"""How the cost of a save and a sync develops over long lives: `python -m benchmarks.long_lives`."""
