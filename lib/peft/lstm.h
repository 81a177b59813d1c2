/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_PEFT_LSTM_H
#define PEFT_PEFT_LSTM_H

#include <stddef.h>

/*
 * torch's bidirectional LSTM (Hochreiter & Schmidhuber 1997) over one
 * sequence of n, of some layers.  Its weights in one array: for each layer,
 * forwards then backwards, weight_ih [4 h, in], weight_hh [4 h, h], bias_ih,
 * bias_hh [4 h]; gates in the order i, f, g, o.
 */
struct peft_lstm {
	size_t		 n, in, hidden, layers;
	const float	*w;
	float		*g;		/* its gradient */
	float		*work;		/* what run leaves for back */
};

size_t	peft_lstm_floats(size_t in, size_t hidden, size_t layers);
size_t	peft_lstm_work(size_t n, size_t in, size_t hidden, size_t layers);
/* y [n, 2 h] from x [n, in]. */
void	peft_lstm_run(const struct peft_lstm *, const float *x, float *y);
/* g += .., dx = .. from dy. */
void	peft_lstm_back(const struct peft_lstm *, const float *x,
	    const float *dy, float *dx);

#endif
