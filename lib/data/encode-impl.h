/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_DATA_ENCODE_IMPL_H
#define PEFT_DATA_ENCODE_IMPL_H

#include "data/encode.h"

/* What encode.c needs for records with classes or choices. */

/* What a record is for, by what it holds unless it is said. */
enum peft_task peft_encode_task(const cJSON *, const struct peft_encopt *);
/* The class of a record whose text is encoded. */
int	peft_encode_class(const cJSON *, const struct peft_encopt *,
	    struct peft_record *, struct peft_err *) PEFT_MUSTCHECK;
/* {"tokens":[word, ...],"ner_tags":[class, ...]}: the class of a word is that
 * of its first token, the others have none. */
int	peft_encode_words(const struct peft_codec *, const cJSON *,
	    const struct peft_encopt *, struct peft_record *,
	    struct peft_err *) PEFT_MUSTCHECK;

/* encode-choices.c: "choices" and "answer", if there are such. */
int	peft_encode_choices(const struct peft_codec *, const cJSON *, bool chat,
	    struct peft_record *, struct peft_err *) PEFT_MUSTCHECK;

#endif
