"""What a job says to SpiderPig, and how it asks."""

import json
import os


def send(message):
    print(json.dumps({**message, "iokey": os.environ["SPIDERPIG_IO_KEY"]}), flush=True)


def choose(prompt, choices, default=None):
    send({"type": "interaction", "subtype": "choices", "prompt": prompt, "choices": choices, "default": default})
    return input()
