#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Run each example of the EXAMPLES sections as it is printed.
. "$TOP/tests/lib.sh"

examples() {	# lines between .Bd and .Ed that begin with "$ "; after | they go on
	sed -n '/^\.Sh EXAMPLES/,/^\.Sh [^E]/p' "$1" |
	    sed -n '/^\.Bd/,/^\.Ed/p' | awk '/^\$ / {
		line = substr($0, 3)
		while (line ~ /\|$/ && (getline more) > 0)
			line = line " " more
		print line
	    }' | sed 's/\\e/\\/g'
}

top=$scratch
for page in "$TOP"/man/*.[157]; do
	examples "$page" >"$top/todo"
	ok "$(basename "$page") has examples" [ -s "$top/todo" ]
	rm -rf "$top/work"; mkdir "$top/work"; cd "$top/work" || exit 1
	. "$TOP/tests/fixtures.sh"
	while read -r line; do
		ok "$(basename "$page"): $line" sh -ec "$line" </dev/null
	done <"$top/todo"
	cd "$top" || exit 1
done

cd "$scratch" || exit 1
run make -C "$TOP/examples/sweep" OUT="$scratch/sweep" STEPS=2
ok 'the sweep prints a table of losses' sh -c "grep -c '^[28]  *[0-9.]*  *[0-9.]*\$' out | grep -qx 2"

. "$TOP/tests/fixtures.sh"
STEPS=30 RANK=4 TOKENS=12 run sh "$TOP/examples/voices/voices.sh" base served
ok 'three voices are trained and served' [ "$rc" -eq 0 ]
ok 'every request is answered by its voice' jq -s -e --slurpfile asked \
    "$TOP/examples/voices/requests.jsonl" 'map([.id, .adapter]) == ($asked |
    map([.id, if .adapter | type == "object" then "formal:0.5,brand:0.5" else .adapter end]))' \
    served/answers.jsonl
ok 'and the voices differ' jq -s -e '.[:3] | map(.text) | unique | length == 3' served/answers.jsonl
for voice in support formal brand; do
	ok "$voice has learned" jq -s -e '(map(.loss // empty) | last) < 0.8 *
	    (map(.loss // empty) | first)' "served/$voice.log"
done

bin=$(dirname "$(command -v peft-train)")
PEFT_DEMO_BIN=$bin PEFT_DEMO_WORK=$scratch/demo XDG_CACHE_HOME=$scratch/none PIP_NO_INDEX=1 \
    run sh "$TOP/examples/demo.sh"
ok 'the demo runs without a network' [ "$rc" -eq 0 ]
ok 'and says so' grep -q 'cannot be fetched here' out
ok 'and ends with a table' grep -Eq '^loss +[0-9.]+ +[0-9.]+$' out
before=$(awk '/^loss / { print $2 }' out) after=$(awk '/^loss / { print $3 }' out)
ok "which shows that it has learned ($before, $after)" jq -n -e "$after < 0.9 * $before"

done_testing
