/* SPDX-License-Identifier: Apache-2.0 */
/* A GGUF without tensors of a tokenizer: vocab-tool TOKENIZER.json
 * TOKENIZER_CONFIG.json ROWS > x.gguf. */

#include <stdio.h>
#include <stdlib.h>

#include "base/in.h"
#include "tensor/ggufmap.h"

static int
slurp(const char *path, struct peft_buf *b, struct peft_side *side,
    struct peft_err *err)
{
	if (peft_in_slurp(path, 1 << 28, b, err) == -1)
		return -1;
	*side = (struct peft_side){ path, b->data, b->len, false,
	    NULL };
	return 0;
}

static int
write_gguf(char **argv, struct peft_buf *text, struct peft_gguf_out *o,
    struct peft_err *err)
{
	static const char arch[] = "llama";
	struct peft_side tok, config;

	peft_gguf_put_string(o, "general.architecture", arch, 5);
	peft_gguf_put_u32(o, "llama.context_length", 64);
	peft_gguf_put_u32(o, "llama.embedding_length", 8);
	peft_gguf_put_u32(o, "llama.block_count", 1);
	peft_gguf_put_u32(o, "llama.feed_forward_length", 8);
	peft_gguf_put_u32(o, "llama.attention.head_count", 1);
	peft_gguf_put_f32(o, "llama.attention.layer_norm_rms_epsilon", 1e-5f);
	if (slurp(argv[1], &text[0], &tok, err) == -1 ||
	    slurp(argv[2], &text[1], &config, err) == -1 ||
	    peft_vocab_metadata(&tok, &config, NULL, (size_t)atol(argv[3]),
	    o, err) == -1)
		return -1;
	return peft_gguf_write(stdout, "standard output", o, NULL, 0, err);
}

int
main(int argc, char **argv)
{
	struct peft_buf text[2] = { { 0 } };
	struct peft_gguf_out o = { 0 };
	struct peft_err err = { 0 };
	int status = 1;

	if (argc == 4) {
		status = write_gguf(argv, text, &o, &err) == 0 ? 0 : 2;
		if (status != 0)
			fprintf(stderr, "%s\n", err.msg);
	}
	peft_buf_free(&text[0]);
	peft_buf_free(&text[1]);
	peft_buf_free(&o.kv);
	return status;
}
