"""What production refuses to run with and only the database tells. Wrong variables: `environment.py`."""

from __future__ import annotations

from contextlib import suppress

from django.contrib.auth.models import User
from django.db import Error, connection

from conversations.models import Tenant
from zupa_site.demo import kept_secrets
from zupa_site.demo.seed import TENANT
from zupa_site.environment import ConfigurationError, Environment


def refuse_demo_in_production(environment: Environment) -> None:
    """For the doors that serve: web and worker. A database that is away is no reason to refuse."""
    if not environment.production:
        return
    with suppress(Error):
        leftovers = demo_leftovers(environment)
        connection.close()
        if leftovers:
            raise ConfigurationError("\n".join(leftovers))


def demo_leftovers(environment: Environment) -> list[str]:
    """A sentence for each thing of the demo still there. Its passwords lie readable in a file."""
    leftovers = [
        f"The user '{user.username}' has the demo's password: `manage.py changepassword {user.username}`."
        for user, password in _demo_logins(environment)
        if user.is_active and user.check_password(password)
    ]
    if Tenant.objects.filter(slug=TENANT).exists():
        leftovers.append(
            f"The demo tenant '{TENANT}' is in the database: give DATABASE_URL one never seeded with it."
        )
    return leftovers


def _demo_logins(environment: Environment) -> list[tuple[User, str]]:
    if not (environment.home / kept_secrets.FILE_NAME).exists():
        return []
    kept = kept_secrets.DemoSecrets.kept(environment.home)
    passwords = {
        "admin": kept.admin_password,
        "reviewer": kept.reviewer_password,
        "auditor": kept.auditor_password,
    }
    return [(user, passwords[user.username]) for user in User.objects.filter(username__in=passwords)]
