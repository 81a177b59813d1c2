/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Adapters that wake up: what comes before the invocation is computed as the
 * base does, so that its keys and values may be the base's.
 */

#include <string.h>

#include "model/kv-impl.h"
#include "model/net-impl.h"

static const struct peft_invocation *
invocation_of(const struct peft_run *run, int adapter)
{
	const struct peft_invocation *v = run->net->sites.invocations;

	while (v != NULL && v->adapter != adapter)
		v = v->next;
	return v;
}

size_t
peft_invoked_from(const struct peft_run *run, const struct peft_seq *s)
{
	const struct peft_invocation *v = invocation_of(run, s->adapter);
	size_t i;

	if (v == NULL || (s->kv != NULL && s->kv->invoked > 0))
		return 0;
	for (i = s->n < v->n ? 0 : s->n - v->n + 1; i > 0; i--)
		if (memcmp(s->ids + i - 1, v->ids, v->n * sizeof(*v->ids)) ==
		    0)
			break;
	if (i == 0)
		return s->n;
	if (s->kv != NULL)
		s->kv->invoked = s->kv->len + i;
	return i - 1;
}
