"""A JSON field whose column holds only ciphertext."""

import json
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models


class UndecryptableError(ImproperlyConfigured):
    """The stored value was encrypted with a key that FIELD_ENCRYPTION_KEYS no longer lists."""


@lru_cache(maxsize=4)
def _cipher(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


@lru_cache(maxsize=1000)
def _decrypted(keys: tuple[str, ...], ciphertext: str) -> bytes:
    """Each webhook reads its channel's secrets, and they seldom change. Raises `InvalidToken`."""
    return _cipher(keys).decrypt(ciphertext.encode())


class EncryptedJSONField(models.TextField):  # type: ignore[type-arg]
    """Encrypts with the first of FIELD_ENCRYPTION_KEYS, decrypts with any: put the new key first to rotate.

    Fails closed: a value that no key opens raises `UndecryptableError`, it is never handed out as ciphertext.
    """

    def get_prep_value(self, value: Any) -> str:
        return _cipher(settings.ZUPA.field_encryption_keys).encrypt(json.dumps(value).encode()).decode()

    def from_db_value(self, value: str | None, expression: object, connection: object) -> Any:
        if value is None:
            return None
        try:
            return json.loads(_decrypted(settings.ZUPA.field_encryption_keys, value))
        except InvalidToken as error:
            raise UndecryptableError(
                f"A stored {self.name} cannot be decrypted: add the key it was written with to FIELD_ENCRYPTION_KEYS."
            ) from error
