"""The one place that reads the process environment.

`Environment.read` checks every variable and either returns a frozen value or raises one `ConfigurationError`
with a sentence for each wrong variable: its name, its value (never a secret), and what to do.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from zupa_site import embedded_postgres

CHECKOUT = Path(__file__).resolve().parent.parent
OPENAI_URL = "https://api.openai.com/v1"
SIMULATOR_KEY = "simulator"
MIN_SECRET_LENGTH = 50
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")
HOST_NAME = re.compile(r"\*|\.?[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*|\[[0-9a-fA-F:]+\]")

E = TypeVar("E", bound=StrEnum)


class ConfigurationError(Exception):
    """Settings are wrong or missing; the text is one sentence for each, for the person who set them."""


class Name(StrEnum):
    DEVELOPMENT = "development"
    PRODUCTION = "production"


class Process(StrEnum):
    """What this process is; decides connection pooling and statement timeouts."""

    WEB = "web"
    WORKER = "worker"
    COMMAND = "command"


class LogFormat(StrEnum):
    CONSOLE = "console"
    JSON = "json"


@dataclass(frozen=True, kw_only=True)
class Environment:
    """All settings that come from outside. Secrets stay out of `repr`."""

    name: Name
    process: Process
    home: Path
    debug: bool
    host: str
    port: int
    simulator_port: int
    workers: int
    max_in_flight: int
    log_format: LogFormat
    public_url: str
    allowed_hosts: tuple[str, ...]
    openai_base_url: str
    embedded_database: bool
    database_url: str = field(repr=False)
    redis_url: str | None = field(repr=False)
    secret_key: str = field(repr=False)
    field_encryption_keys: tuple[str, ...] = field(repr=False)
    openai_api_key: str = field(repr=False)
    sentry_dsn: str | None = field(repr=False)
    metrics_token: str | None = field(repr=False)

    @property
    def production(self) -> bool:
        return self.name is Name.PRODUCTION

    @property
    def simulator_url(self) -> str:
        return f"http://127.0.0.1:{self.simulator_port}"

    @property
    def simulated_model(self) -> bool:
        """True when no key was given, so that the simulator plays the model."""
        return self.openai_api_key == SIMULATOR_KEY

    @classmethod
    def read(cls, variables: Mapping[str, str] = os.environ) -> Environment:
        source = _Source(variables)
        source.refuse_fault_points()
        environment = cls(
            name=source.name,
            process=source.choice("ZUPA_PROCESS", Process, Process.COMMAND),
            home=source.home,
            debug=source.debug(),
            host=source.host,
            port=source.port,
            simulator_port=source.simulator_port,
            workers=source.integer("WORKERS", 2, 1, 256),
            max_in_flight=source.integer("MAX_IN_FLIGHT", 100, 1, 10_000),
            log_format=source.choice("LOG_FORMAT", LogFormat, source.default_log_format),
            public_url=source.url("PUBLIC_URL", "http", "https") or source.default_public_url,
            allowed_hosts=source.allowed_hosts,
            openai_base_url=source.url("OPENAI_BASE_URL", "http", "https") or source.default_openai_base_url,
            embedded_database=not source.text("DATABASE_URL"),
            database_url=source.database_url(),
            redis_url=source.url("REDIS_URL", "redis", "rediss"),
            secret_key=source.secret_key(),
            field_encryption_keys=source.field_encryption_keys(),
            openai_api_key=source.openai_api_key,
            sentry_dsn=source.url("SENTRY_DSN", "http", "https"),
            metrics_token=source.text("METRICS_TOKEN") or None,
        )
        if source.refusals:
            raise ConfigurationError("\n".join(source.refusals))
        return environment


class _Source:
    """Reads single variables. A wrong value is noted in `refusals`, so that one start names them all."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self.variables = variables
        self.refusals: list[str] = []
        self.name = self.choice("ZUPA_ENV", Name, Name.DEVELOPMENT)
        self.production = self.name is Name.PRODUCTION
        self.home = self._home()
        self.host = self.text("HOST") or "127.0.0.1"
        self.port = self.integer("PORT", 8000, 1, 65535)
        self.simulator_port = self.integer("SIMULATOR_PORT", 8090, 1, 65535)
        if self.port == self.simulator_port:
            self.refuse(f"PORT and SIMULATOR_PORT are both {self.port}: give one of them another number.")
        self.allowed_hosts = self._allowed_hosts()
        self.openai_api_key = self.text("OPENAI_API_KEY") or SIMULATOR_KEY

    def refuse(self, sentence: str) -> None:
        self.refusals.append(sentence)

    @property
    def default_log_format(self) -> LogFormat:
        return LogFormat.JSON if self.production else LogFormat.CONSOLE

    @property
    def default_public_url(self) -> str:
        return f"https://{self.allowed_hosts[0]}" if self.production else f"http://{self.host}:{self.port}"

    @property
    def default_openai_base_url(self) -> str:
        return (
            f"http://127.0.0.1:{self.simulator_port}/v1"
            if self.openai_api_key == SIMULATOR_KEY
            else OPENAI_URL
        )

    def text(self, name: str) -> str:
        return self.variables.get(name, "").strip()

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        value = self.text(name)
        if not value:
            return default
        if re.fullmatch(r"[0-9]{1,9}", value) and low <= int(value) <= high:
            return int(value)
        self.refuse(
            f"{name} is {value!r}: give a whole number from {low} to {high}, or unset it to use {default}."
        )
        return default

    def choice(self, name: str, kind: type[E], default: E) -> E:
        value = self.text(name)
        if not value:
            return default
        if value in {member.value for member in kind}:
            return kind(value)
        expected = " or ".join(repr(member.value) for member in kind)
        self.refuse(f"{name} is {value!r}: give {expected}, or unset it to use {default.value!r}.")
        return default

    def url(self, name: str, *schemes: str) -> str | None:
        """A URL that may carry a secret, so a wrong one is not repeated in the error."""
        value = self.text(name).rstrip("/")
        if not value:
            return None
        with suppress(ValueError):
            parts = urlsplit(value)
            if parts.scheme in schemes and parts.hostname:
                return value
        expected = " or ".join(f"{scheme}://host" for scheme in schemes)
        self.refuse(f"{name} is not a URL: give one of the form {expected}, or unset it.")
        return None

    def refuse_fault_points(self) -> None:
        """The engine reads the variable itself, in its workers."""
        if self.text("ZUPA_KILL_AT") and self.production:
            self.refuse(
                "ZUPA_KILL_AT is set in production, where it would kill workers by purpose: unset it."
            )

    def debug(self) -> bool:
        value = self.text("DEBUG").lower()
        if value not in {"", "0", "1", "false", "true"}:
            self.refuse(f"DEBUG is {value!r}: give '0' or '1', or unset it to use '0'.")
        debug = value in {"1", "true"}
        if debug and self.production:
            self.refuse("DEBUG is on in production, where it would show secrets to visitors: unset it.")
        return debug

    def database_url(self) -> str:
        value = self.text("DATABASE_URL")
        form = "postgresql://user:password@host:5432/name"
        if not value and not self.production:
            return embedded_postgres.url(self.home)
        if not value:
            self.refuse(f"DATABASE_URL is missing in production: give your PostgreSQL as {form}.")
        elif not value.startswith(("postgresql://", "postgres://")) or not _names_a_database(value):
            self.refuse(
                f"DATABASE_URL does not read as {form}: correct it (special characters in the password are "
                "percent-encoded), or unset it in development to use the embedded database."
            )
        return value

    def secret_key(self) -> str:
        value = self.text("SECRET_KEY") or self._generated("SECRET_KEY", lambda: secrets.token_urlsafe(64))
        weak = len(value) < MIN_SECRET_LENGTH or len(set(value)) < 5 or value.startswith("django-insecure-")
        if value and weak:
            self.refuse(
                f"SECRET_KEY is too weak: give at least {MIN_SECRET_LENGTH} random characters, such as "
                "`python3 -c 'import secrets; print(secrets.token_urlsafe(64))'` prints."
            )
        return value

    def field_encryption_keys(self) -> tuple[str, ...]:
        """Newest first: the first encrypts, all of them decrypt."""
        name = "FIELD_ENCRYPTION_KEYS"
        value = self.text(name) or self._generated(name, lambda: Fernet.generate_key().decode())
        keys = tuple(key.strip() for key in value.split(",") if key.strip())
        wrong = [str(position) for position, key in enumerate(keys, start=1) if not _is_fernet_key(key)]
        if wrong:
            self.refuse(
                f"{name}: key {', '.join(wrong)} of {len(keys)} is no Fernet key (32 bytes in url-safe "
                "base64): give keys parted by commas, newest first."
            )
        return keys

    def _home(self) -> Path:
        value = self.text("ZUPA_HOME")
        home = Path(value).expanduser() if value else CHECKOUT / ".zupa"
        if not home.is_absolute():
            self.refuse(f"ZUPA_HOME is {value!r}, a relative path: give the whole path.")
            return home
        try:
            home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            self.refuse(
                f"ZUPA_HOME is {str(home)!r} and cannot be used ({error.strerror}): give a writable folder."
            )
        return home.resolve()

    def _allowed_hosts(self) -> tuple[str, ...]:
        hosts = tuple(host.strip() for host in self.text("ALLOWED_HOSTS").split(",") if host.strip())
        wrong = [host for host in hosts if not HOST_NAME.fullmatch(host)]
        if wrong:
            self.refuse(
                f"ALLOWED_HOSTS contains {wrong[0]!r}: give names parted by commas, without scheme and port, "
                "such as 'zupa.example.org'."
            )
        if self.production and "*" in hosts:
            self.refuse(
                "ALLOWED_HOSTS is '*' in production, which trusts any Host header: name your host names."
            )
        if self.production and not hosts:
            self.refuse(
                "ALLOWED_HOSTS is missing in production: give your host names, such as 'zupa.example.org'."
            )
        return hosts or LOOPBACK_HOSTS

    def _generated(self, name: str, generate: Callable[[], str]) -> str:
        """The secret kept in a file of `home`; made there at the first need, readable by its owner only."""
        if self.production:
            self.refuse(f"{name} is missing in production: give one, and keep it the same at every start.")
            return ""
        path = self.home / name.lower()
        try:
            if not path.exists():
                _publish(path, generate())
            return path.read_text().strip()
        except OSError as error:
            self.refuse(
                f"{name} cannot be kept in {path} ({error.strerror}): set {name}, or a writable ZUPA_HOME."
            )
            return ""


def _names_a_database(url: str) -> bool:
    try:
        return bool(conninfo_to_dict(url).get("dbname"))
    except ProgrammingError:
        return False


def _is_fernet_key(key: str) -> bool:
    try:
        Fernet(key)
    except ValueError:
        return False
    return True


def _publish(path: Path, secret: str) -> None:
    """Write `secret` unless another process was faster; no reader ever sees half a file."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    draft.touch(mode=0o600, exist_ok=False)
    draft.write_text(secret + "\n")
    with suppress(FileExistsError):
        path.hardlink_to(draft)
    draft.unlink()
