/* SPDX-License-Identifier: Apache-2.0 */
/* The table of adapter methods. */

#include <stdio.h>
#include <string.h>

#include "peft/method.h"

#define METHODS(row) \
	row(lora) row(adalora) row(adaption_prompt) row(boft) row(bottleneck) \
	row(c3a) row(cpt) row(delora) row(fourierft) row(hira) row(hra) \
	row(hub_fusion) row(hub_lora) row(hub_prefix_tuning) row(hub_union) \
	row(ia3) row(ln_tuning) row(loha) row(lokr) row(miss) row(multitask) \
	row(oft) row(p_tuning) row(poly) row(prefix_tuning) \
	row(prompt_tuning) row(randlora) row(road) row(shira) \
	row(trainable_tokens) row(vblora) row(vera) row(xlora)

#define DECLARE(method)	extern const struct peft_method peft_##method;
#define POINT(method)	&peft_##method,

METHODS(DECLARE)
static const struct peft_method *const methods[] = { METHODS(POINT) };

enum { NMETHOD = sizeof(methods) / sizeof(methods[0]) };

/* Of PEFT 0.21. */
static bool
is_newer(const char *type)
{
	static const char *const types[] = { "ADAMSS", "BEFT", "CARTRIDGE",
	    "DEFT", "FROD", "GLORA", "GRALORA", "LILY", "OSF", "PEANUT",
	    "PSOFT", "PVERA", "SHADOW", "SUPERTUNING", "TINYLORA", "UNILORA",
	    "WAVEFT" };
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(types[i], type) == 0)
			return true;
	return false;
}

const struct peft_method *
peft_method_find(const char *type, struct peft_err *err)
{
	char known[512] = "";
	size_t i;

	for (i = 0; i < NMETHOD; i++) {
		if (strcmp(methods[i]->type, type) == 0)
			return methods[i];
		snprintf(known + strlen(known), sizeof(known) - strlen(known),
		    "%s%s", i > 0 ? ", " : "", methods[i]->type);
	}
	peft_seterr(err, "peft_type \"%s\" is %s (known: %s)", type,
	    is_newer(type) ? "a method of PEFT's that is not done here" :
	    "not known", known);
	return NULL;
}

static const struct peft_method *
by_type(const char *type)
{
	size_t i;

	for (i = 0; i < NMETHOD; i++)
		if (strcmp(methods[i]->type, type) == 0)
			return methods[i];
	return NULL;
}

const char *
peft_method_type(const char *name)
{
	size_t i;

	for (i = 0; i < NMETHOD; i++)
		if (strcmp(methods[i]->name, name) == 0)
			return methods[i]->type;
	return peft_preset_type(name);
}

const char *
peft_method_knob(const char *type, int knob)
{
	const struct peft_method *m = by_type(type);

	return m == NULL ? NULL : m->knobs[knob];
}

bool
peft_method_is_for_all(const char *type)
{
	const struct peft_method *m = by_type(type);

	return m != NULL && m->kinds >> PEFT_LINEAR & 1 && m->usual == NULL &&
	    !m->hub && m->gather == NULL;
}

bool
peft_method_is_virtual(const char *type)
{
	const struct peft_method *m = by_type(type);

	return m != NULL && m->kinds == 0;
}

void
peft_method_names(char *names, size_t size)
{
	size_t i, n = 0;

	for (names[0] = '\0', i = 0; i < NMETHOD && n < size; i++)
		n += (size_t)snprintf(names + n, size - n, "%s%s",
		    i > 0 ? ", " : "", methods[i]->name);
	for (i = 0; peft_preset_name(i) != NULL && n < size; i++)
		n += (size_t)snprintf(names + n, size - n, ", %s",
		    peft_preset_name(i));
}
