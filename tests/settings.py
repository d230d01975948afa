"""Zupa's settings in a home of the tests' own, so that no test touches a developer's data."""

import os

from zupa_site.environment import CHECKOUT

for name in ("ZUPA_ENV", "OPENAI_API_KEY", "OPENAI_BASE_URL", "SENTRY_DSN", "REDIS_URL", "DEBUG"):
    os.environ.pop(name, None)
os.environ["ZUPA_HOME"] = str(CHECKOUT / ".zupa" / "test")

(CHECKOUT / ".zupa" / "test" / "static").mkdir(parents=True, exist_ok=True)

from zupa_site.settings import *  # noqa: E402, F403 - reads what was set just above

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
INSTALLED_APPS = ["tests", *INSTALLED_APPS]  # noqa: F405 - its `flush` goes before Django's
