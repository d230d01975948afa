"""The collector of cyclic garbage stops the whole process while it looks; here it is told to look at less, less often.

It lies in the lowest app, since all processes use it.
"""

import gc

THRESHOLDS = (20_000, 20, 50)
"""Of the three generations. With Python's own, (700, 10, 10), the slowest answers wait for it: docs/performance.md."""


def keep_what_is_loaded() -> None:
    """What the process has loaded lives as long as it does, so the collector need not look at it again. Idempotent."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
