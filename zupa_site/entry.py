"""What every door into the program does first."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from zupa_site import embedded_postgres
from zupa_site.embedded_postgres import EmbeddedPostgresError
from zupa_site.environment import ConfigurationError, Environment

# `run` and `doctor` start the database themselves, after their own checks.
COMMANDS_WITHOUT_DATABASE = {"check", "collectstatic", "doctor", "help", "run", "translations", "version"}


@contextmanager
def plain_refusals() -> Iterator[None]:
    """A wrong setting ends the process with its sentence and code 2, not with a traceback."""
    try:
        yield
    except (ConfigurationError, EmbeddedPostgresError) as error:
        print(f"Zupa does not start.\n{error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        raise SystemExit(128 + signal.SIGINT) from None


def database_for(arguments: list[str]) -> AbstractContextManager[object]:
    """Keeps the embedded database running while a command of `manage.py` may need it."""
    if len(arguments) < 2 or arguments[1].startswith("-") or arguments[1] in COMMANDS_WITHOUT_DATABASE:
        return nullcontext()
    if {"-h", "--help"} & set(arguments):
        return nullcontext()
    environment = Environment.read()
    return embedded_postgres.in_use(environment.home) if environment.embedded_database else nullcontext()
