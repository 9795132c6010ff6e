"""Starts, answers and follows a job with the client that openapi-python-client made of openapi.json.

Arguments: the directory in which the package `generated` is, the address of the API, and a script that asks once.
"""

import json
import sys
import time

DIRECTORY, ADDRESS, SCRIPT = sys.argv[1:]
sys.path.insert(0, DIRECTORY)

from generated import Client  # noqa: E402
from generated.api.default import (  # noqa: E402
    get_jobs,
    get_jobs_id,
    get_jobs_id_log,
    get_whoami,
    post_jobs,
    post_jobs_id_interact_iid,
)
from generated.models import NewJob, NewJobParams  # noqa: E402

client = Client(base_url=ADDRESS, raise_on_unexpected_status=True)
assert get_whoami.sync(client=client).user == "tester"

params = NewJobParams()
params["script"] = SCRIPT
job = post_jobs.sync(client=client, body=NewJob(type_="sh", params=params)).id
while (question := get_jobs_id.sync(job, client=client).pending_interaction) is None:
    time.sleep(0.01)
assert question.choices["Yes"] == "y", question
post_jobs_id_interact_iid.sync(job, question.id, client=client, body="y")

log = get_jobs_id_log.sync(job, client=client).payload.read()
lines = [json.loads(line) for line in log.splitlines()]
assert any(line.get("line") == "got:y" for line in lines), lines
assert lines[-1]["type"] == "EOF", lines
[listed] = get_jobs.sync(client=client).jobs
assert (listed.id, listed.outcome, listed.params["script"]) == (job, "succeeded", SCRIPT), listed
