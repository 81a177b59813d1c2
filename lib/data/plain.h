/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_DATA_PLAIN_H
#define PEFT_DATA_PLAIN_H

#include "data/encode.h"

/* Text to be encoded, with what is known of its bytes.  From { 0 }. */
struct peft_marked {
	struct peft_buf		text;
	struct peft_buf		mark;	/* 1: a user's word, 0: control */
	struct peft_spans	spans;	/* supervised bytes */
	bool			reach;	/* a token that reaches into a span is
					 * supervised; else it begins in it */
};
void	peft_marked_free(struct peft_marked *);

/* Records that no template renders: {"prompt","completion"} and {"text"},
 * ended by the end token; {"segments":[{"label","text"}]}, whose texts are
 * what they are, special tokens and all. */
int	peft_plain_read(const struct peft_codec *, const cJSON *,
	    const struct peft_encopt *, struct peft_marked *,
	    struct peft_err *) PEFT_MUSTCHECK;

#endif
