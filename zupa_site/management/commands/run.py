"""`make run`: everything on this machine, with the demo."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import sys
from contextlib import AbstractContextManager, nullcontext
from io import StringIO
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from zupa_site import embedded_postgres
from zupa_site.environment import CHECKOUT, ConfigurationError, Environment
from zupa_site.processes import Program, run_side_by_side, say


class Command(BaseCommand):
    help = "Start database, migrations, demo, simulator, worker and web. Ctrl-C stops all within 30 s."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        environment: Environment = settings.ZUPA
        if environment.production:
            raise ConfigurationError(
                "`run` is for development: in production start web and worker as compose.yaml does."
            )
        os.chdir(CHECKOUT)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        refuse_taken_ports(environment)
        with database(environment):
            where_to_click = prepare()
            ended = asyncio.run(
                run_side_by_side(
                    programs(environment), environment.home / "logs", lambda: say(where_to_click)
                )
            )
        if ended:
            raise CommandError(
                f"'{ended}' ended by itself, so all were stopped: read {environment.home}/logs/{ended}.log"
            )
        say("Stopped. Nothing is lost: `make run` goes on where this left off.")


def refuse_taken_ports(environment: Environment) -> None:
    """Before anything is started, so that nothing has to be undone."""
    wanted = [
        ("PORT", environment.host, environment.port),
        ("SIMULATOR_PORT", "127.0.0.1", environment.simulator_port),
    ]
    for variable, host, port in wanted:
        reason = _why_not_bound(host, port)
        if reason == errno.EADDRINUSE:
            raise ConfigurationError(
                f"{variable} is {port}, which another program uses: stop that one, or choose another port, "
                f"such as `{variable}={port + 1} make run`."
            )
        if reason:
            raise ConfigurationError(
                f"{variable} is {port}, which cannot be used on {host}: {os.strerror(reason)}."
            )


def _why_not_bound(host: str, port: int) -> int | None:
    """The errno of a bind that failed, or None."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.errno or errno.EINVAL
    return None


def database(environment: Environment) -> AbstractContextManager[object]:
    if not environment.embedded_database:
        return nullcontext()
    say("Starting PostgreSQL")
    return embedded_postgres.in_use(environment.home)


def prepare() -> str:
    """Migrate and seed; returns where to click and the demo's login."""
    for folder in ("logs", "media", "static"):
        (settings.ZUPA.home / folder).mkdir(exist_ok=True)
    say("Migrating")
    call_command("migrate", interactive=False, verbosity=0)
    say("Seeding the demo")
    where_to_click = StringIO()
    call_command("demo", stdout=where_to_click)
    connections.close_all()
    return f"\n{where_to_click.getvalue()}\nCtrl-C stops everything.\n"


def programs(environment: Environment) -> list[Program]:
    """In the order of starting; stopping goes backwards: the worker lands its flights while the rest answers.

    The times to stop add up to less than 30 s, with what PostgreSQL needs.
    """
    daphne = ("-m", "daphne", "-v", "0", "-b", environment.host, "-p", str(environment.port))
    return [
        Program(
            name="simulator",
            command=(sys.executable, "manage.py", "simulator"),
            stop_within_s=2,
            listens_at=("127.0.0.1", environment.simulator_port),
        ),
        Program(
            name="web",
            command=(sys.executable, *daphne, "zupa_site.asgi:application"),
            stop_within_s=2,
            listens_at=(environment.host, environment.port),
            variables={"ZUPA_PROCESS": "web"},
        ),
        Program(
            name="worker",
            command=(sys.executable, "manage.py", "worker"),
            stop_within_s=24,
            variables={"ZUPA_PROCESS": "worker"},
        ),
    ]
