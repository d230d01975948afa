"""What `manage.py doctor` looks at: a function for each thing that can be wrong, and what to do about it."""

from __future__ import annotations

import os
import platform
import shutil
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import httpx2
import redis
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor

from conversations.models import Agent, Channel
from pipeline.agents import Tool, registry
from pipeline.policies import worst_case
from pipeline.policies.calls import CALLS
from pipeline.queries import workers_alive
from zupa_site.environment import CHECKOUT, Environment
from zupa_site.refusals import demo_leftovers

TIMEOUT_S = 5.0
OLDEST_POSTGRES = 14
LITTLE_DISK_BYTES = 2 * 1024**3
NO_DISK_BYTES = 200 * 1024**2


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    name: str
    level: Level
    found: str
    advice: str = ""


@dataclass(frozen=True)
class Patient:
    """What is examined, and when."""

    environment: Environment
    now: datetime


Check = Callable[[Patient], Iterator[Finding]]


def diagnose(patient: Patient) -> list[Finding]:
    """All findings; without a database, those that need it are left out."""
    findings = [finding for check in CHECKS for finding in check(patient)]
    if not any(finding.name == "database" and finding.level is Level.FAIL for finding in findings):
        findings += [finding for check in DATABASE_CHECKS for finding in check(patient)]
    return findings


def settings_read(patient: Patient) -> Iterator[Finding]:
    """That they are right was checked when they were read; this says which are in force."""
    environment = patient.environment
    yield Finding("python", Level.OK, platform.python_version())
    yield Finding("ZUPA_ENV", Level.OK, environment.name)
    yield Finding("SECRET_KEY", Level.OK, "strong enough")
    yield Finding("FIELD_ENCRYPTION_KEYS", Level.OK, f"{len(environment.field_encryption_keys)} well formed")
    yield Finding("WORKERS", Level.OK, f"{environment.workers}, each {environment.max_in_flight} in flight")
    yield Finding(
        "SENTRY_DSN", Level.OK, "given" if environment.sentry_dsn else "not given: errors go to the log only"
    )


def home_folder(patient: Patient) -> Iterator[Finding]:
    home = patient.environment.home
    free = shutil.disk_usage(home).free
    found = f"{home}, {free / 1024**3:.1f} GiB free"
    if not os.access(home, os.W_OK):
        yield Finding(
            "ZUPA_HOME",
            Level.FAIL,
            f"{home} cannot be written",
            "Give this user the right, or another ZUPA_HOME.",
        )
    elif free < NO_DISK_BYTES:
        yield Finding("ZUPA_HOME", Level.FAIL, found, "Free some disk: PostgreSQL stops when it is full.")
    elif free < LITTLE_DISK_BYTES:
        yield Finding("ZUPA_HOME", Level.WARN, found, "Free some disk soon.")
    else:
        yield Finding("ZUPA_HOME", Level.OK, found)


def database(patient: Patient) -> Iterator[Finding]:
    kind = "embedded" if patient.environment.embedded_database else "yours"
    try:
        connection.ensure_connection()
    except Error as error:
        reason = str(error).strip().split("\n")[0]
        yield Finding("database", Level.FAIL, reason, "Start PostgreSQL, or correct DATABASE_URL.")
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version_num')::int / 10000")
        (major,) = cursor.fetchone()
    level = Level.OK if major >= OLDEST_POSTGRES else Level.FAIL
    yield Finding(
        "database",
        level,
        f"PostgreSQL {major}, {kind}",
        "" if level is Level.OK else f"Use {OLDEST_POSTGRES} or newer.",
    )


def ports(patient: Patient) -> Iterator[Finding]:
    environment = patient.environment
    wanted = (
        ("PORT", environment.host, environment.port),
        ("SIMULATOR_PORT", "127.0.0.1", environment.simulator_port),
    )
    for name, host, port in wanted:
        with socket.socket() as probe:
            probe.settimeout(TIMEOUT_S)
            used = probe.connect_ex((host, port)) == 0
        yield Finding(name, Level.OK, f"{port}, {'in use' if used else 'free'}")


def model(patient: Patient) -> Iterator[Finding]:
    """The model's own list of models: free of charge, and refused when the key is wrong."""
    environment = patient.environment
    name = "OPENAI_BASE_URL"
    headers = {"Authorization": f"Bearer {environment.openai_api_key}"}
    try:
        status = httpx2.get(
            f"{environment.openai_base_url}/models", headers=headers, timeout=TIMEOUT_S
        ).status_code
    except httpx2.HTTPError as error:
        found = f"{environment.openai_base_url} does not answer ({type(error).__name__})"
        if environment.simulated_model:
            yield Finding(
                name, Level.WARN, found, "The simulator starts with `make run`; or give OPENAI_API_KEY."
            )
        else:
            yield Finding(name, Level.FAIL, found, "Check OPENAI_BASE_URL and the way to it.")
        return
    found = f"{environment.openai_base_url} answers {status}"
    if status in {401, 403}:
        yield Finding(name, Level.FAIL, found, "OPENAI_API_KEY is refused: give a valid one.")
    else:
        yield Finding(name, Level.OK if status == 200 else Level.WARN, found)


def channel_layer(patient: Patient) -> Iterator[Finding]:
    url = patient.environment.redis_url
    if not url:
        yield Finding("REDIS_URL", Level.OK, "not given: PostgreSQL carries the live feed")
        return
    try:
        redis.Redis.from_url(url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S).ping()
    except redis.RedisError as error:
        yield Finding(
            "REDIS_URL", Level.FAIL, type(error).__name__, "Start Redis, correct REDIS_URL, or unset it."
        )
    else:
        yield Finding("REDIS_URL", Level.OK, "answers")


def files(patient: Patient) -> Iterator[Finding]:
    if not patient.environment.production:
        yield Finding("static files", Level.OK, "served from the sources")
    elif (settings.STATIC_ROOT / "staticfiles.json").exists():
        yield Finding("static files", Level.OK, str(settings.STATIC_ROOT))
    else:
        yield Finding("static files", Level.FAIL, "not collected", "`manage.py collectstatic --no-input`")
    compiled = (CHECKOUT / "locale" / "pt_BR" / "LC_MESSAGES" / "django.mo").exists()
    level, found = (Level.OK, "English, Brazilian Portuguese") if compiled else (Level.WARN, "English only")
    yield Finding("translations", level, found, "" if compiled else "`manage.py translations --compile`")


def migrations(_patient: Patient) -> Iterator[Finding]:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        yield Finding("migrations", Level.FAIL, f"{len(missing)} not applied", "`manage.py migrate`")
    else:
        yield Finding("migrations", Level.OK, "all applied")


def stored_secrets(_patient: Patient) -> Iterator[Finding]:
    try:
        read = len(Channel.objects.only("credentials"))
    except ImproperlyConfigured as error:
        yield Finding("stored secrets", Level.FAIL, str(error), "Put the former key behind the new one.")
    except Error:
        return
    else:
        yield Finding("stored secrets", Level.OK, f"{read} channels, all readable")


def worker(patient: Patient) -> Iterator[Finding]:
    try:
        alive = len(workers_alive(patient.now))
    except Error:
        return
    if alive:
        yield Finding("worker", Level.OK, f"{alive} processes alive")
    else:
        yield Finding(
            "worker",
            Level.WARN,
            "none alive",
            "Nothing is answered until `make run` or `manage.py worker` runs.",
        )


def call_times(_patient: Patient) -> Iterator[Finding]:
    """How long each kind of call can take at worst, by the policies."""
    for call, policy in CALLS.items():
        retry = policy.retry
        tries = f"{retry.attempts} x {policy.attempt_s:g} s, waits {retry.worst_wait_s:.0f} s"
        found = f"{worst_case.call_s(call):.0f} s ({tries})"
        asked_s = worst_case.asked_to_wait_s(call)
        asked = f"; {asked_s:.0f} s if it asks us to wait" if asked_s > worst_case.call_s(call) else ""
        yield Finding(f"worst {call}", Level.OK, found + asked)


def turn_times(_patient: Patient) -> Iterator[Finding]:
    """How long each agent's turn can take at worst, and whether its tools leave the model time to answer."""
    try:
        agents = list(Agent.objects.order_by("pk"))
    except Error:
        return
    for agent in agents:
        yield _turn_time(agent, registry.select(agent.allowed_tools))


def _turn_time(agent: Agent, tools: Sequence[Tool]) -> Finding:
    slowest_s = max((tool.timeout_s for tool in tools), default=0.0)
    iterations = agent.max_tool_iterations if tools else 0
    models = 2 if agent.fallback_model else 1
    time = worst_case.turn(tool_iterations=iterations, slowest_tool_s=slowest_s, models=models)
    found = f"{time.bounded_s:.0f} s at worst, by its deadline ({time.unbounded_s:.0f} s by its calls)"
    room_s = worst_case.room_for_tool_s()
    slow = ", ".join(f"{tool.name} ({tool.timeout_s:g} s)" for tool in tools if tool.timeout_s > room_s)
    if not slow:
        return Finding(f"turn of {agent}", Level.OK, found)
    advice = f"A turn has {room_s:g} s for its tools; these may take longer: {slow}. Lower their timeout_s."
    return Finding(f"turn of {agent}", Level.WARN, found, advice)


def demo(patient: Patient) -> Iterator[Finding]:
    if not patient.environment.production:
        return
    try:
        leftovers = demo_leftovers(patient.environment)
    except Error:
        return
    for leftover in leftovers:
        found, _, advice = leftover.partition(": ")
        yield Finding("demo", Level.FAIL, found, advice)


CHECKS: tuple[Check, ...] = (
    settings_read,
    home_folder,
    ports,
    model,
    channel_layer,
    files,
    call_times,
    database,
)
DATABASE_CHECKS: tuple[Check, ...] = (migrations, stored_secrets, worker, turn_times, demo)
