/* SPDX-License-Identifier: Apache-2.0 */
/* Looking up a family of decoders. */

#include <stdio.h>
#include <string.h>

#include "model/family.h"

static const struct peft_family *const tables[] = {
	peft_families_llama, peft_families_gemma, peft_families_gpt,
	peft_families_moe,
};

enum { NTABLE = sizeof(tables) / sizeof(tables[0]) };

const struct peft_family *
peft_family_find(const char *model_type)
{
	const struct peft_family *f;
	size_t i;

	for (i = 0; i < NTABLE; i++)
		for (f = tables[i]; f->model_type != NULL; f++)
			if (strcmp(f->model_type, model_type) == 0)
				return f;
	return NULL;
}

void
peft_family_names(char *buf, size_t size)
{
	const struct peft_family *f;
	size_t i, at = 0;
	int n;

	buf[0] = '\0';
	for (i = 0; i < NTABLE; i++)
		for (f = tables[i]; f->model_type != NULL && at < size; f++) {
			n = snprintf(buf + at, size - at, "%s%s", at > 0 ?
			    ", " : "", f->model_type);
			at += n > 0 ? (size_t)n : 0;
		}
}
