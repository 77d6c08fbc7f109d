"""Secrets as they are kept: as their SHA-256, which opens nothing.

Enough for secrets that are random; a passphrase of a person's would need a slow hash.
"""

from hashlib import sha256
from secrets import token_urlsafe


def new_secret() -> str:
    """256 random bits, in characters that stand in addresses and cookies as they are."""
    return token_urlsafe(32)


def hash_of(secret: str) -> bytes:
    """32 bytes; of any text, for it comes from outside."""
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()
