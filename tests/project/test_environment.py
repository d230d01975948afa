from __future__ import annotations

import stat
from pathlib import Path

import pytest

from zupa_site.environment import ConfigurationError, Environment, LogFormat

PRODUCTION = {
    "ZUPA_ENV": "production",
    "ALLOWED_HOSTS": "zupa.example.org",
    "DATABASE_URL": "postgresql://zupa:pass@db.example.org/zupa",
    "SECRET_KEY": "Lq8-3kZt0xWv5nRb7yHc2mJd9fGs4pTu6aEi1oXr-QwNzVb_MhYk",
    "FIELD_ENCRYPTION_KEYS": "3JtGkZ6cX1v8b0nq5w2e7r4t9y6u3i0o1p5a8s7d4fA=",
}


def read(home: Path, **variables: str) -> Environment:
    return Environment.read({"ZUPA_HOME": str(home), **variables})


def refusal(home: Path, **variables: str) -> str:
    with pytest.raises(ConfigurationError) as refused:
        read(home, **variables)
    return str(refused.value)


def test_defaults_are_those_of_the_contract(tmp_path: Path) -> None:
    environment = read(tmp_path)
    assert (environment.port, environment.simulator_port, environment.workers) == (8000, 8090, 2)
    assert environment.embedded_database
    assert environment.openai_base_url == "http://127.0.0.1:8090/v1"
    assert environment.simulated_model
    assert environment.log_format is LogFormat.CONSOLE
    assert not environment.debug


def test_a_key_points_the_model_at_the_vendor(tmp_path: Path) -> None:
    environment = read(tmp_path, OPENAI_API_KEY="sk-1")
    assert environment.openai_base_url == "https://api.openai.com/v1"
    assert not environment.simulated_model


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ZUPA_ENV", "staging"),
        ("ZUPA_HOME", "relative/folder"),
        ("PORT", "eighty"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "²"),
        ("SIMULATOR_PORT", "-1"),
        ("SIMULATOR_PORT", "8000"),
        ("WORKERS", "0"),
        ("MAX_IN_FLIGHT", "1e3"),
        ("DEBUG", "yes please"),
        ("LOG_FORMAT", "xml"),
        ("PUBLIC_URL", "zupa.example.org"),
        ("OPENAI_BASE_URL", "ftp://model"),
        ("ALLOWED_HOSTS", "https://zupa.example.org"),
    ],
)
def test_a_wrong_value_is_named_with_its_variable(tmp_path: Path, variable: str, value: str) -> None:
    sentence = refusal(tmp_path, **{variable: value})
    assert variable in sentence
    assert sentence.endswith(".")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DATABASE_URL", "mysql://root:hunter2@db/zupa"),
        ("DATABASE_URL", "postgresql://zupa:hunter2@db"),
        ("DATABASE_URL", "postgresql://zupa:hunter2%@db/zupa"),
        ("SECRET_KEY", "hunter2"),
        ("FIELD_ENCRYPTION_KEYS", "hunter2"),
        ("SENTRY_DSN", "hunter2"),
        ("REDIS_URL", "http://:hunter2@redis"),
    ],
)
def test_a_wrong_secret_is_named_but_never_repeated(tmp_path: Path, variable: str, value: str) -> None:
    sentence = refusal(tmp_path, **{variable: value})
    assert variable in sentence
    assert "hunter2" not in sentence


def test_one_start_names_every_wrong_variable(tmp_path: Path) -> None:
    lines = refusal(tmp_path, PORT="x", WORKERS="y", LOG_FORMAT="z").splitlines()
    assert {line.split()[0] for line in lines} == {"PORT", "WORKERS", "LOG_FORMAT"}


def test_secrets_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    first, second = read(tmp_path), read(tmp_path)
    assert first.secret_key == second.secret_key
    assert first.field_encryption_keys == second.field_encryption_keys
    for name in ("secret_key", "field_encryption_keys"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_secrets_do_not_show_in_repr(tmp_path: Path) -> None:
    environment = read(tmp_path, OPENAI_API_KEY="hunter2", METRICS_TOKEN="hunter2")
    assert "hunter2" not in repr(environment)
    assert environment.secret_key not in repr(environment)


def test_production_accepts_a_complete_environment(tmp_path: Path) -> None:
    environment = read(tmp_path, **PRODUCTION)
    assert environment.public_url == "https://zupa.example.org"
    assert environment.log_format is LogFormat.JSON


@pytest.mark.parametrize("missing", ["ALLOWED_HOSTS", "DATABASE_URL", "SECRET_KEY", "FIELD_ENCRYPTION_KEYS"])
def test_production_refuses_a_missing_variable_by_name(tmp_path: Path, missing: str) -> None:
    variables = {name: value for name, value in PRODUCTION.items() if name != missing}
    assert refusal(tmp_path, **variables).startswith(f"{missing} is missing in production")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("variable", "value"), [("DEBUG", "1"), ("ALLOWED_HOSTS", "*")])
def test_production_refuses_what_is_only_for_development(tmp_path: Path, variable: str, value: str) -> None:
    assert refusal(tmp_path, **{**PRODUCTION, variable: value}).startswith(variable)
