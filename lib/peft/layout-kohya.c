/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layout of kohya's sd-scripts (networks/lora.py) and of LyCORIS: one
 * safetensors file, modules named by a prefix and their path with underscores
 * for its dots, a tensor "alpha" of one number for each.  Which dots they
 * were the model says.
 */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "peft/layout-impl.h"

/* Text encoders are numbered where a program has several; LyCORIS's is what
 * it gives any model of torch's. */
static const char *const prefixes[] = { "lora_te", "lycoris", "lora_te1",
    "lora_te2", "lora_te3", NULL };

/* Prefixes, each with the path and with what is behind its first part: some
 * programs have the bare model. */
int
peft_kohya_stem(const struct peft_sites *sites, const struct peft_site *s,
    int k, struct peft_buf *b, struct peft_err *err)
{
	const char *prefix = prefixes[k / 2], *path = s->path, *dot;
	size_t i;

	(void)sites;
	(void)err;
	if (prefix == NULL)
		return 0;
	dot = strchr(path, '.');
	if (k % 2 == 1 && dot != NULL)
		path = dot + 1;
	peft_buf_printf(b, "%s_", prefix);
	for (i = 0; path[i] != '\0'; i++)
		peft_buf_putc(b, path[i] == '.' ? '_' : path[i]);
	return 1;
}

/* Of image models, said before their names fit nothing. */
static int
refuse_images(const struct peft_foreign *f, struct peft_err *err)
{
	size_t i;

	for (i = 0; i < f->n; i++)
		if (strncmp(f->pairs[i].stem, "lora_unet_", 10) == 0)
			return peft_setfail(err, PEFT_CHECK, "%s is a part of "
			    "an image model (lora_unet_), which is none of "
			    "this model's", f->pairs[i].stem);
	return 0;
}

/* The file's ss_network_alpha stands in for tensors that are not there. */
int
peft_kohya_settings(struct peft_foreign *f, struct peft_err *err)
{
	const char *said = peft_source_meta(f->source, "ss_network_alpha");
	double all = NAN;
	size_t i;

	if (refuse_images(f, err) == -1)
		return -1;
	if (said != NULL && !peft_is_number(said, &all))
		return peft_seterr(err, "ss_network_alpha \"%s\" is no number",
		    said);
	for (i = 0; i < f->n; i++) {
		struct peft_pair *p = &f->pairs[i];

		p->alpha = all;
		if (p->at[PEFT_HALF_ALPHA] != SIZE_MAX) {
			if (peft_foreign_scalar(f, p->at[PEFT_HALF_ALPHA],
			    &p->alpha, err) == -1)
				return -1;
		} else if (said == NULL)
			return peft_setfail(err, PEFT_CHECK, "%s has no "
			    "%s.alpha, and the file no ss_network_alpha: its "
			    "scale is not known", p->stem, p->stem);
	}
	return 0;
}

void
peft_kohya_metadata(const struct peft_layout_out *o, struct peft_buf *b,
    const char **meta, size_t n, const char *module)
{
	size_t alpha;		/* behind the rank */

	peft_buf_printf(b, "%zu", o->rank);
	peft_buf_putc(b, '\0');
	alpha = b->len;
	peft_json_putreal(b, o->alpha);
	peft_buf_putc(b, '\0');
	meta[n++] = "ss_network_module";
	meta[n++] = module;
	if (o->rank > 0 && !b->failed) {
		meta[n++] = "ss_network_dim";
		meta[n++] = b->data;
	}
	if (isfinite(o->alpha) && !b->failed) {
		meta[n++] = "ss_network_alpha";
		meta[n++] = b->data + alpha;
	}
	meta[n] = NULL;
}

static void
metadata(const struct peft_layout_out *o, struct peft_buf *b,
    const char **meta, size_t n)
{
	peft_kohya_metadata(o, b, meta, n, "networks.lora");
}

const struct peft_layout peft_layout_kohya = {
	.name = "kohya", .about = "kohya's sd-scripts, LyCORIS",
	.tails = { ".lora_down.weight", ".lora_up.weight", ".dora_scale",
	    ".alpha" },
	.stem = peft_kohya_stem, .settings = peft_kohya_settings,
	.metadata = metadata,
	.column = true,
};
