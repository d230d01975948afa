"""Files uploaded to WhatsApp or sent by customers, with the short-lived links that lead to them."""

import hashlib
import hmac
import secrets
from collections import OrderedDict
from dataclasses import dataclass

from pipeline.simulator.audio import carried_text

KEPT = 500
LINK_LIVES_S = 300


@dataclass(frozen=True, slots=True)
class MediaFile:
    id: str
    data: bytes
    mime_type: str
    filename: str | None = None

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def spoken(self) -> str:
        return carried_text(self.data) or ""


class MediaStore:
    def __init__(self) -> None:
        self._files: OrderedDict[str, MediaFile] = OrderedDict()
        self._key = secrets.token_bytes(32)

    def add(self, data: bytes, mime_type: str, filename: str | None = None) -> MediaFile:
        media = MediaFile(str(secrets.randbelow(9 * 10**14) + 10**14), data, mime_type, filename)
        self._files[media.id] = media
        if len(self._files) > KEPT:
            self._files.popitem(last=False)
        return media

    def find(self, media_id: str) -> MediaFile | None:
        return self._files.get(media_id)

    def clear(self) -> None:
        self._files.clear()

    def link_token(self, media_id: str, *, now: float) -> str:
        claim = f"{media_id}.{int(now) + LINK_LIVES_S}"
        return f"{claim}.{self._seal(claim)}"

    def open_link(self, token: str, *, now: float) -> MediaFile | None:
        claim, _, seal = token.rpartition(".")
        media_id, _, expires = claim.partition(".")
        if not hmac.compare_digest(seal.encode(), self._seal(claim).encode()):
            return None
        return self._files.get(media_id) if now <= int(expires) else None

    def _seal(self, claim: str) -> str:
        return hmac.new(self._key, claim.encode(), hashlib.sha256).hexdigest()[:32]
