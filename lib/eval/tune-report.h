/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_EVAL_TUNE_REPORT_H
#define PEFT_EVAL_TUNE_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "merge/residual.h"
#include "quant/fidelity.h"

/* What is told of each weight that is converted, and at the end of all; in
 * words or, for machines, a JSON object a line. */
enum { PEFT_WORST = 5 };

struct peft_report {
	bool	json;
	bool	measured;	/* errors are told, not types alone */
	struct peft_fidelity total;	/* of weights whose type changed */
	size_t	weights;
	double	values, bits;		/* of all weights, as they become */
	struct {
		char	name[256];
		double	rms;
	}	worst[PEFT_WORST];	/* by relative error, descending */
	size_t	nworst;
};

/* Append the line of a weight; e and sums (weights 0: none) as measured. */
void	peft_report_weight(struct peft_report *, struct peft_buf *,
	    const struct peft_weight *, const struct peft_spec *,
	    const struct peft_fidelity *e, const struct peft_residual_sums *);
/* Append the lines of all, if errors were measured. */
void	peft_report_end(const struct peft_report *, struct peft_buf *);

#endif
