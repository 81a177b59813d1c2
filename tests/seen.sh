#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A function that a header declares is for others: if no file has its name but
# that header and its own, it is dead, or static and not yet told so.
set -u
# shellcheck disable=SC2046
awk '
FNR == 1		{ header = FILENAME ~ /\.h$/; before = "" }
/^\t*(\/| )\*/		{ next }
!header && /^peft_[a-z0-9_]+\(/ && before !~ /static/ {
	name = $0
	sub(/\(.*/, "", name)
	at[name] = FILENAME ":" FNR
}
{
	before = line = $0
	while (match(line, /peft_[a-z0-9_]+/)) {
		name = substr(line, RSTART, RLENGTH)
		line = substr(line, RSTART + RLENGTH)
		# in a header, a second time: what is inline calls it
		if (header ? named[name]++ == 1 : !((name, FILENAME) in seen))
			places[name]++
		if (!header)
			seen[name, FILENAME]
	}
}
END {
	for (name in at)
		if (places[name] < 2) {
			print at[name] ": no other file uses " name "()"
			bad = 1
		}
	exit bad
}' $(find lib cmd tests -name '*.[ch]' -o -name '*.cc' -o -name '*.inc')
