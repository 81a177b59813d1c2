#!/bin/sh
# Configurations of PEFT's at random, over all families: HUNT=N begins with
# the N-th (1), HUNTS=N are tried (60).
# PEERS: a virtual environment with torch, transformers and peft.
here=$TOP/tests/parity
python=${PEERS:+$PEERS/bin/}python3
if ! "$python" -c 'import peft' 2>/dev/null; then
	echo '1..0 # SKIP no PEFT: PEERS names a virtual environment with it'
	exit 0
fi
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
what="${HUNTS:-60} configurations from ${HUNT:-1} on"
if "$python" -W ignore "$here/hunt.py" "$scratch" "${HUNT:-1}" \
    "${HUNTS:-60}" >"$scratch/out"; then
	echo "ok 1 - $what are as PEFT has them"
else
	echo "not ok 1 - $what are as PEFT has them"
fi
sed 's/^/# /' "$scratch/out"
echo 1..1
