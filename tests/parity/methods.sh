#!/bin/sh
# Methods: PEFT loads what is trained here, and trains to the same.
# PEERS: a virtual environment with torch, transformers and peft.
. "$TOP/tests/parity/begin.sh"
"$python" -W ignore "$here/methods.py" "$TOP/tests/golden/methods/base" \
    "$scratch"
