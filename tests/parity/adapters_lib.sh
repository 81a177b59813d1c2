#!/bin/sh
# The adapters library loads what is trained here and computes the same.
# ADAPTERS: a virtual environment with torch and adapters (which asks for a
# transformers of its own).
here=$TOP/tests/parity
python=${ADAPTERS:+$ADAPTERS/bin/}python3
if ! "$python" -c 'import adapters' 2>/dev/null; then
	echo '1..0 # SKIP no adapters library: ADAPTERS names an environment'
	exit 0
fi
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
"$python" -W ignore "$here/adapters_lib.py" load \
    "$TOP/tests/golden/methods/base" "$scratch"
