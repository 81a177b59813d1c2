#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Tokenizers with stages drawn by lot, and with those that models publish,
# against Hugging Face's; TAP.  PEERS= names a virtual environment with
# tokenizers, and for the second sentencepiece.  SEED=N COUNT=N
# TEMPLATES=FOLDER: chat templates in it, against transformers'.
. "$TOP/tests/lib.sh"
"${PEERS:-}/bin/python" -c 'import tokenizers' 2>/dev/null ||
    { echo "1..0 # SKIP no tokenizers in PEERS=${PEERS:-}"; exit 0; }
COUNT=${COUNT:-200}
ok "$COUNT random tokenizers" \
    "$PEERS/bin/python" "$TOP/tests/parity/random_tokenizers.py" \
    "$TOP/tests/golden/tok" "$(command -v tokenizer-unit)" "${SEED:-1}" "$COUNT"
if "$PEERS/bin/python" -c 'import sentencepiece' 2>/dev/null; then
	ok 'the pipelines of models' "$PEERS/bin/python" \
	    "$TOP/tests/parity/pipelines.py" "$(command -v tokenizer-unit)" \
	    "${SEED:-1}" "$COUNT"
else
	skip 'the pipelines of models' "no sentencepiece in PEERS=$PEERS"
fi
if [ -d "${TEMPLATES:-}" ]; then
	ok "the templates of $TEMPLATES" "$PEERS/bin/python" \
	    "$TOP/tests/parity/templates.py" "$TEMPLATES" \
	    "$(command -v template-unit)" "${SEED:-1}" 10
else
	skip 'chat templates' 'no TEMPLATES='
fi
done_testing
