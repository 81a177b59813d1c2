#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# peft-generate as a service: records together, adapters by name, together,
# by ranges of tokens, and loaded while it runs.
# shellcheck disable=SC2016	# $( ) is for the inner shell
. "$TOP/tests/lib.sh"
. "$TOP/tests/fixtures.sh"

unit sample-unit

peft-tokenize -q -m base -o tok test.jsonl
new() { peft-train -q -f -m base --rank 4 --set init_lora_weights=false --lr 1e-9 --steps 1 -s "$1" -o "$2" tok; }
new 1 b/
new 2 c/
long=$(printf 'word %.0s' 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20)
jq -c "[.messages[] | select(.role == \"user\")] | {messages: ([{role: \"system\", content: \"$long\"}] + .)}" \
    test.jsonl >chats
jq -nc '[inputs] | [.[], .[]] | to_entries[] | .value + {id: "r\(.key)",
    adapter: (["a", "b", null, "c"][.key % 4]), max_tokens: (3 + .key * 5 % 13)}' chats test.jsonl >many
g() { peft-generate -q -m base -a a=adapter -a b=b -a c=c --jsonl "$@"; }

# what a record is answered depends on that record
for t in 0 1.2; do
	g --temperature $t --width 1 -j 1 many >w1
	ok "temperature $t: as many answers as records" [ "$(wc -l <w1)" -eq "$(wc -l <many)" ]
	for how in '--width 5' '--width 40' '--width 16 -j 2' '--width 3 -j 3' '--kv-limit 200K'; do
		# shellcheck disable=SC2086	# options
		g --temperature $t $how many >w2
		ok "temperature $t, $how: the same bytes" cmp w1 w2
	done
	shuf --random-source=b/adapter_config.json many >shuffled
	g --temperature $t --width 7 shuffled | sort >w2
	sort w1 >w3
	ok "temperature $t: the same answers in another order" cmp w3 w2
done
jq -c 'del(.id)' many >anonymous
cat anonymous anonymous | g --temperature 1 | jq -r .text >w2
n=$(wc -l <many)
ok 'a prompt that comes twice is drawn for twice' sh -c "head -n $n w2 >w4; tail -n $n w2 | cmp -s - w4; [ \$? = 1 ]"
ok 'and the first as ever' sh -c "peft-generate -q -m base -a a=adapter -a b=b -a c=c --jsonl --temperature 1 anonymous | jq -r .text | cmp - w4"

# shared beginnings
run peft-generate -v -m base -a adapter --jsonl --max-tokens 4 chats
shared=$(sed -n 's/.* of prompts, of which \([0-9]*\) shared.*/\1/p' err)
ok "what prompts begin with alike is read once ($shared tokens)" [ "$shared" -gt 100 ]
expect 3 '*--kv-limit has room for 0' peft-generate -m base --kv-limit 1K -p hello
expect 3 '*a prompt of*need the keys and values of*' g --kv-limit 8K chats

# several adapters as one
peft-merge -q -m base -a adapter=0.5 -a b=2 -t f32 -o merged/
peft-generate -q -m merged --jsonl --max-tokens 9 test.jsonl | jq -r .text >want
peft-generate -q -m base -a a=adapter -a b=b --combine ab=a:0.5,b:2 --jsonl --max-tokens 9 test.jsonl >alone
jq -c '. + {adapter: "ab"}' test.jsonl | peft-generate -q -m base -a a=adapter -a b=b --combine ab=a:0.5,b:2 --jsonl --max-tokens 9 >got
ok 'two adapters together are their merged sum' sh -c 'jq -r .text got | cmp - want'
ok 'and not one alone' sh -c '! jq -r .text alone | cmp -s - want'
jq -c '. + {adapter: {a: 0.5, b: 2}}' test.jsonl | peft-generate -q -m base -a a=adapter -a b=b --jsonl --max-tokens 9 >got
ok 'a record can ask for them' sh -c 'jq -r .text got | cmp - want'
ok 'which the answer says' jq -s -e 'all(.adapter == "a:0.5,b:2")' got
jq -c '. + {adapter: ["a", "b"]}' test.jsonl | g --max-tokens 9 >got
jq -c '. + {adapter: {a: 1, b: 1}}' test.jsonl | g --max-tokens 9 >want
ok 'a list is each once' sh -c 'jq -r .text got >x; jq -r .text want | cmp - x'
bad() { printf '%s\n' "$1" | peft-generate -q -m base -a a=adapter -a b=b; }
expect 2 '*standard input:1: *no adapter is called z*' bad '{"prompt":"x","adapter":["a","z"]}'
expect 2 '*several together are*' bad '{"prompt":"x","adapter":{"a":"b"}}'
expect 2 '*nothing in it*' bad '{"prompt":"x","adapter":[]}'
expect 2 '*"adapter" is not a string*' bad '{"prompt":"x","adapter":1}'
expect 1 '*is not NAME=A*' peft-generate -m base -a adapter --combine x test.jsonl
expect 2 '*no adapter is called q*' peft-generate -m base -a adapter --combine x=q test.jsonl
expect 2 '*is no weight*' peft-generate -m base -a a=adapter --combine x=a:y test.jsonl
expect 2 "*cannot be called 'base'*" peft-generate -m base -a base=adapter -p x
peft-train -q -m base --method prompt-tuning --set num_virtual_tokens=4 --steps 1 -o p/ tok
expect 2 '*only one can' peft-generate -m base -a p=p -a q=p --combine x=p,q test.jsonl

# ranges of tokens
jq -c '. + {adapters: [[0, "a"]]}' test.jsonl | g --max-tokens 9 >got
jq -c '. + {adapter: "a"}' test.jsonl | g --max-tokens 9 >want
ok 'one range is one adapter' cmp got want
jq -c '. + {adapters: [[0, "base"], [-1, "a"]]}' test.jsonl | g --max-tokens 9 --width 1 >got
jq -c '. + {adapters: [[0, "base"], [-1, "a"]]}' test.jsonl | g --max-tokens 9 >want
ok 'the prompt read by the base, the answer by an adapter' cmp got want
jq -c '. + {adapters: [[0, "base"], [1000, "a"]]}' test.jsonl | g --max-tokens 9 | jq -r .text >got
jq -c '. + {adapter: null}' test.jsonl | g --max-tokens 9 | jq -r .text >want
ok 'a range that is not come to does nothing' cmp got want
jq -c '. + {adapters: [[0, "a"], [3, "b"]]}' test.jsonl | g --max-tokens 9 | jq -r .text >got
jq -c '. + {adapter: "b"}' test.jsonl | g --max-tokens 9 | jq -r .text >want
ok 'an adapter that reads the beginning changes what comes' sh -c '! cmp -s got want'
expect 2 '*begin at token 0*' bad '{"prompt":"x","adapters":[[1,"a"]]}'
expect 2 '*ascend*' bad '{"prompt":"hello","adapters":[[0,"a"],[0,"b"]]}'
expect 2 '*exclude each other*' bad '{"prompt":"x","adapter":"a","adapters":[[0,"a"]]}'
expect 2 '*adapters is not*' bad '{"prompt":"x","adapters":"a"}'
expect 2 '*adapters is not*' bad '{"prompt":"x","adapters":[["a",0]]}'
expect 2 '*adapters is empty*' bad '{"prompt":"x","adapters":[]}'

# --keep-going: what is refused is answered, too, in its place
hello() { printf '{"id":"%s","prompt":"hello","adapter":"%s","max_tokens":%s}\n' "$@"; }
{ echo 'no JSON'; hello 1 a 8; hello 2 none 8; hello 3 b 8; hello 4 a 1000000; hello 5 a -1
    echo '{"id":6.50,"prompt":""}'; echo '{"control":"stop"}'; hello 8 c 8; } >mixed
{ hello 1 a 8; hello 3 b 8; hello 8 c 8; } | g >want
for width in 1 2 16; do
	expect 2 '*6 of the records were refused*' sh -c "peft-generate -m base -a a=adapter -a b=b -a c=c --jsonl --keep-going --kv-limit 1M --width $width mixed"
	ok "--keep-going, width $width: others have their answers" sh -c 'jq -c "select(.text)" out | cmp - want'
	ok 'each in its place' [ "$(jq -r '.id // "-"' out | tr '\n' ' ')" = '- 1 2 3 4 5 6.50 - 8 ' ]
	ok 'by id' jq -s -e '(.[2].error | test("^mixed:3: .*no adapter is called none")) and (.[4].error | test("keys and values of"))' out
done
expect 0 '' sh -c 'sed -n 2p mixed | peft-generate -q -m base -a a=adapter --jsonl --keep-going'
expect 1 '*--keep-going goes with --jsonl*' peft-generate -m base --keep-going mixed
expect 1 '*--keep-going goes with --jsonl*' peft-generate -m base --keep-going --jsonl -p x

# a folder of adapters, read again
mkdir voices; cp -r adapter voices/a; cp -r b voices/b
ask() { printf '{"prompt":"hello","adapter":"%s","max_tokens":8}\n' "$1"; }
expect 0 '' sh -c "echo '{\"prompt\":\"hello\",\"adapter\":\"b\",\"max_tokens\":8}' | peft-generate -q -m base --adapters voices --jsonl"
mv out b.want
ask c | peft-generate -q -m base -a c=c --jsonl >c.want
expect 2 '*no control is called*' bad '{"control":"stop"}'
expect 2 '*needs --adapters' bad '{"control":"reload"}'
expect 2 '*none: *' peft-generate -q -m base --adapters none test.jsonl
# two of one name: at the start an error, later the one before stays
mkdir two; cp -r adapter two/a; cp -r b two/b
peft-merge -q -m base -a b --layout kohya -o two/b.safetensors
expect 2 '*adapter b: two/b has this name, too: two/b.safetensors' peft-generate -q -m base --adapters two test.jsonl
mv two/b.safetensors two/.b
{ ask b; sleep 1; mv two/.b two/b.safetensors; for i in 1 2; do echo '{"control":"reload"}'; ask b; done; } |
    peft-generate -m base --adapters two --jsonl >served 2>said
ok 'two of one name: named, and the one that was there stays' sh -c '[ "$(grep -c "two/b has this name, too: two/b.safetensors; what was there before stays" said)" = 2 ] && [ "$(grep -c "read again: 0 changed" said)" = 2 ] && [ "$(sort -u served | wc -l)" = 1 ]'
mkfifo in
# who waits for lines may look before the other process has opened its files
: >served; : >said
peft-generate -m base --adapters voices --combine both=a,b --jsonl <in >served 2>said &
pid=$!
exec 7>in
# wait N FILE: until it has so many lines
await() {
	tries=0
	while [ "$(wc -l <"$2")" -lt "$1" ] && [ $tries -lt 300 ]; do
		sleep 0.05; tries=$((tries + 1))
	done
}
put() { rm -rf voices/new voices/.new; cp -r "$2" voices/.new; rm -rf "voices/$1"; mv voices/.new "voices/$1"; }
ask b >&7; await 1 served
ok 'answered while the input is open' cmp served b.want
ask both >&7; await 2 served
put b c
ask b >&7; echo '{"control":"reload"}' >&7; ask b >&7; ask both >&7; await 5 served
ok 'before the control line the old one answers' sh -c 'sed -n 3p served | cmp - b.want'
jq -c '.adapter = "b"' c.want >b.new
ok 'behind it the new one' sh -c 'sed -n 4p served | cmp - b.new'
ok 'and in combinations' sh -c '[ "$(sed -n 2p served | jq .text)" != "$(sed -n 5p served | jq .text)" ]'
put b base
put d adapter
kill -HUP $pid; await 3 said
ask b >&7; ask d >&7; await 7 served
ok 'one that does not load is named' grep -q 'adapter b: .*what was there before stays' said
ok 'and the one before stays' sh -c 'sed -n 6p served | cmp - b.new'
ok 'a signal loads what is new' sh -c '[ "$(sed -n 7p served | jq -r .adapter)" = d ]'
rm -rf voices/d
echo '{"control":"reload"}' >&7; ask d >&7
rc=0; wait $pid || rc=$?
exec 7>&-
ok 'what is gone is gone' sh -c "[ $rc = 2 ] && grep -q 'no adapter is called d' said"

done_testing
