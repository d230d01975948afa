"""Django's settings. What comes from outside is read in `environment.py`; nothing here starts anything."""

from typing import Any

import django_stubs_ext
from django.utils.translation import gettext_lazy as _
from psycopg.conninfo import conninfo_to_dict

from audit.logs import configure as configure_logs
from zupa_site.environment import CHECKOUT, LOOPBACK_HOSTS, Environment, LogFormat, Process
from zupa_site.unfold import unfold

# Lets Django's classes be written as their types are: ModelAdmin[Turn], Paginator[Turn].
django_stubs_ext.monkeypatch()

ZUPA = Environment.read()

DEBUG = ZUPA.debug
SECRET_KEY = ZUPA.secret_key
# Probes on the same machine ask by its loopback address.
ALLOWED_HOSTS = [*ZUPA.allowed_hosts, *LOOPBACK_HOSTS]
ROOT_URLCONF = "zupa_site.urls"
ASGI_APPLICATION = "zupa_site.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LOGIN_URL = "admin:login"

INSTALLED_APPS = [
    "daphne",
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.simple_history",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "channels",
    "django_q",
    "simple_history",
    "csp",
    "ninja",
    "audit",
    "conversations",
    "pipeline",
    "review",
    "zupa_site",
]

MIDDLEWARE = [
    "audit.middleware.RequestIdMiddleware",
    "zupa_site.middleware.ApiErrors",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "zupa_site.middleware.AdminContentSecurityPolicy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [CHECKOUT / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# A statement that outlives these is a bug; migrations and other commands take the time they need.
STATEMENT_TIMEOUT_MS = {Process.WEB: 15_000, Process.WORKER: 60_000, Process.COMMAND: 0}
IDLE_IN_TRANSACTION_TIMEOUT_MS = 60_000


def database(environment: Environment) -> dict[str, Any]:
    """One connection pool in the web process; elsewhere plain connections, as pools do not survive a fork."""
    target = conninfo_to_dict(environment.database_url)
    pooled = environment.process is Process.WEB
    options: dict[str, Any] = {
        "connect_timeout": 5,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "application_name": f"zupa-{environment.process}",
        "options": (
            f"-c statement_timeout={STATEMENT_TIMEOUT_MS[environment.process]}"
            f" -c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_TIMEOUT_MS}"
            " -c plan_cache_mode=force_generic_plan"
        ),
        # What `audit.compiled` asks is prepared and planned at its first use; what the ORM asks never is.
        "prepare_threshold": 0,
    }
    if pooled:
        # A short `reconnect_timeout`: by default the pauses between tries double, so that the web would find a
        # database again only after it had been back for as long as it was away. Whoever asks next tries anew.
        # A short `timeout`, too: a webhook's sender gives up after some seconds, and must have its 503 before.
        options["pool"] = {"min_size": 2, "max_size": 20, "timeout": 3, "reconnect_timeout": 1}
    names = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
    return {
        "ENGINE": "django.db.backends.postgresql",
        **{key: str(target.pop(name, "")) for key, name in names.items()},
        "CONN_MAX_AGE": 0 if pooled else None,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": options | target,
    }


DATABASES = {"default": database(ZUPA)}

REVIEW_DESK = "review.desk.ReviewDesk"

Q_CLUSTER: dict[str, Any] = {
    "name": "zupa",
    "label": _("Task queue"),
    "broker_class": "pipeline.engine.broker.PostgresBroker",
    "workers": ZUPA.workers,
    "queue_limit": ZUPA.workers,
    "bulk": 1,
    "guard_cycle": 0.5,
    "timeout": 400,
    "retry": 500,
    "max_attempts": 1,
    "ack_failures": True,
    "save_limit": -1,
    # Replacing a worker process ends its flights' leases the hard way. It takes a task a second only to say that it
    # lives, so that q2's default would replace all of them every few minutes; what leaks is seen in their memory.
    "recycle": 10_000_000,
}

CHANNEL_LAYERS: dict[str, dict[str, Any]] = {
    "default": (
        {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {"hosts": [ZUPA.redis_url]}}
        if ZUPA.redis_url
        else {"BACKEND": "conversations.channel_layer.NotifyChannelLayer"}
    )
}

LOGGING = configure_logs(as_json=ZUPA.log_format is LogFormat.JSON)

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("pt-br", _("Brazilian Portuguese"))]
LOCALE_PATHS = [CHECKOUT / "locale"]
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "/static/"
STATIC_ROOT = ZUPA.home / "static"
MEDIA_ROOT = ZUPA.home / "media"
WHITENOISE_USE_FINDERS = not ZUPA.production
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": (
            "whitenoise.storage.CompressedManifestStaticFilesStorage"
            if ZUPA.production
            else "django.contrib.staticfiles.storage.StaticFilesStorage"
        )
    },
}
# The ingress itself answers 413 above this (Meta sends up to 3 MB); Django's own limit stands just behind it.
MAX_WEBHOOK_BYTES = 4 * 1024 * 1024
DATA_UPLOAD_MAX_MEMORY_SIZE = MAX_WEBHOOK_BYTES + 64 * 1024

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = ZUPA.production
CSRF_TRUSTED_ORIGINS = [ZUPA.public_url]
SECURE_SSL_REDIRECT = ZUPA.production
SECURE_REDIRECT_EXEMPT = [r"^health/", r"^metrics$"]
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if ZUPA.production else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = ZUPA.production
# In production a proxy ends TLS; it must set this header itself and drop a client's own.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if ZUPA.production else None

UNFOLD = unfold(ZUPA)
STAFF_TENANTS = "conversations.access.tenant_ids"
