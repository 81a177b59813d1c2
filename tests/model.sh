# SPDX-License-Identifier: Apache-2.0
# Where the large things are that some tests want: reference numbers, other
# tokenizers, and the real model (MODEL=FILE, or where the demo keeps it).
shared=${PEFT_SHARED:-$TOP/../shared}
model=${MODEL:-${XDG_CACHE_HOME:-$HOME/.cache}/peft/SmolLM2-135M-Instruct.Q4_1.gguf}
