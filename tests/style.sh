#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The layout of the sources that a machine can hold people to.  clang-format
# breaks lines in other places than the authors do, so the rules are here.
set -u
bad=0
# what a run leaves where it was begun is soon committed by mistake
for i in $(git ls-files 2>/dev/null | cut -d/ -f1 | sort -u); do
	case $i in
	LICENSE|Makefile|NEWS.md|README.md|cmd|completions|examples|lib|man|tests) ;;
	.*) ;;
	*) echo "$i: not of the top level"; bad=1 ;;
	esac
done
# shellcheck disable=SC2046
awk '
function say(what) { print FILENAME ":" FNR ": " what; bad = 1 }
function width(s,    i, w) {
	for (i = 1; i <= length(s); i++)
		w = substr(s, i, 1) == "\t" ? w + 8 - w % 8 : w + 1
	return w
}
FNR == 1 {
	data = FILENAME ~ /\.inc$/ || FILENAME ~ /^tests/
	start = 0
	if ($0 !~ /SPDX-License-Identifier/) say("no SPDX line")
}
/[ \t]$/		{ say("white space at the end") }
/^ +[^ *]/ && !/^    [^ ]/ { say("indent with tabs; go on with 4 spaces") }
/\t +\t/		{ say("blanks between tabs") }
!/"/ && /\/\//		{ say("comments are /* */") }
/(^|[^a-z_])(if|for|while|switch)\(/ { say("a blank after a keyword") }
/^\t+(if|for|while|switch|else).*\)\{$/ { say("a blank before a brace") }
/^(static |struct |int |void |char |const ).*\) *\{/ { say("a brace of its own line") }
# rows of a table may be as long as they need
!/"|^\t+\{ / && width($0) > 80 { say(width($0) " columns, the limit is 80") }
FNR == 361 && !data	{ say("more than 360 lines: two files in one?") }
/^\{$/			{ start = FNR }
/^\}/			{ if (start && FNR - start > 70 && !data)
				say(FNR - start " lines in a function")
			  start = 0 }
END { exit bad }
' $(find cmd lib tests -name '*.[ch]' -o -name '*.cc' -o -name '*.inc' ! -name '*-tables.inc') || bad=1
exit $bad
