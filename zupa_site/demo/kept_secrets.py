"""The demo's secrets: made once, kept in a file that only its owner reads, printable ever after."""

import base64
import json
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

FILE_NAME = "demo.json"


def _password() -> str:
    return secrets.token_urlsafe(12)


def _signing_secret() -> str:
    """As Standard Webhooks writes it: 24 to 64 random bytes in base64."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


@dataclass(frozen=True, kw_only=True)
class DemoSecrets:
    admin_password: str = field(default_factory=_password)
    reviewer_password: str = field(default_factory=_password)
    auditor_password: str = field(default_factory=_password)
    whatsapp_app_secret: str = field(default_factory=lambda: secrets.token_hex(16))
    whatsapp_verify_token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    whatsapp_access_token: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    waha_api_key: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    waha_hmac_key: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    http_signing_secret: str = field(default_factory=_signing_secret)

    @classmethod
    def kept(cls, home: Path) -> "DemoSecrets":
        """The secrets kept in `home`. What the file lacks is made and added; what it has stays."""
        path = home / FILE_NAME
        stored = json.loads(path.read_text()) if path.exists() else {}
        result = cls(**stored)
        if stored != asdict(result):
            write_private(path, json.dumps(asdict(result), indent=2))
        return result


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner reads; a reader sees the old file or the new one, never half."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    draft.touch(mode=0o600, exist_ok=False)
    draft.write_text(text + "\n")
    draft.replace(path)
