"""What anglewise costs, beside its peers and beside itself: ``python -m benchmarks --help``.

A *room* asks one question and is one module; a *case* compares *alternatives* under equal conditions; every
alternative is timed by the one core in ``timing.py``.  How to run and read them: ``docs/reference/benchmarks.md``.
"""
