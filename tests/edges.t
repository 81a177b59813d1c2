#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The ends of the pipe: full disks, folders that cannot be written, outputs
# that exist, readers that leave, being killed.  Every program that writes.
if [ -z "${EDGES-}" ] && unshare -m true 2>/dev/null; then
	EDGES=mount; export EDGES	# a root may mount, here and nowhere else
	exec unshare -m sh "$0"
fi
. "$TOP/tests/lib.sh"
. "$TOP/tests/fixtures.sh"
. "$TOP/tests/bad.sh"
peft-pack -c -o base.tar.zst base

# Writers, as in bad.sh: $f is -f or nothing, $O begins the output's name.
files() { cat <<'END'
quantize|peft-quantize -q $f -o $O.safetensors base
quantize to GGUF|peft-quantize -q $f -o $O.gguf base
quantize to a folder|peft-quantize -q $f -o $O.d/ base
quantize to shards|peft-quantize -q --shard 60K $f -o $O.d/ base
quantize with a residual|peft-quantize -q -t nf4 --residual-rank 2 --residual-out $O.safetensors $f -o $O.txt base
tokenize|peft-tokenize -q -m base $f -o $O chats.jsonl
decode|peft-tokenize -q -m base --decode $f -o $O tokens.jsonl
lint|peft-tokenize -q -m base --lint $f -o $O chats.jsonl
train|peft-train -q -m base --steps 1 $f -o $O.safetensors tokens.jsonl
train to a folder|peft-train -q -m base --steps 1 $f -o $O.d/ tokens.jsonl
merge|peft-merge -q -m base -a adapter $f -o $O.safetensors
merge to GGUF|peft-merge -q -m base -a adapter $f -o $O.gguf
merge to a folder|peft-merge -q -m base -a adapter $f -o $O.d/
eval|peft-eval -q -m base $f -o $O test.jsonl
importances|peft-eval -q -m base $f -o $O.txt --imatrix $O.gguf test.jsonl
generate|peft-generate -q -m base -p hello --max-tokens 4 $f -o $O
pack|peft-pack -c $f -o $O base
list|peft-pack -t $f -o $O base.tar.zst
inspect|peft-inspect $f -o $O base
END
}
streams() { cat <<'END'
quantize|peft-quantize -q base
tokenize|peft-tokenize -q -m base chats.jsonl
render|peft-tokenize -q -m base --render chats.jsonl
train|peft-train -q -m base --steps 1 tokens.jsonl
plan|peft-train -n -m base tokens.jsonl
merge|peft-merge -q -m base -a adapter
eval|peft-eval -q -m base test.jsonl
generate|peft-generate -q -m base -p hello --max-tokens 4
generate JSON|peft-generate -q -m base --jsonl --max-tokens 4 test.jsonl
pack|peft-pack -c adapter
list|peft-pack -t base.tar.zst
inspect|peft-inspect base
types|peft-quantize --list-types
END
}
# for_files WHAT STATUS GLOB F O [WORDS]: each of them is refused, or each
# whose line has WORDS
for_files() {
	claim0=$1 st=$2 pat=$3 f=$4 O=$5
	files | grep -F -e "${6-}" >rows
	while IFS='|' read -r who cmd <&3; do
		eval "refuse \"$claim0: $who\" \"$st\" \"$pat\" $cmd"
	done 3<rows
}

# ---- outputs that cannot be ---------------------------------------------------

for_files 'no such folder' 2 '*no/such*: No such file*' '' no/such/new
for_files 'a file where the folder should be' 2 '*o/was/new*: Not a dir*' '' \
    o/was/new
for_files 'a folder that takes no files' 2 '*/proc*' '' /proc/new
for_files 'what exists, without -f' 2 '*o/was* exists (-f overwrites it)' '' \
    o/was
fresh; rm o/was o/was.gguf o/was.safetensors
mkdir o/was o/was.gguf o/was.safetensors
echo mine >o/was/x; rm -r o/was.d; echo mine >o/was.d
for_files 'a folder for a file or a file for a folder' 2 \
    '*o/was* exists and is not a f*' -f o/was
fresh; mkdir o/was.d/sub
for_files 'a folder that holds a folder' 2 '*o/was.d holds sub, which is *' -f \
    o/was .d/
fresh
refuse 'no name at all: eval' 1 '-o: the name is empty' \
    peft-eval -q -m base -o '' test.jsonl
refuse 'no name at all: quantize' 1 '-o: the name is empty' \
    peft-quantize -q -o '' base

# what -f does when all is well
expect 0 '' peft-quantize -q -f -o o/was.gguf base
expect 0 '' peft-quantize -q -f -o o/was.d/ base
ok 'all of a folder is replaced' [ ! -e o/was.d/x ]
ok 'and nothing else is there' [ -z "$(find o -name '.peft*')" ]
fresh

# -f over a link replaces the link, not what it leads to
echo mine >target; ln -s ../target o/link
expect 0 '' peft-inspect -f -o o/link base
ok 'a link is replaced, what it led to is not' [ "$(cat target)" = mine ]
ok 'and is a file now' [ ! -h o/link ]
fresh

# ---- full disks ---------------------------------------------------------------

# left FOLDER: what is in it, and its contents' sum
left() { find "$1" | sort; find "$1" -type f -exec sha256sum {} +; }
# full FOLDER WHAT: outputs in the folder fail, and leave it as it was
full() {
	files >rows
	for f in '' -f; do
		O=$1/new
		[ -z "$f" ] || O=$1/was
		while IFS='|' read -r who cmd <&3; do
			was=$(left "$1")
			eval "refuse \"$2 $f: $who\" 2 '*: No space left*' $cmd"
			ok "$2 $f: $who: it is as it was" \
			    [ "$(left "$1")" = "$was" ]
		done 3<rows
	done
}
if [ "${EDGES-}" = mount ]; then
	mkdir small
	mount -t tmpfs -o size=64k,nr_inodes=64 tmpfs small
	mkdir small/was.d
	for was in small/was small/was.gguf small/was.safetensors \
	    small/was.d/x; do
		echo mine >$was
	done
	head -c 1000000 /dev/zero >small/fill 2>/dev/null
	full small 'a full disk'
	truncate -s 20000 small/fill
	O=small/new f=
	files | grep -e quantize -e merge >rows
	while IFS='|' read -r who cmd <&3; do
		eval "refuse 'a disk that fills up: $who' 2 \
		    '*: No space left*' $cmd"
	done 3<rows
	ok 'and nothing is left' [ "$(ls -A small)" = "$(printf '%s\n' fill \
	    was was.d was.gguf was.safetensors)" ]
	refuse 'a disk that fills up: extract' 2 \
	    'small/new: the manifest calls for * bytes, the file system has *' \
	    peft-pack -x -C small/new base.tar.zst
	refuse 'a disk that fills up: checkpoint' 2 '*No space left*' \
	    peft-train -q -m base --save-every 1 --checkpoint small/new \
	    -o o/new tokens.jsonl
	# room for one checkpoint, not for the next beside it
	learn() {
		peft-train -q -m base --batch 4 --steps 6 --checkpoint "$@" tokens.jsonl
	}
	learn whole.ckpt --save-every 1 --keep-checkpoints 2 -o whole/
	size=$(($(wc -c <whole.ckpt.1) * 3 / 2 / 1024))
	mkdir tight
	mount -t tmpfs -o size=${size}k,nr_inodes=64 tmpfs tight
	refuse 'a disk with room for one checkpoint' 2 'tight/new: No space left*' \
	    learn tight/new --save-every 1 -o x/
	ok 'the first is there, and nothing else' [ "$(ls -A tight)" = new ]
	cp tight/new x.ckpt
	umount tight
	expect 0 '' learn x.ckpt --resume -o x/
	ok 'and good: the run goes on to the same bytes' cmp \
	    x/adapter_model.safetensors whole/adapter_model.safetensors
	rm -r x whole
	mount -o remount,ro small
	for_files 'a disk that is read only' 2 '*: Read-only file system' '' \
	    small/new
	refuse 'a disk that is read only: extract' 2 '*: Read-only file system' \
	    peft-pack -x -C small/new base.tar.zst
	umount small
fi
# a limit on the size of files does for those who may not mount
O=o/new f=
files | grep -e quantize -e merge -e '^pack' -e '^train' >rows
while IFS='|' read -r who cmd <&3; do
	eval "refuse 'a file that may not grow: $who' 2 '*: File too large' \
	    sh -c 'ulimit -f 16; \"\$@\"' sh $cmd"
done 3<rows
streams | grep -v -e '^quantize' -e '^merge' -e '^pack' >rows
while IFS='|' read -r who cmd <&3; do
	head -c 16384 /dev/zero >o/out
	refuse "standard output that may not grow: $who" 2 'standard output: File too large' \
	    sh -c "ulimit -f 16; $cmd >>o/out"
done 3<rows
rm o/out

# ---- standard output ----------------------------------------------------------

for cmd in quantize tokenize train merge eval generate pack inspect; do
	expect 2 '*standard output: No space left*' \
	    sh -c "peft-$cmd --help >/dev/full"
done
streams >rows
while IFS='|' read -r who cmd <&3; do
	refuse "a full disk: $who" 2 'standard output: No space left*' \
	    sh -c "$cmd >/dev/full"
	refuse "standard output closed: $who" 2 \
	    'standard output: Bad file descriptor' sh -c "$cmd >&-"
	{ sleep 0.3; sh -c "$cmd" 2>err; echo $? >status; } | :
	while [ ! -s status ]; do sleep 0.1; done
	ok "a reader that left: $who dies of it" [ "$(cat status)" = 141 ]
	ok "and says nothing: $who" [ ! -s err ]
	rm status
done 3<rows
{ peft-quantize -q base; echo $? >status; } | head -c 1 >/dev/null
ok '| head: ends by SIGPIPE' [ "$(cat status)" = 141 ]
run sh -c 'peft-train -q -m base --steps 1 --log log tokens.jsonl >&-'
ok 'what goes to a closed standard output is not in the log' \
    sh -c '! grep -q __metadata__ log'
for cmd in 'peft-quantize -q - -o o/new/' 'peft-tokenize -m base -o o/new' \
    'peft-train -q -m base -o o/new' 'peft-eval -q -m base -o o/new' \
    'peft-generate -q -m base -o o/new' 'peft-pack -t' 'peft-inspect'; do
	refuse "standard input closed: $cmd" 2 'standard input: *' \
	    sh -c "$cmd <&-"
done

# ---- killed in mid-write --------------------------------------------------------

# killed WHAT COMMAND...: its input comes and does not end; it is killed when it
# has begun to write
mkfifo fifo
killed() {
	what=$1; shift
	before=$(listing)
	exec 4<>fifo
	"$@" <fifo >/dev/null 2>&1 & pid=$!
	cat input >&4 & feeder=$!
	tries=0
	until grep -q '^wchar: [1-9]' "/proc/$pid/io" || [ $tries -ge 50 ]; do
		sleep 0.1; tries=$((tries + 1))
	done
	kill "-$sig" $pid
	{ wait $pid; } 2>/dev/null; rc=$?
	kill $feeder 2>/dev/null
	{ wait $feeder; } 2>/dev/null
	exec 4>&-
	[ $tries -lt 50 ] || rc='nothing was written'
	ok "$what: it had begun, and was killed" [ "$rc" = "$status" ]
	rm -rf o/.peft-*
	ok "$what: nothing left but a temporary name" \
	    [ "$(listing)" = "$before" ]
}
peft-quantize -q base | head -c 300000 >cut.safetensors
for sig in KILL TERM; do
	case $sig in KILL) status=137 ;; TERM) status=143 ;; esac
	cp cut.safetensors input
	for out in new.safetensors new.gguf new/ 'was.safetensors -f' \
	    'was.gguf -f' 'was.d/ -f'; do
		# shellcheck disable=SC2086
		killed "quantize, $sig, -o o/$out" peft-quantize -q -o o/$out -
	done
	killed "merge, $sig" peft-merge -q --any-base -m - -a adapter \
	    -o o/new.safetensors
	killed "merge, $sig, -f" peft-merge -q --any-base -m - -a adapter -f \
	    -o o/was.d/
	cat tokens.jsonl tokens.jsonl tokens.jsonl >input
	killed "decode, $sig" peft-tokenize -q -m base --decode -o o/new
	cat chats.jsonl chats.jsonl chats.jsonl chats.jsonl >input
	killed "tokenize, $sig, -f" peft-tokenize -q -m base -f -o o/was
	head -c 300000 base.tar.zst >input
	killed "extract, $sig" peft-pack -x -C o/new
	killed "extract, $sig, into an empty folder" peft-pack -x -C o/none
done

done_testing
