/* SPDX-License-Identifier: Apache-2.0 */
/* Adapters that bring a head for classes: the merged model has it instead of
 * the base's. */

#include <string.h>

#include "merge/merge-impl.h"

static bool
same_names(const struct peft_labels *a, const struct peft_labels *b)
{
	size_t i;

	for (i = 0; i < a->n && i < b->n; i++)
		if (strcmp(a->name[i], b->name[i]) != 0)
			return false;
	return a->n == b->n;
}

/* Make room for the head in the base. */
static int
take_head(struct peft_merge *m, struct peft_err *err)
{
	if (peft_config_head(&m->config, &m->head, err) == -1 ||
	    peft_config_graft(&m->config, m->base, err) == -1)
		return peft_errprefix(err, "%s", peft_source_label(m->base));
	peft_sites_close(&m->sites);
	return peft_sites_open(&m->sites, &m->config, m->base, err);
}

int
peft_merge_head(struct peft_merge *m, const struct peft_source *adapter,
    struct peft_err *err)
{
	bool first = m->head.task == PEFT_TASK_AUTO;
	const char *label = peft_source_label(adapter);
	struct peft_labels labels;
	struct peft_headopt head;
	int r = peft_head_of_adapter(adapter, &head, &labels, err);

	if (r == 0)
		r = peft_head_join(&m->head, &head, label, err);
	if (r == 0 && peft_task_classes(head.task)) {
		if (first)
			r = take_head(m, err);
		if (r == 0)
			r = peft_head_names(&labels, m->base, &m->config,
			    err);
		if (r == 0 && !first && !same_names(&m->labels, &labels))
			r = peft_setfail(err, PEFT_CHECK, "%s: its classes "
			    "have other names than those before", label);
	}
	if (r == 0 && first) {
		m->labels = labels;
		return 0;
	}
	peft_labels_free(&labels);
	return r;
}
