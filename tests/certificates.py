"""Certificates that tests make for themselves, with the openssl command."""

import subprocess
from pathlib import Path


def make_certificate(folder: Path, name: str, *, days: int = 30) -> tuple[Path, Path]:
    """A certificate for localhost that signs itself, and its key; in PEM."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-days", str(days), "-subj", f"/CN={name}",
            "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
            "-keyout", str(key), "-out", str(certificate),
        ],
        check=True,
        capture_output=True,
        timeout=30,
    )  # fmt: skip
    return certificate, key


def with_password(key: Path, password: str) -> Path:
    """A copy of a key that asks for a password."""
    made = key.with_suffix(".encrypted")
    subprocess.run(
        ["openssl", "pkey", "-in", str(key), "-aes256", "-passout", f"pass:{password}",
         "-out", str(made)],
        check=True,
        capture_output=True,
        timeout=30,
    )  # fmt: skip
    return made
