/* SPDX-License-Identifier: Apache-2.0 */
/* The types that options ask for. */

#include <string.h>

#include "base/opt.h"
#include "quant/convert-opt.h"
#include "quant/quant.h"
#include "quant/sink.h"

static enum peft_dtype
type_of(const char *name)
{
	enum peft_dtype t = peft_dtype_of_name(name);

	if (t == PEFT_NDTYPE || !peft_can_encode(t))
		peft_die(PEFT_USAGE, "-t: type '%s' cannot be written "
		    "(--list-types names those that can)", name);
	return t;
}

/* A pattern, and the type of what it matches or NULL: as it is. */
static void
add_rule(struct peft_typeopt *o, const char *pattern, const char *type)
{
	struct peft_rule *r = &o->rules[o->nrules];

	if (o->nrules++ == PEFT_MAXRULE)
		peft_die(PEFT_USAGE, "more than %d patterns", PEFT_MAXRULE);
	r->pattern = pattern;
	r->dtype = type == NULL ? PEFT_NDTYPE : type_of(type);
}

void
peft_typeopt_type(struct peft_typeopt *o, char *arg)
{
	char *is = strrchr(arg, '=');

	if (is == NULL) {
		o->type = arg;
		return;
	}
	*is = '\0';
	add_rule(o, arg, is + 1);
}

void
peft_typeopt_keep(struct peft_typeopt *o, const char *regex)
{
	add_rule(o, regex, NULL);
}

void
peft_typeopt_settle(const struct peft_typeopt *o, const char *output,
    struct peft_convertopt *convert)
{
	const struct peft_dtype_info *type;

	convert->rules = o->rules;
	convert->nrules = o->nrules;
	convert->gguf = peft_is_gguf_name(output);
	if (convert->imatrix && !convert->gguf)
		peft_die(PEFT_USAGE, "--imatrix is for types of GGUF: -o "
		    "NAME.gguf");
	if (o->pure && o->type == NULL)
		peft_die(PEFT_USAGE, "--pure is for -t TYPE");
	if (o->type == NULL)
		return;
	convert->mix = o->pure ? NULL : peft_mix_of_name(o->type);
	convert->dtype = convert->mix != NULL ? convert->mix->dtype :
	    type_of(o->type);
	type = &peft_dtypes[convert->dtype];
	if (o->pure && (type->ggml < 0 || type->block == 1))
		peft_die(PEFT_USAGE, "--pure is for quantised types of GGUF, "
		    "not for %s", o->type);
}
