/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_DATA_LOAD_H
#define PEFT_DATA_LOAD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "data/encode.h"
#include "data/tokens.h"

/*
 * Records of either kind: token records as they are, chats and other shapes
 * (data/shape.h, in lines, lists or tables: data/rows.h) encoded by the
 * model's own tokenizer and template.  Which of them an input holds is told
 * by its first record.
 */
struct peft_loadopt {
	size_t			vocab;		/* ids are below */
	bool			partial;	/* accept cut streams */
	struct peft_encopt	encode;		/* for chats */
};

/* No paths: standard input.  codec->tok may be NULL: chats are then refused.
 * Token records made by another tokenizer or template than the codec's are
 * refused (PEFT_CHECK). */
int	peft_records_load(struct peft_records *, const struct peft_codec *,
	    char *const *paths, size_t npaths, const struct peft_loadopt *,
	    struct peft_err *) PEFT_MUSTCHECK;

#endif
