#!/bin/sh
# Methods: PEFT loads what is trained here, and trains to the same.
# PEERS: a virtual environment with torch, transformers and peft.
here=$TOP/tests/parity
python=${PEERS:+$PEERS/bin/}python3
if ! "$python" -c 'import peft' 2>/dev/null; then
	echo '1..0 # SKIP no PEFT: PEERS names a virtual environment with it'
	exit 0
fi
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
"$python" -W ignore "$here/methods.py" "$TOP/tests/golden/methods/base" \
    "$scratch"
