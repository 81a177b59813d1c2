#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Parquet: its rows as pyarrow has them, all of peft-tokenize over them,
# damage; or, in a build without Arrow, that this is said.
. "$TOP/tests/lib.sh"
. "$TOP/tests/fixtures.sh"
gold=$TOP/tests/golden/parquet
cp "$gold"/* .

tok() { peft-tokenize -m base "$@"; }

expect 2 '*standard input: is Parquet, which cannot be read from a pipe: name the file' \
    sh -c 'peft-tokenize -q -m base - <chats.parquet'
run peft-tokenize -V -v
if grep -q '^Parquet: left out of this build$' out; then
	expect 2 '*: chats.parquet: is Parquet, which this build does not read: build it with Apache Arrow (*), or have duckdb or pandas make JSON lines of it' \
	    peft-tokenize -q -m base chats.parquet
	expect 2 '*: chats.parquet: is Parquet, *' peft-eval -q -m base chats.parquet
	skip 'what Parquet files hold' 'this build has no Arrow'
	done_testing
fi
ok '-V -v names Arrow' grep -q '^Parquet: Arrow [0-9]' out

# the values of all types
for n in chats types; do
	expect 0 '' rows-tool $n.parquet
	jq -S . out >got; jq -S . $n.jsonl >want
	ok "$n: the rows are pyarrow's" cmp got want
done
ok 'whole floats stay floats' grep -q '"double":6.0' out

# the programs: as from the same rows in JSON lines
same() {
	tok "$@" chats.jsonl >want 2>want.err; r=$?
	tok "$@" chats.parquet >got 2>got.err
	ok "$*: exit status" [ $? -eq $r ]
	sed 's/chats.jsonl/chats.parquet/g; s/JSON lines/Parquet/' want >want2
	sed 's/chats.jsonl/chats.parquet/g; s/JSON lines/Parquet/' want.err >want2.err
	ok "$*: output" cmp got want2
	ok "$*: standard error" cmp got.err want2.err
}
same -j 2
same --render
same --show 3
same --lint
same --lint --json
same --fix
same --per-turn --supervise last
same --max-length 40 --over drop
same --split 60/40 --by id --rest rest -f
tok -q --split 60/40 --rest a -f -o b chats.parquet
tok -q --split 60/40 --rest c -f -o d chats.jsonl
ok '--rest' cmp a c
tok -q --mix chats.parquet:0.5 chats.jsonl:0.5 >got
tok -q --mix chats.jsonl:0.5 chats.jsonl:0.5 >want
ok '--mix' cmp got want
expect 0 '*: chats.parquet: Parquet of chats (messages)' peft-tokenize -m base chats.parquet
peft-eval -q -m base chats.jsonl >want
peft-eval -q -m base chats.parquet >got
ok 'peft-eval' cmp got want

# columns, by name and number; what is no text
expect 2 '*: bytes.parquet: column "took": values of Arrow'"'"'s type '"'tDu'"' have no form in JSON: leave them out with --columns' \
    peft-tokenize -q -m base bytes.parquet
for c in prompt,completion prompt=1,completion=2; do
	expect 0 '' peft-tokenize -q -m base --columns $c bytes.parquet
	ok "--columns $c" [ "$(grep -c input_ids out)" -eq 3 ]
done
expect 2 '*: bytes.parquet:1: column "image": "bytes": holds bytes that are not UTF-8, and so no text: leave it out with --columns' \
    peft-tokenize -q -m base --columns prompt,completion,image bytes.parquet
expect 0 '*left out: bytes.parquet:1: *' peft-tokenize -q -m base --skip-bad 1 --columns prompt,completion,image bytes.parquet
ok '--skip-bad' [ "$(grep -c input_ids out)" -eq 2 ]
expect 2 '*: bytes.parquet: --columns: there is no column "x"; there are "prompt", "completion", "image", "took"' \
    peft-tokenize -q -m base --columns prompt=x bytes.parquet

# damage: cut, and each byte in turn made another, is refused or harmless
size=$(wc -c <chats.parquet)
for n in 5 100 $((size / 2)) $((size - 1)); do
	head -c "$n" chats.parquet >cut.parquet
	expect 2 '*: cut.parquet: is Parquet, but does not open: *' peft-tokenize -q -m base cut.parquet
done
{ head -c 300 chats.parquet; printf '\377\377\377\377'; tail -c +305 chats.parquet; } >bad
expect 2 '*: bad: row group 1: is damaged: *' peft-tokenize -q -m base bad
bad=0 refused=0
at=4
while [ $at -lt "$size" ]; do
	{ head -c $at chats.parquet; printf '\245'; tail -c +$((at + 2)) chats.parquet; } >bad
	run rows-tool bad
	case $rc in 0) ;; 2) refused=$((refused + 1)) ;; *) bad=1; echo "# byte $at: $rc" ;; esac
	at=$((at + 41))
done
ok 'damaged bytes do no harm' [ $bad -eq 0 ]
ok "and most are found ($refused)" [ $refused -gt 80 ]
done_testing
