"""Secrets: how they look, how they are made, and what is kept of them."""

import secrets
from hashlib import sha256

PREFIX = "sk-sw-"
_RANDOM_BYTES = 32
_HINT_LENGTH = 4


def make_secret() -> str:
    """A new secret: ``sk-sw-`` and 43 characters that carry 256 random bits."""
    return PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)


def make_id() -> str:
    """A new key's id, ``key-1f2e3d4c``: not secret, and not surely unique."""
    return f"key-{secrets.token_hex(4)}"


def digest_of(secret: str) -> bytes:
    """What is kept of a secret; whatever a client sends has one."""
    return sha256(secret.encode("utf-8", "replace")).digest()


def hint_of(secret: str) -> str:
    """The end of a secret, by which its owner knows it again."""
    return secret[-_HINT_LENGTH:]
