/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_DATA_SHOW_H
#define PEFT_DATA_SHOW_H

#include "base/out.h"
#include "data/encode.h"

/* Records as people see them. */
enum peft_style { PEFT_PLAIN, PEFT_COLOUR };

/* Colour on a terminal without NO_COLOR, brackets elsewhere. */
enum peft_style	peft_show_style(int fd);
/* The record's text, token by token; supervised ones in green, or in [[ ]]
 * as one stretch.  Appended, with a line of counts before it. */
void		peft_show_record(struct peft_buf *, const struct peft_codec *,
		    const struct peft_record *, enum peft_style);
/* Token records back to text, a line each; path NULL: standard input.
 * partial: accept a stream that was cut short. */
int		peft_show_decoded(const struct peft_codec *, const char *path,
		    bool partial, struct peft_out *, struct peft_err *)
		    PEFT_MUSTCHECK;

#endif
