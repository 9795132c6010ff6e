"""Tells SpiderPig what a playbook is doing: plays as statuses, tasks as progress, and what failed in one line each.

The output of Ansible itself stays as it is. Ansible calls this in its main process, whose standard output is that of
the job.
"""

import spiderpig
from ansible.plugins.callback import CallbackBase

META = ("meta", "ansible.builtin.meta", "ansible.legacy.meta")  # tasks of which Ansible does not tell when they start

DOCUMENTATION = """
name: spiderpig_phases
type: notification
short_description: tells SpiderPig what a playbook is doing
description: Prints plays as statuses and tasks as progress of SpiderPig's job protocol, and each failure as a line.
requirements: [enable in configuration]
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "spiderpig_phases"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_play_start(self, play):
        """Also called for each batch of a play with `serial`."""
        spiderpig.status(f"Check: {play.get_name()}" if play.check_mode else play.get_name())
        self.total = sum(count(block, play) for block in play.compile())
        self.started = 0

    def v2_playbook_on_task_start(self, task, is_conditional):
        # Included tasks, and those of a `rescue`, nobody could count before.
        self.total = max(self.total, self.started + 1)
        spiderpig.progress(task.get_name(), self.started, self.total)
        self.started += 1

    def v2_playbook_on_handler_task_start(self, task):
        self.v2_playbook_on_task_start(task, False)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        if not ignore_errors:
            self.tell_failure("failed", result)

    def v2_runner_on_unreachable(self, result):
        self.tell_failure("could not be reached", result)

    def tell_failure(self, what, result):
        # A task with `no_log` has no message here.
        reason = result.result.get("msg") or "its output above says why"
        spiderpig.line(f"Error: {result.host.get_name()} {what} at “{result.task.get_name()}”: {reason}")


def count(block, play):
    """The tasks of a block, with those in blocks in it, that start if nothing fails and nothing is included."""
    if hasattr(block, "block"):
        return sum(count(inner, play) for inner in block.block)
    return int(block.action not in META and block.evaluate_tags(play.only_tags, play.skip_tags, {}))
