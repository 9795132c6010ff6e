#!/usr/bin/env python3
"""Prints three lines, the second of which is sensitive."""

from protocol import send

print("before the secret", flush=True)
send({"type": "line", "line": "the password is swordfish", "sensitive": True})
print("after the secret", flush=True)
