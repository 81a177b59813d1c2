/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TRAIN_PLOT_H
#define PEFT_TRAIN_PLOT_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/* The losses in the log of a run (train/log.h), drawn. */
struct peft_point {
	double	step, loss;
};

struct peft_curve {
	struct peft_point	*at;
	size_t			 n, room;
};

struct peft_plot {
	struct peft_curve	 train, eval;	/* eval: of the first set */
};

/* Lines that are neither a step nor an evaluation are passed over; a log
 * without a step is refused. */
int	peft_plot_read(struct peft_plot *, const char *path, struct peft_err *)
	    PEFT_MUSTCHECK;
void	peft_plot_free(struct peft_plot *);
/* In characters: . the mean loss of the steps of a column, o evaluations. */
void	peft_plot_text(const struct peft_plot *, struct peft_buf *);
/* As a drawing for reports. */
void	peft_plot_svg(const struct peft_plot *, struct peft_buf *);

#endif
