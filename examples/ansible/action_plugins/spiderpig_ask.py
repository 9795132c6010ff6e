"""The task `spiderpig_ask`: asks whoever watches the job, in the middle of a playbook.

    - spiderpig_ask:
        prompt: Go on?
        choices: { "Yes": y, "No": n } # quoted, as YAML takes a bare Yes for true; without choices any line will do
        default: n
      register: decision # decision.answer is the code or the line

It asks once for all hosts, and is skipped where Ansible only checks.

Ansible executes this in a process that it forks for each task, with standard input and output at /dev/null and in a
session of its own; `pause` and `vars_prompt` ask in the main process, but only at a terminal, which a job has not.
Other descriptors survive the fork. So who starts ansible-playbook passes the two on as 3 and 4, and nobody else reads
from 3 meanwhile: the main process does not, and modules, which are executed programs, get neither.
"""

import os
import sys
from contextlib import contextmanager, redirect_stdout

import spiderpig
from ansible.errors import AnsibleActionFail, AnsibleActionSkip
from ansible.plugins.action import ActionBase

INPUT, OUTPUT = 3, 4


class ActionModule(ActionBase):
    BYPASS_HOST_LOOP = True
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(
            {
                "prompt": {"type": "str", "required": True},
                "choices": {"type": "dict"},
                "default": {"type": "str"},
            }
        )
        prompt, choices, default = arguments["prompt"], arguments["choices"], arguments["default"]
        if choices and not all(isinstance(text, str) for pair in choices.items() for text in pair):
            raise AnsibleActionFail("`choices` has something that is no text. Is there a Yes or No without quotes?")
        if self._task.check_mode:
            raise AnsibleActionSkip("Nobody is asked when Ansible only checks")
        try:
            with streams_of_the_job():
                answer = spiderpig.choose(prompt, choices, default) if choices else spiderpig.ask(prompt)
        except OSError as error:
            raise AnsibleActionFail(f"Nobody can be asked. Start ansible-playbook as run.sh does: {error}") from error
        except spiderpig.NobodyAnswers as error:
            raise AnsibleActionFail(str(error)) from error
        return {**result, "changed": False, "answer": answer}


@contextmanager
def streams_of_the_job():
    """Gives this process, which is there for one task, the streams of the job."""
    stdin = sys.stdin
    with open(os.dup(INPUT)) as sys.stdin, open(os.dup(OUTPUT), "w") as output, redirect_stdout(output):
        try:
            yield
        finally:
            sys.stdin, stdin = stdin, sys.stdin
