"""AWS, emulated for the tests: written to its published behaviour, checked with botocore and openssl."""

from .server import ALLOW_ALL, Emulator

__all__ = ["ALLOW_ALL", "Emulator"]
