/* SPDX-License-Identifier: Apache-2.0 */
/* A GGUF without tensors of a tokenizer: vocab-tool TOKENIZER.json
 * TOKENIZER_CONFIG.json ROWS > x.gguf. */

#include <stdio.h>
#include <stdlib.h>

#include "base/in.h"
#include "tensor/ggufmap.h"

static int
slurp(const char *path, struct peft_side *side, struct peft_err *err)
{
	struct peft_buf b = { 0 };

	if (peft_in_slurp(path, 1 << 28, &b, err) == -1)
		return -1;
	*side = (struct peft_side){ path, b.data, b.len };
	return 0;
}

int
main(int argc, char **argv)
{
	static const char arch[] = "llama";
	struct peft_side tok, config;
	struct peft_gguf_out o = { 0 };
	struct peft_err err = { 0 };

	if (argc != 4)
		return 1;
	peft_gguf_put_string(&o, "general.architecture", arch, 5);
	peft_gguf_put_u32(&o, "llama.context_length", 64);
	peft_gguf_put_u32(&o, "llama.embedding_length", 8);
	peft_gguf_put_u32(&o, "llama.block_count", 1);
	peft_gguf_put_u32(&o, "llama.feed_forward_length", 8);
	peft_gguf_put_u32(&o, "llama.attention.head_count", 1);
	peft_gguf_put_f32(&o, "llama.attention.layer_norm_rms_epsilon", 1e-5f);
	if (slurp(argv[1], &tok, &err) == -1 ||
	    slurp(argv[2], &config, &err) == -1 ||
	    peft_vocab_metadata(&tok, &config, NULL, (size_t)atol(argv[3]),
	    &o, &err) == -1 ||
	    peft_gguf_write(stdout, "standard output", &o, NULL, 0,
	    &err) == -1) {
		fprintf(stderr, "%s\n", err.msg);
		return 2;
	}
	peft_buf_free(&o.kv);
	return 0;
}
