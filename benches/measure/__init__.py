"""The measurements behind docs/performance.md; scripts/bench runs them.

Each file in `parts` measures one thing and returns its rows of the table. Servers run on one core and what asks them
on another (`machine`); what is compared takes turns (`rounds`); `report` and `plot` say what came of it. Standard
library only.
"""
