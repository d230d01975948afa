"""The secrets of a channel as a form: put in, never shown back."""

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminPasswordWidget

from audit.staff.show import Text
from conversations.fields import UndecryptableError
from conversations.models import Agent, Channel, ChannelKind

SECRET_PREFIX = "whsec_"  # noqa: S105  # the standard's prefix, no secret
SECRET_BYTES = range(24, 65)


@dataclass(frozen=True, slots=True)
class Secret:
    key: str
    label: Text
    help_text: Text


APP_SECRET = Secret(
    "app_secret", _("App secret"), _("From the app's basic settings at Meta: it signs the webhooks.")
)
VERIFY_TOKEN = Secret(
    "verify_token", _("Verify token"), _("Any text you choose; Meta repeats it when it subscribes.")
)
ACCESS_TOKEN = Secret(
    "access_token", _("Access token"), _("A system user's token with the right to send messages.")
)
SIGNING_SECRET = Secret(
    "signing_secret",
    _("Signing secret"),
    _("whsec_ and 24 to 64 random bytes in base64; both sides sign with it."),
)
API_KEY = Secret("api_key", _("API key"), _("WAHA's own: it is sent as X-Api-Key with each call."))
HMAC_KEY = Secret("hmac_key", _("HMAC key"), _("Any text you choose; WAHA signs its webhooks with it."))
SECRETS: Mapping[str, tuple[Secret, ...]] = {
    ChannelKind.WHATSAPP_CLOUD: (APP_SECRET, VERIFY_TOKEN, ACCESS_TOKEN),
    ChannelKind.HTTP: (SIGNING_SECRET,),
    ChannelKind.WAHA: (API_KEY, HMAC_KEY),
}
ALL_SECRETS = tuple(secret for secrets in SECRETS.values() for secret in secrets)


def _input(secret: Secret) -> forms.CharField:
    widget = UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"})
    return forms.CharField(label=secret.label, required=False, widget=widget)


class ChannelForm(forms.ModelForm[Channel]):
    """One password input for each secret of each kind; an empty one keeps what is stored."""

    app_secret = _input(APP_SECRET)
    verify_token = _input(VERIFY_TOKEN)
    access_token = _input(ACCESS_TOKEN)
    signing_secret = _input(SIGNING_SECRET)
    api_key = _input(API_KEY)
    hmac_key = _input(HMAC_KEY)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._stored = stored_credentials(self.instance)
        for secret in ALL_SECRETS:
            if secret.key in self.fields:
                self.fields[secret.key].help_text = self._help(secret)
        if self.instance.pk and "kind" in self.fields:
            self.fields["kind"].disabled = True

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        given = dict(self._given(cleaned))
        if given:
            self.instance.credentials = self._stored | given
        for key, message in self._missing(cleaned, self._stored | given):
            self.add_error(key, message)
        return cleaned

    def clean_agent(self) -> Agent:
        """An agent's prompt, model and tools are its tenant's own."""
        agent: Agent = self.cleaned_data["agent"]
        tenant = self.cleaned_data.get("tenant")
        if tenant and agent.tenant_id != tenant.pk:
            raise forms.ValidationError(_("This agent belongs to another tenant."))
        return agent

    def clean_signing_secret(self) -> str:
        value: str = self.cleaned_data["signing_secret"]
        if value and not is_signing_secret(value):
            raise forms.ValidationError(
                _("Not a signing secret: whsec_ and 24 to 64 bytes in base64 are expected.")
            )
        return value

    def _given(self, cleaned: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        for secret in SECRETS.get(cleaned.get("kind", ""), ()):
            if cleaned.get(secret.key):
                yield secret.key, cleaned[secret.key]

    def _missing(
        self, cleaned: Mapping[str, Any], credentials: Mapping[str, Any]
    ) -> Iterator[tuple[str, Any]]:
        """A channel that is switched off may be incomplete."""
        if not cleaned.get("is_active"):
            return
        kind = cleaned.get("kind", "")
        for secret in SECRETS.get(kind, ()):
            if not credentials.get(secret.key) and secret.key not in self.errors:
                yield secret.key, _("Missing: an active channel needs it.")
        if kind == ChannelKind.WHATSAPP_CLOUD and not cleaned.get("external_id"):
            yield "external_id", _("Missing: the phone number id that Meta shows.")
        if kind == ChannelKind.WAHA and not cleaned.get("external_id"):
            yield "external_id", _("Missing: the name of the session in WAHA.")
        if kind in (ChannelKind.HTTP, ChannelKind.WAHA) and not cleaned.get("api_url"):
            yield "api_url", _("Missing: where answers are sent.")

    def _help(self, secret: Secret) -> str:
        if not self.instance.pk:
            return str(secret.help_text)
        state = _("Stored; leave empty to keep it.") if self._stored.get(secret.key) else _("Missing.")
        return f"{state} {secret.help_text}"


def stored_credentials(channel: Channel) -> dict[str, Any]:
    """None of them when they were encrypted with a key that is gone: they have to be put in again."""
    try:
        return dict(channel.credentials)
    except UndecryptableError:
        return {}


def is_signing_secret(value: str) -> bool:
    try:
        key = base64.b64decode(value.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error:
        return False
    return value.startswith(SECRET_PREFIX) and len(key) in SECRET_BYTES
