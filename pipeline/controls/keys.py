"""Keys for scripts. A key acts in the name of whoever made it, as far as its scopes and its tenant go."""

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext as _

from pipeline.controls.errors import InvalidError
from pipeline.controls.evidence import leave_evidence
from pipeline.controls.rights import require
from pipeline.models import ApiKey, ApiScope

MARK = "zk_"
PREFIX_LENGTH = 12
USE_NOTED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """`token` is known to nobody after this: only its hash is kept."""

    key: ApiKey
    token: str


@transaction.atomic
def create_key(
    *,
    name: str,
    scopes: Collection[ApiScope],
    by: User,
    now: datetime,
    tenant_id: int | None = None,
    expires_at: datetime | None = None,
) -> NewKey:
    """Raises `ControlError`."""
    require(by, "add_apikey", tenant_id)
    if not name.strip() or not scopes:
        raise InvalidError(_("A key needs a name and at least one scope."))
    if expires_at is not None and expires_at <= now:
        raise InvalidError(_("The end time has passed already."))
    token = MARK + secrets.token_urlsafe(32)
    key = ApiKey(
        name=name.strip(),
        tenant_id=tenant_id,
        prefix=token[:PREFIX_LENGTH],
        token_hash=_hash(token),
        scopes=sorted(scopes),
        created_by=by,
        created_at=now,
        expires_at=expires_at,
    )
    _write(key, "api_key.created", by=by, reason="", now=now)
    return NewKey(key=key, token=token)


@transaction.atomic
def revoke_keys(key_ids: Collection[int], *, by: User, reason: str, now: datetime) -> int:
    """They open nothing from now on. Idempotent. Raises `ControlError`. Their number."""
    keys = ApiKey.objects.select_for_update(of=("self",)).filter(pk__in=key_ids, revoked_at__isnull=True)
    revoked = list(keys.order_by("pk"))
    for key in revoked:
        require(by, "change_apikey", key.tenant_id)
        key.revoked_at = now
        _write(key, "api_key.revoked", by=by, reason=reason, now=now)
    return len(revoked)


def find(token: str, *, now: datetime) -> ApiKey | None:
    """The key of the token, if it opens anything. Notes at most once a minute that it was used."""
    keys = ApiKey.objects.select_related("created_by").filter(prefix=token[:PREFIX_LENGTH])
    key = keys.filter(revoked_at__isnull=True, created_by__is_active=True).first()
    if key is None or not secrets.compare_digest(key.token_hash, _hash(token)):
        return None
    if key.expires_at is not None and key.expires_at <= now:
        return None
    if key.last_used_at is None or key.last_used_at < now - USE_NOTED_EVERY:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)
    return key


def _hash(token: str) -> str:
    """SHA-256 is enough: a token of 256 random bits is not guessed from its hash."""
    return hashlib.sha256(token.encode()).hexdigest()


def _write(key: ApiKey, action: str, *, by: User, reason: str, now: datetime) -> None:
    key._history_user = by  # type: ignore[attr-defined]  # simple-history reads it from here
    key.save()
    leave_evidence(action, "api_key", key, by=by, reason=reason, now=now, details={"scopes": key.scopes})
