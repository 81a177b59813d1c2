/* SPDX-License-Identifier: Apache-2.0 */
/* What training asks of an adapter. */

#include <string.h>

#include "peft/method.h"
#include "peft/tied.h"

void
peft_adapter_zerograd(struct peft_adapter *a)
{
	memset(a->grads, 0, a->ngrads * sizeof(float));
}

double
peft_adapter_penalty(struct peft_adapter *a)
{
	return a->method->penalty == NULL ? 0 : a->method->penalty(a);
}

void
peft_adapter_stepped(struct peft_adapter *a, size_t step, double gscale)
{
	if (a->method->stepped != NULL)
		a->method->stepped(a, step, gscale);
}

float *
peft_adapter_kept(struct peft_adapter *a, int i, const char **name)
{
	return a->method->kept == NULL ? NULL : a->method->kept(a, i, name);
}

int
peft_adapter_finish(struct peft_adapter *a, struct peft_cpu *cpu,
    struct peft_err *err)
{
	const struct peft_virtual *v = &a->virtuals;

	/* what an encoder makes of its last values is what is saved */
	if (v->ops != NULL && v->ops->begin != NULL)
		v->ops->begin(v->self, cpu, NULL);
	peft_tied_finish(a);
	return a->method->finish == NULL ? 0 : a->method->finish(a, err);
}

const char *
peft_adapter_note(const struct peft_adapter *a)
{
	return a->note;
}
