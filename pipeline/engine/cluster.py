"""The django-q2 cluster as the supervisor runs it: `python -m pipeline.engine.cluster`.

The supervisor holds the far end of a pipe. When that closes, because it wants to stop or because it died, the cluster
stops gracefully; what has not ended after the grace time is ended with its process group.
"""

import os
import signal
import threading
import time

GRACE_S = 22.0
NICENESS = 10
"""Where web and workers share a machine, workers give way: a platform's webhook is answered before its message is."""


def main() -> None:
    import django

    django.setup()
    from django_q.cluster import Cluster

    from pipeline.engine.executor import STOP_VARIABLE

    os.nice(NICENESS)  # before the cluster forks: its processes inherit it
    cluster = Cluster()
    cluster.start()
    descriptor = int(os.environ[STOP_VARIABLE])
    threading.Thread(target=_stop_on_close, args=(descriptor,), daemon=True).start()


def _stop_on_close(descriptor: int) -> None:
    os.read(descriptor, 1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_S)
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    main()
