# SPDX-License-Identifier: Apache-2.0
# How scripts begin that need PEFT: where they are, its python, room.
here=$TOP/tests/parity
python=${PEERS:+$PEERS/bin/}python3
if ! "$python" -c 'import peft' 2>/dev/null; then
	echo '1..0 # SKIP no PEFT: PEERS names a virtual environment with it'
	exit 0
fi
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
# Threads of torch spin for each other, and have little to do here.
OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}; export OMP_NUM_THREADS
