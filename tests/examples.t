#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Run each example of the EXAMPLES sections as it is printed.
. "$TOP/tests/lib.sh"

examples() {	# the lines that begin with "$ " between .Bd and .Ed
	sed -n '/^\.Sh EXAMPLES/,/^\.Sh [^E]/p' "$1" |
	    sed -n '/^\.Bd/,/^\.Ed/s/^\$ //p' | sed 's/\\e/\\/g'
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

done_testing
