#!/usr/bin/env python3
"""Prints COUNT numbered lines, RATE each second: `line 1`, `line 2`…"""

import sys
import time

count, rate = map(int, sys.argv[1:])
begin = time.monotonic()
printed = 0
while printed < count:
    due = min(count, int((time.monotonic() - begin) * rate) + 1)
    print("".join(f"line {number}\n" for number in range(printed + 1, due + 1)), end="", flush=True)
    printed = due
    if printed < count:
        time.sleep(max(0.005, 1 / rate))
