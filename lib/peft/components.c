/* SPDX-License-Identifier: Apache-2.0 */
/* Principal components, batch by batch. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "math/eigen.h"
#include "peft/components.h"

int
peft_components_open(struct peft_components *c, size_t in, size_t most,
    double tau, struct peft_err *err)
{
	*c = (struct peft_components){ .in = in, .most = most, .tau = tau };
	c->component = peft_calloc(most * (in + 1) + in, sizeof(double), err);
	c->converged = peft_calloc(most + 1, sizeof(bool), err);
	if (c->component == NULL || c->converged == NULL)
		return -1;
	c->value = c->component + most * in;
	c->mean = c->value + most;
	return 0;
}

void
peft_components_close(struct peft_components *c)
{
	free(c->component);
	free(c->converged);
}

/* Rows [n, in] in x become what they differ from their mean by; the mean of
 * all rows so far, and how far these are from it. */
static void
centre(struct peft_components *c, double *x, size_t n, double *correction)
{
	size_t d = c->in, t, i;
	double all = (double)(c->seen + n), was = (double)c->seen;
	double f = sqrt(was / all * (double)n);

	for (i = 0; i < d; i++) {
		double mean = 0, off;

		for (t = 0; t < n; t++)
			mean += x[t * d + i];
		mean /= (double)n;
		for (t = 0; t < n; t++) {
			off = x[t * d + i] -= mean;
			c->spread += off * off;
		}
		off = c->mean[i] - mean;
		correction[i] = c->seen == 0 ? 0 : f * off;
		c->spread += correction[i] * correction[i];
		c->mean[i] = (was * c->mean[i] + (double)n * mean) / all;
	}
}

/* The largest entry of each component is positive, as PEFT turns them; and is
 * it where it was? */
static void
settle(struct peft_components *c, const double *new)
{
	size_t d = c->in, j, i;

	for (j = 0; j < c->most; j++) {
		const double *v = new + j * d;
		double *was = c->component + j * d, dot = 0, sign = 1;
		double top = 0, n0 = 0, n1 = 0;

		for (i = 0; i < d; i++)
			if (fabs(v[i]) > top) {
				top = fabs(v[i]);
				sign = v[i] < 0 ? -1 : 1;
			}
		for (i = 0; i < d; i++) {
			dot += sign * v[i] * was[i];
			n0 += was[i] * was[i];
			n1 += v[i] * v[i];
			was[i] = sign * v[i];
		}
		c->converged[j] = c->seen > 0 && n0 * n1 > 0 &&
		    dot / sqrt(n0 * n1) >= c->tau;
	}
}

int
peft_components_add(struct peft_components *c, const struct peft_cpu *cpu,
    double *x, size_t n, struct peft_err *err)
{
	size_t d = c->in, k = c->seen > 0 ? c->most : 0, j, i;
	double *rows = x - k * d;
	double *new = peft_calloc(c->most * (d + 1), sizeof(*new), err);
	int r;

	if (new == NULL)
		return -1;
	centre(c, x, n, x + n * d);
	for (j = 0; j < k; j++)
		for (i = 0; i < d; i++)
			rows[j * d + i] = c->value[j] *
			    c->component[j * d + i];
	r = peft_principal(cpu, rows, k + n + (k > 0), d, c->most,
	    new + c->most * d, new, err);
	if (r == 0) {
		settle(c, new);
		memcpy(c->value, new + c->most * d, c->most *
		    sizeof(*new));
		c->seen += n;
	}
	free(new);
	return r;
}
