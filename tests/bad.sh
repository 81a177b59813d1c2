# SPDX-License-Identifier: Apache-2.0
# Bad input against every program that reads such a thing.  Source it behind
# lib.sh and fixtures.sh.
#
# Outputs go to the folder `o': by turns to a new name, and with -f over what
# is there.  Either way `o' must be as it was.

fresh() {
	rm -rf o
	mkdir o o/was.d o/none
	for was in o/was o/was.gguf o/was.safetensors o/was.d/x; do
		echo mine >$was
	done
}
fresh
peft-tokenize -q -m base -o tokens.jsonl chats.jsonl
each=0

# What each program does with a thing of a kind: "$1" is the thing, $f is -f
# or nothing, $O begins the name of the output.
readers() {
	case $1 in
	model) cat <<-'END' ;;
	quantize|peft-quantize -q $f -o $O.safetensors "$1"
	quantize to GGUF|peft-quantize -q -t q8_0 $f -o $O.gguf "$1"
	quantize to a folder|peft-quantize -q -t nf4 $f -o $O.d/ "$1"
	tokenize|peft-tokenize -q -m "$1" $f -o $O chats.jsonl
	train|peft-train -q -m "$1" --steps 1 $f -o $O.d/ tokens.jsonl
	merge|peft-merge -q -m "$1" -a adapter $f -o $O.d/
	eval|peft-eval -q -m "$1" $f -o $O test.jsonl
	generate|peft-generate -q -m "$1" -p hello $f -o $O
	inspect|peft-inspect $f -o $O "$1"
	END
	pipe) cat <<-'END' ;;
	quantize|sh -c "peft-quantize -q $f -o $O.safetensors - <$1"
	quantize to GGUF|sh -c "peft-quantize -q $f -o $O.gguf - <$1"
	quantize to a folder|sh -c "peft-quantize -q -t nf4 $f -o $O.d/ - <$1"
	tokenize|sh -c "peft-tokenize -q -m - $f -o $O chats.jsonl <$1"
	train|sh -c "peft-train -q -m - --steps 1 $f -o $O.d/ tokens.jsonl <$1"
	merge|sh -c "peft-merge -q -m - -a adapter $f -o $O.d/ <$1"
	eval|sh -c "peft-eval -q -m - $f -o $O test.jsonl <$1"
	generate|sh -c "peft-generate -q -m - -p hello $f -o $O <$1"
	inspect|sh -c "peft-inspect $f -o $O - <$1"
	END
	adapter) cat <<-'END' ;;
	train --init|peft-train -q -m base --init "$1" --steps 1 $f -o $O.d/ tokens.jsonl
	merge|peft-merge -q -m base -a "$1" $f -o $O.d/
	merge to GGUF|peft-merge -q -m base -a "$1" $f -o $O.gguf
	eval|peft-eval -q -m base -a "$1" $f -o $O test.jsonl
	generate|peft-generate -q -m base -a "$1" -p hello $f -o $O
	inspect|peft-inspect $f -o $O "$1"
	END
	tokens) cat <<-'END' ;;
	train|peft-train -q -m base --steps 1 $f -o $O.d/ "$1"
	train --eval|peft-train -q -m base --steps 1 --eval "$1" $f -o $O.d/ tokens.jsonl
	eval|peft-eval -q -m base $f -o $O "$1"
	merge --tokens|peft-merge -q -m base -a adapter --verify --tokens "$1" $f -o $O.d/
	decode|peft-tokenize -q -m base --decode $f -o $O "$1"
	inspect|peft-inspect $f -o $O "$1"
	END
	chats) cat <<-'END' ;;
	tokenize|peft-tokenize -q -m base $f -o $O "$1"
	render|peft-tokenize -q -m base --render $f -o $O "$1"
	eval|peft-eval -q -m base $f -o $O "$1"
	generate|peft-generate -q -m base $f -o $O "$1"
	END
	pack) cat <<-'END' ;;
	extract|peft-pack -x -C $E "$1"
	extract a pipe|sh -c "peft-pack -x -C $E <$1"
	list|peft-pack -t $f -o $O "$1"
	verify|peft-pack --verify "$1"
	END
	esac
}

listing() { ls -AR o; cat o/was o/was.gguf o/was.safetensors o/was.d/x 2>&1; }

# One run, which must fail with one line; $why gathers what is not so.
fails() {
	want=$1 glob=$2; shift 2
	run "$@"			# sets rc
	# shellcheck disable=SC2154
	[ "$rc" -eq "$want" ] || why="$why; status $rc, not $want"
	# shellcheck disable=SC2254
	case $(cat err) in
	peft-*:\ $glob) ;;
	*) why="$why; standard error is not '$glob' but $(head -c 300 err |
	    tr -c '[:print:]' '?')" ;;
	esac
	[ "$(wc -l <err)" -eq 1 ] || why="$why; not one line"
	[ ! -s out ] || why="$why; standard output is not empty"
	if [ "$(listing)" != "$before" ]; then
		why="$why; left: $(ls -AR o)"
		fresh
	fi
}

# refuse WHAT STATUS GLOB COMMAND...: that alone
refuse() {
	claim=$1 why=''; shift
	before=$(listing)
	fails "$@"
	: >err
	ok "$claim" test -z "$why"
}

# each KIND WHAT STATUS GLOB THING [PROGRAMS]: by every program that reads
# such a thing, or by those whose line begins with a word of PROGRAMS
each() {
	kind=$1 bad=$2 status=$3 pattern=$4 thing=$5 only=${6-}
	readers "$kind" >rows
	each=$((each + 1)) turn=$each
	while IFS='|' read -r who cmd <&3; do
		case " ${only:-${who%% *}} " in
		*" ${who%% *} "*) ;;
		*) continue ;;
		esac
		turn=$((turn + 1)) f='' O=o/new E=o/none
		[ $((turn % 2)) -eq 0 ] || f=-f O=o/was E=o/new
		why='' before=$(listing)
		set -- "$thing"
		eval "fails \"\$status\" \"\$pattern\" $cmd"
		: >err
		ok "$bad: $who" test -z "$why"
	done 3<rows
}
