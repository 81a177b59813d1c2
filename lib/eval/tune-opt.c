/* SPDX-License-Identifier: Apache-2.0 */
/* The options of what peft-quantize does beyond conversion. */

#include <string.h>

#include "eval/tune.h"
#include "math/cores.h"
#include "quant/quant.h"

static const struct peft_likeness unmeasured;

/* "q4_k,q6_k": types that can be written. */
static void
add_types(struct peft_tuneopt *o, const char *list)
{
	char name[32];
	size_t n;

	o->ntypes = 0;
	for (; *list != '\0'; list += n, list += *list == ',') {
		n = strcspn(list, ",");
		if (n >= sizeof(name) || o->ntypes == PEFT_NDTYPE)
			peft_die(PEFT_USAGE, "--fit-types: '%s' is no list of "
			    "types", list);
		memcpy(name, list, n);
		name[n] = '\0';
		o->types[o->ntypes] = peft_dtype_of_name(name);
		if (o->types[o->ntypes] == PEFT_NDTYPE ||
		    !peft_can_encode(o->types[o->ntypes]))
			peft_die(PEFT_USAGE, "--fit-types: type '%s' cannot "
			    "be written (--list-types names those that can)",
			    name);
		o->ntypes++;
	}
	if (o->ntypes == 0)
		peft_die(PEFT_USAGE, "--fit-types names no type");
}

void
peft_tune_option(struct peft_tuneopt *o, int ch, char *arg)
{
	switch (ch) {
	case PEFT_O_FIT:
		o->fit = peft_optsize("--fit", arg);
		if (o->fit == 0)
			peft_die(PEFT_USAGE, "--fit: nothing fits in 0 bytes");
		break;
	case PEFT_O_FITTYPES:
		add_types(o, arg);
		break;
	case PEFT_O_CALIBRATE:
		o->calibrate = arg;
		break;
	case PEFT_O_RANK:
		o->residual.rank = (size_t)peft_optint("--residual-rank", arg,
		    1, 1 << 16);
		break;
	case PEFT_O_RESIDUAL:
		o->residual.path = arg;
		break;
	case PEFT_O_ITERS:
		o->residual.iters = (int)peft_optint("--residual-iters", arg,
		    1, 1000);
		break;
	case PEFT_O_VERIFY:
		o->verify = arg;
		break;
	case PEFT_O_BELOW:
	case PEFT_O_ABOVE:
		peft_limits_add(&o->limits, arg, ch == PEFT_O_BELOW ? -1 : 1,
		    peft_likeness_metric, &unmeasured);
		break;
	}
}

void
peft_tune_settle(struct peft_tuneopt *o, const struct peft_common *c,
    const char *model, bool typed)
{
	bool out = peft_has_file(c), verify = o->verify != NULL;
	const struct peft_residualopt *r = &o->residual;
	const struct peft_optrule rules[] = {
		{ o->fit == 0 && (o->ntypes > 0 || o->calibrate != NULL),
		    "--fit-types and --calibrate are for --fit" },
		{ o->fit > 0 && typed, "--fit chooses the types: -t takes "
		    "REGEX=TYPE beside it, not TYPE" },
		{ (r->rank > 0) != (r->path != NULL), "--residual-rank and "
		    "--residual-out need each other" },
		{ r->iters > 0 && r->rank == 0,
		    "--residual-iters is for --residual-rank" },
		{ o->limits.n > 0 && !verify,
		    "--fail-below and --fail-above are for --verify" },
		{ (o->fit > 0 || verify) && strcmp(model, "-") == 0, "--fit "
		    "and --verify read the model more than once: it cannot "
		    "come from standard input" },
		{ (verify && c->dry) || (!out && !c->dry && (verify ||
		    r->rank > 0)), "--verify and --residual-rank read the "
		    "output back: they need -o FILE" },
	};

	peft_optcheck(rules, sizeof(rules) / sizeof(rules[0]));
	o->model = model;
	o->threads = c->threads > 0 ? c->threads : peft_cores();
	o->residual.base = out ? c->output : NULL;
	o->residual.force = c->force;
	if (o->residual.iters == 0)
		o->residual.iters = 1;
}

/* May a weight get one of bitsandbytes' 4-bit types? */
static bool
asks_4bit(const struct peft_tuneopt *o, const struct peft_convertopt *c)
{
	enum peft_dtype types[PEFT_NDTYPE];
	bool any = peft_is_4bit(c->dtype);
	size_t i, n = o->ntypes;

	memcpy(types, o->types, sizeof(types));
	if (o->fit > 0 && n == 0)
		n = peft_fit_types(c->gguf, types);
	for (i = 0; i < n; i++)
		any |= peft_is_4bit(types[i]);
	for (i = 0; i < c->nrules; i++)
		any |= peft_is_4bit(c->rules[i].dtype);
	return any;
}

void
peft_tune_heeded(const struct peft_tuneopt *o,
    const struct peft_convertopt *c)
{
	bool typed = c->dtype != PEFT_NDTYPE || o->fit > 0;
	size_t i;

	if ((c->blocksize & (c->blocksize - 1)) != 0)
		peft_die(PEFT_USAGE, "--block-size: %zu is not a power of two",
		    c->blocksize);
	if ((c->nested || c->blocksize > 0) && !asks_4bit(o, c))
		peft_die(PEFT_USAGE, "--%s is for nf4 and fp4: no weight is to "
		    "get one of these", c->nested ? "double-quant" :
		    "block-size");
	for (i = 0; i < c->nrules; i++)
		typed |= c->rules[i].dtype != PEFT_NDTYPE;
	/* a small matrix is f32 in GGUF, unless it is kept */
	if (c->nrules > 0 && !typed && !c->gguf)
		peft_die(PEFT_USAGE, "--keep is for -t and --fit: without "
		    "them all weights are as they are");
}
