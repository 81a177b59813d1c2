#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# peft-pack: reproducible, checked, safe.
. "$TOP/tests/lib.sh"
mkdir -p d/e; echo one >d/1; echo two >d/e/2; head -c 300000 /dev/zero >d/zeros; : >d/empty
expect 0 '' peft-pack -c -o a.tar.zst d
sleep 1; touch d/1
expect 0 '' peft-pack -c -o b.tar.zst d/
ok 'other times, the same bytes' cmp a.tar.zst b.tar.zst
cat a.tar.zst | peft-pack -t >list
ok 'the list has digests' grep -q "$(sha256sum d/1 | cut -d' ' -f1).* d/1" list
expect 0 '' peft-pack -x -C out1 a.tar.zst
ok 'what went in comes out' diff -r out1/d d
expect 0 '' peft-pack --verify a.tar.zst
ok 'tar reads it too' sh -c 'tar --zstd -tf a.tar.zst | grep -q d/e/2'
expect 2 '*exists*' peft-pack -c -o a.tar.zst d
expect 2 '*' peft-pack -x -C out1 a.tar.zst
expect 1 '*needs files' peft-pack -c -o x
expect 1 '*-o and -f go with -c and -t' peft-pack -x -C out2 -o x a.tar.zst
expect 1 '*-o and -f go with -c and -t' peft-pack --verify -f a.tar.zst
ln -s /etc/passwd d/link
expect 2 '*neither a file nor a folder*' peft-pack -c -o x d
rm d/link

size=$(wc -c <a.tar.zst)
for at in 0 4 50 $((size / 2)) $((size - 1)); do
	head -c "$at" a.tar.zst >cut.zst
	expect 2 '*' peft-pack -x -C bad cut.zst
done
ok 'cut packs leave nothing' [ ! -e bad ]

# packs made by hand, with a manifest that is right or wrong
sum=$(sha256sum d/1 | cut -d' ' -f1)
pack() { printf '{"peft.pack":1,"files":[%s]}' "$1" >MANIFEST.json; shift; tar -P --zstd -cf bad.tar.zst MANIFEST.json "$@"; }
m() { printf '{"name":"%s","size":%s,"sha256":"%s"}' "$1" "$2" "$3"; }
no() { expect "$1" "$2" peft-pack -x -C bad bad.tar.zst; ok 'and nothing appears' [ ! -e bad ] ; }
pack "$(m d/1 4 "$sum")" d/1; expect 0 '' peft-pack --verify bad.tar.zst
pack "$(m d/1 4 "$(echo "$sum" | tr 0-9 1-90)")" d/1; no 3 '*not what the manifest says'
pack "$(m d/1 9 "$sum")" d/1; no 3 '*not what the manifest says'
pack "$(m ../x 4 "$sum")" d/1; no 2 "*'../x' is no name*"
pack "$(m /x 4 "$sum")" d/1; no 2 "*'/x' is no name*"
cp d/1 "$scratch/abs"; pack "$(m d/1 4 "$sum")" "$scratch/abs"; no 2 "*a member is called*"
pack "$(m d/1 4 "$sum")"; no 2 '*in the manifest and not in the pack'
pack "$(m d/1 4 "$sum")" d/1 d/1; no 2 '*'
pack "$(m d/1 4 "$sum")" d/1 d/e/2; no 2 '*not in the manifest'
ln -sf /etc/passwd s; pack "$(m s 4 "$sum")" s; no 2 '*not a regular file'
mkfifo p; pack "$(m p 4 "$sum")" p; no 2 '*not a regular file'
pack "$(m d/zeros 10 "$sum")" d/zeros; no 3 '*not what the manifest says'
pack "$(m d 4 "$sum"),$(m d/1 4 "$sum")" d/1; no 2 '*d/1 is in a folder that is a file'
tar --zstd -cf bad.tar.zst d/1; no 2 '*not a pack*'

# nothing stands behind the end, in the stream or in the tar
cat a.tar.zst a.tar.zst >bad.tar.zst; no 2 '*has trailing bytes behind the archive'
(cat a.tar.zst; echo more) >bad.tar.zst; no 2 '*damaged or cut*'
(zstd -qdc a.tar.zst; echo more) | zstd -q >bad.tar.zst; no 2 '*has trailing bytes behind the archive'
(zstd -qdc a.tar.zst; head -c 2048 /dev/zero) | zstd -q >b.tar.zst
expect 0 '' peft-pack --verify b.tar.zst

done_testing
