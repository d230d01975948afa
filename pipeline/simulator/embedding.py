"""Deterministic embeddings: hashed words, so that texts that share words lie near each other."""

import hashlib
import math
import re

DIMENSIONS = 256
WORD = re.compile(r"\w+")


def embed(text: str, dimensions: int) -> list[float]:
    """A vector of length 1."""
    vector = [0.0] * dimensions
    for word in WORD.findall(text.casefold()) or [text]:
        digest = int.from_bytes(hashlib.blake2b(word.encode(errors="replace"), digest_size=8).digest())
        vector[(digest >> 1) % dimensions] += 1.0 if digest & 1 else -1.0
    length = math.hypot(*vector)
    if length == 0:
        return [1.0, *vector[1:]]
    return [value / length for value in vector]
