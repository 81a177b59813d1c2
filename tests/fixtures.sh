# SPDX-License-Identifier: Apache-2.0
# The tiny model in the scratch folder, under the names the manual uses.
tiny=$TOP/tests/golden/tiny
cp -r "$tiny/model" base
cp -r "$tiny/adapter" adapter
chmod -R u+w base adapter
cp "$tiny/chats.jsonl" "$tiny/test.jsonl" .
peft-quantize -q -t f16 -o base.gguf base
