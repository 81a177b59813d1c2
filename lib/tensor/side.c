/* SPDX-License-Identifier: Apache-2.0 */
/* Side files. */

#include <stdlib.h>
#include <string.h>

#include "tensor/side.h"

const char *const peft_side_names[] = {
	"config.json", "generation_config.json", "tokenizer.json",
	"tokenizer_config.json", "chat_template.jinja",
	"special_tokens_map.json", "adapter_config.json",
	"head_config.json", NULL
};

int
peft_sides_add(struct peft_sides *s, const char *name, struct peft_buf *data,
    struct peft_err *err)
{
	struct peft_side *grown;
	char *copy = NULL;

	grown = peft_grow(s->at, s->n, &s->cap, sizeof(*s->at), err);
	if (grown != NULL)
		s->at = grown;
	if (data->failed)
		peft_seterr(err, "%s: no memory", name);
	else if (peft_sides_find(s, name) != NULL)
		peft_seterr(err, "%s is there twice", name);
	else if (grown != NULL)
		copy = peft_strdup(name, err);
	if (copy == NULL) {
		peft_buf_free(data);
		return -1;
	}
	s->at[s->n++] = (struct peft_side){ copy, data->data, data->len };
	*data = (struct peft_buf){ 0 };
	return 0;
}

const struct peft_side *
peft_sides_find(const struct peft_sides *s, const char *name)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (strcmp(s->at[i].name, name) == 0)
			return &s->at[i];
	return NULL;
}

void
peft_sides_free(struct peft_sides *s)
{
	size_t i;

	for (i = 0; i < s->n; i++) {
		free((void *)(uintptr_t)s->at[i].name);
		free((void *)(uintptr_t)s->at[i].data);
	}
	free(s->at);
	*s = (struct peft_sides){ 0 };
}
