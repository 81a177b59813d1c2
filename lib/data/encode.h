/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_DATA_ENCODE_H
#define PEFT_DATA_ENCODE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/json.h"
#include "data/tokens.h"
#include "tensor/source.h"
#include "text/template.h"
#include "text/tokenizer.h"

/*
 * From what people write (chats, prompts, texts as JSON objects) to token
 * records, by a model's own tokenizer and chat template.
 */
struct peft_codec {
	struct peft_tokenizer	*tok;
	struct peft_template	*tmpl;		/* NULL: the model has none */
	struct peft_tokens_info	 info;
	char			*bos, *eos;	/* texts, for the template; or NULL */
};

/* Finds tokenizer.json, tokenizer_config.json and the template among the
 * model's side files (chat_template.jinja first, then the config's). */
int	peft_codec_open(struct peft_codec *, const struct peft_source *,
	    struct peft_err *) PEFT_MUSTCHECK;
void	peft_codec_close(struct peft_codec *);
/* Of a model without a tokenizer: why, or what was looked for. */
const char *peft_codec_missing(const struct peft_source *);

enum peft_supervise { PEFT_SUP_LAST, PEFT_SUP_ALL, PEFT_SUP_TEXT };

struct peft_encopt {
	enum peft_supervise	 supervise;	/* which assistant turns */
	bool			 prompt_only;	/* for generation: render with
						 * add_generation_prompt, no
						 * labels; a trailing assistant
						 * turn is dropped */
	const cJSON		*set;		/* more template variables */
};

/* A record of any shape the toolkit knows ({"messages"}, {"text"},
 * {"prompt","completion"}, either with {"choices","answer"}) to tokens. */
int	peft_encode_record(const struct peft_codec *, const cJSON *,
	    const struct peft_encopt *, struct peft_record *, struct peft_err *)
	    PEFT_MUSTCHECK;
/* The rendered text alone, appended. */
int	peft_render_record(const struct peft_codec *, const cJSON *,
	    const struct peft_encopt *, struct peft_buf *, struct peft_err *)
	    PEFT_MUSTCHECK;

#endif
