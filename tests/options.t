#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What a command says of its options is what its manual page and its
# completions say.
. "$TOP/tests/lib.sh"

for page in "$TOP"/man/peft-*.1; do
	cmd=$(basename "$page" .1)
	expect 0 '' "$cmd" --help
	sed -n 's/^  *\(-[A-Za-z]\), \(--[a-z0-9-]*\).*/\1 \2/p
	    s/^  *\(--[a-z0-9-]*\).*/\1/p' out | tr ' ' '\n' | sort -u >help.opts
	# ".It Fl s Ar number , Fl -scale Ns = ..." gives the same
	grep '^\.It Fl ' "$page" | grep -o 'Fl [^ ]*' |
	    sed 's/^Fl /-/' | sort -u >man.opts
	ok "$cmd: --help and man agree" diff -u help.opts man.opts
	sed -n '/^\.Sh SYNOPSIS/,/^\.Sh DESCRIPTION/p' "$page" |
	    grep -o 'Fl [A-Za-z]*' | sed 's/^Fl //' | grep -o . |
	    sed 's/^/-/' | sort -u >syn.opts
	grep '^-[^-]' help.opts >short.opts
	ok "$cmd: --help and SYNOPSIS agree" diff -u short.opts syn.opts
	for sh in bash zsh; do
		f="$TOP/completions/$cmd.bash"
		[ "$sh" = bash ] || f="$TOP/completions/_$cmd"
		expect 0 '' "$cmd" --completion="$sh"
		ok "$cmd: the $sh completion is the table's" cmp out "$f"
	done
	expect 1 "$cmd: *" "$cmd" --no-such-option
	expect 0 '' "$cmd" -V -v
	ok "$cmd: -V -v says more than -V" [ "$(wc -l <out)" -gt 2 ]
done

# README.md installs what the Makefile says it needs, and lists each program
sed -n '/^DEBS/,/[^\\]$/p' "$TOP/Makefile" | tr -d '\\\n' | sed 's/^DEBS[ \t]*=//' |
    tr -s ' \t' '\n' | grep . | sort >needed
sed -n 's/^    sudo apt-get install -y --no-install-recommends //p' "$TOP/README.md" |
    tr ' ' '\n' | sort >installed
ok 'README.md installs what is needed' [ -z "$(comm -23 needed installed)" ]
ok 'which is something' [ "$(wc -l <needed)" -gt 5 ]
for page in "$TOP"/man/peft-*.1; do
	cmd=$(basename "$page" .1)
	ok "README.md tells what $cmd does" grep -q "^| .$cmd. |" "$TOP/README.md"
done

done_testing
