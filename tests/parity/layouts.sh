#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# LyCORIS, diffusers, mlx-lm and torchtune load what is written here in their
# layouts and compute the same.  LAYOUTS (or PEERS): a virtual environment with
# those of them that there are; TORCHAO: see layouts.py.
. "$TOP/tests/lib.sh"
env=${LAYOUTS:-${PEERS:-}}
python=${env:+$env/bin/}python3
model=$TOP/tests/golden/llama/model
ids='[1,85,91,311,71,79,201,48]'
echo "{\"input_ids\":$ids,\"labels\":$ids}" >ids.tok
cat >off.py <<'X'
import sys
import numpy
a, b, c = [numpy.fromfile(f, dtype="<f4") for f in sys.argv[1:]]
off = abs(a - b).max() / abs(a).max()
print(f"# off by {off:.1e} of the largest logit; the adapter moves them by "
      f"{abs(a - c).max():.2g}")
sys.exit(not (off <= 1e-4 and abs(a - c).max() > 0.01))
X
logits-tool "$model" <ids.tok >none.f
peft-train -q -m "$model" --rank 3 --alpha 5 --steps 4 --lr 0.05 -o lora/ ids.tok
peft-train -q -m "$model" --set use_dora=true --rank 3 --steps 4 --lr 0.05 \
    -o dora/ ids.tok
there=$("$python" "$TOP/tests/parity/layouts.py" list 2>/dev/null)
# of NAME METHOD OPTION...: a short training, into NAME/
of() {
	name=$1 method=$2; shift 2
	peft-train -q -m "$model" --method "$method" "$@" --steps 4 --lr 0.05 \
	    -o "$name/" ids.tok
}
of loha loha --rank 3 --alpha 5
of lokr lokr --rank 2 --alpha 5
of lokr8 lokr --rank 2 --alpha 5 --set decompose_factor=4
of lokrboth lokr --rank 1 --alpha 3 --set decompose_both=true
of lokrfull lokr --rank 16 --alpha 4
for what in kohya kohya-dora kohya-loha kohya-lokr kohya-lokr8 kohya-lokrboth kohya-lokrfull diffusers mlx \
    mlx-dora torchtune torchtune-dora; do
	layout=${what%-*} from=lora to=$what.safetensors
	[ "$layout" = "$what" ] || from=${what##*-}
	case $layout in mlx|torchtune) to=$what/;; esac
	if ! echo "$there" | grep -qx "$what"; then
		skip "$what" "it is not in LAYOUTS=${LAYOUTS:-}"
		continue
	fi
	expect 0 '*' peft-merge -q -m "$model" -a $from --layout "$layout" -o "$to"
	logits-tool "$model" $from <ids.tok >ours.f
	run "$python" -W ignore "$TOP/tests/parity/layouts.py" read "$model" "$what" "$to" theirs.f
	ok "$what: loaded there, the same logits" "$python" off.py ours.f theirs.f none.f
	cat ok.log
done
# torchtune's other families, over small models of their own
targets=q_proj,k_proj,v_proj,o_proj,gate_proj,up_proj,down_proj
for family in qwen2 gemma mistral; do
	what=torchtune-$family
	if ! echo "$there" | grep -qx "$what"; then
		skip "$what" "it is not in LAYOUTS=${LAYOUTS:-}"
		continue
	fi
	"$python" -W ignore "$TOP/tests/parity/layouts.py" tiny $family m-$family 2>err || exit 1
	peft-train -q -m m-$family --rank 3 --alpha 5 --steps 4 --lr 0.05 \
	    --target $targets -o a-$family/ ids.tok
	expect 0 '*' peft-merge -q -m m-$family -a a-$family --layout torchtune -o t-$family/
	logits-tool m-$family <ids.tok >none.f
	logits-tool m-$family a-$family <ids.tok >ours.f
	run "$python" -W ignore "$TOP/tests/parity/layouts.py" read m-$family "$what" t-$family theirs.f
	ok "$what: loaded there, the same logits" "$python" off.py ours.f theirs.f none.f
	cat ok.log
	expect 0 '*' peft-merge -q -m m-$family -a t-$family --layout peft -o b-$family/
	ok "$what: and back, bit by bit" cmp a-$family/adapter_model.safetensors b-$family/adapter_model.safetensors
done
done_testing
