/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_EVAL_CLASSES_H
#define PEFT_EVAL_CLASSES_H

#include "base/out.h"
#include "eval/classify.h"

/* A head for classes over labelled records: their lines unless `brief', then
 * the summary, or instead of all that a table.  The classes that records name
 * must be among the head's. */
struct peft_classopt {
	bool	brief, table;
};
int	peft_measure_classes(struct peft_session *, int adapter,
	    struct peft_records *, const struct peft_classopt *,
	    struct peft_out *, struct peft_summary *, struct peft_err *)
	    PEFT_MUSTCHECK;

#endif
