#!/bin/sh
# Configurations of PEFT's at random, over all families: HUNT=N begins with
# the N-th (1), HUNTS=N are tried (60).
# PEERS: a virtual environment with torch, transformers and peft.
. "$TOP/tests/parity/begin.sh"
what="${HUNTS:-60} configurations from ${HUNT:-1} on"
if "$python" -W ignore "$here/hunt.py" "$scratch" "${HUNT:-1}" \
    "${HUNTS:-60}" >"$scratch/out"; then
	echo "ok 1 - $what are as PEFT has them"
else
	echo "not ok 1 - $what are as PEFT has them"
fi
sed 's/^/# /' "$scratch/out"
echo 1..1
