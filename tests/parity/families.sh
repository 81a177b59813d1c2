#!/bin/sh
# Families' configurations at random, and every key of some families' configs
# at other values: FAMILY_HUNT=N begins with the N-th (1), FAMILY_HUNTS=N are
# tried (60), FAMILY_WIDE=1: wider ones and longer texts; FAMILY_KEYS names
# families of families.py.
# PEERS: a virtual environment with torch, transformers and peft.
. "$TOP/tests/parity/begin.sh"
n=0

claim() {	# WHAT COMMAND...
	n=$((n + 1))
	what=$1
	shift
	if "$python" -W ignore "$@" >"$scratch/out"; then
		echo "ok $n - $what"
	else
		echo "not ok $n - $what"
	fi
	sed 's/^/# /' "$scratch/out"
}

first=${FAMILY_HUNT:-1} many=${FAMILY_HUNTS:-60}
claim "$many families from $first on are as transformers has them" \
    "$here/family_hunt.py" "$scratch/hunt" "$first" "$many"
for f in ${FAMILY_KEYS:-gemma stablelm falcon_alibi smollm3 gpt2}; do
	claim "$f: each key is honoured, or refused by its name" \
	    "$here/family_keys.py" "$scratch/keys" "$f"
done
echo "1..$n"
