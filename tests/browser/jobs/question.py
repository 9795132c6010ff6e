#!/usr/bin/env python3
"""Asks whether to go on. If it is interrupted while it waits, it asks at once whether to roll back."""

from protocol import choose

try:
    answer = choose("Deploy to all wikis?", {"Deploy": "d", "Stop here": "s"}, "s")
except KeyboardInterrupt:
    answer = choose("Roll back what was done?", {"Roll back": "r", "Leave it": "l"})
print(f"The answer was {answer}")
