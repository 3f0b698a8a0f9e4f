"""What the golden flow costs beside the work that it cannot avoid: ``python -m benchmarks``.

Knows the players and the referee only from outside: their command lines, the journal, /proc. See README.md.
"""
