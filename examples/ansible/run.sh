#!/bin/sh
# Runs the playbook `deploy.yml` as a job: at first it only looks, and then, if somebody says so, it acts.
# Started as `run.sh RELEASE [OPTION…]`, with options of ansible-playbook.
#
# Exit status: that of ansible-playbook (0, 2 if a host failed, 4 if one could not be reached); 1 not wanted,
# 2 no RELEASE, 127 no Ansible, 130 interrupted.
set -eu

here=$(cd "$(dirname "$0")" && pwd -P)
ansible=${ANSIBLE_PLAYBOOK:-ansible-playbook}
if ! command -v "$ansible" >/dev/null; then
	echo "Error: $ansible is not there. Install Ansible, for example with: python3 -m venv DIRECTORY &&" \
		"DIRECTORY/bin/pip install ansible-core; and say where it is in the job type:" \
		'env = { ANSIBLE_PLAYBOOK = "DIRECTORY/bin/ansible-playbook" }' >&2
	exit 127
fi

if [ $# -eq 0 ]; then
	echo 'usage: run.sh RELEASE [OPTION…]' >&2
	exit 2
fi
release=$1
shift

# Our two plugins, and the Python module with which they speak to SpiderPig. A person needs no phases.
export ANSIBLE_ACTION_PLUGINS="$here/action_plugins" ANSIBLE_CALLBACK_PLUGINS="$here/callback_plugins"
export PYTHONPATH="$here/../python" ANSIBLE_PIPELINING=1
if [ -n "${SPIDERPIG_IO_KEY:-}" ]; then
	export ANSIBLE_CALLBACKS_ENABLED=spiderpig_phases ANSIBLE_FORCE_COLOR=1
fi

# Ansible hides standard input and output from its plugins, which get them as 3 and 4: see spiderpig_ask.py.
playbook() {
	"$ansible" --inventory "$here/inventory.ini" --extra-vars "release=$release" "$@" "$here/deploy.yml" 3<&0 4>&1
}

trap 'exit 130' INT # when ansible-playbook, which is interrupted too, has tidied up

playbook --check --diff "$@"
answer=$(spiderpig-runner job choose "This is what $release would change. Deploy it?" \
	--choice Yes=y --choice No=n --default n)
if [ "$answer" = n ]; then
	spiderpig-runner job status 'Cancelled: nothing was changed'
	exit 1
fi
playbook "$@"
spiderpig-runner job status "Deployed $release"
