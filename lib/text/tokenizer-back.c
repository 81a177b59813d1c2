/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer.json: post_processor and decoder, stages behind the model. */

#include <stdlib.h>
#include <string.h>

#include "text/tokenizer-stage.h"

static int
post_bytelevel(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	bool trim = true, keep = true;

	if (peft_json_bool(j, "trim_offsets", &trim, err) == -1 ||
	    peft_json_bool(j, "add_prefix_space", &keep, err) == -1)
		return -1;
	t->trim_offsets = trim;
	t->trim_keeps_first = keep;
	return 0;
}

/* {"SpecialToken": {"id": NAME}}: the ids that special_tokens gives it. */
static int
add_special(struct peft_tokenizer *t, const cJSON *j, const cJSON *item,
    int32_t **list, size_t *n, struct peft_err *err)
{
	const char *name = NULL;
	const cJSON *ids, *e;
	int32_t *grown;
	size_t k;

	if (peft_stage_str(peft_json_get(item, "SpecialToken"), "id", &name,
	    err) == -1)
		return peft_errprefix(err, "post_processor");
	ids = peft_json_get(peft_json_get(peft_json_get(j, "special_tokens"),
	    name), "ids");
	if (!cJSON_IsArray(ids))
		return peft_seterr(err, "post_processor: the token '%.100s' "
		    "has no ids", name);
	k = (size_t)cJSON_GetArraySize(ids);
	if ((grown = realloc(*list, (*n + k + 1) * sizeof(*grown))) == NULL)
		return peft_seterr(err, "no memory for %zu ids", k);
	*list = grown;
	cJSON_ArrayForEach(e, ids) {
		double d = cJSON_IsNumber(e) ? e->valuedouble : -1;

		if (!(d >= 0) || d >= (double)t->ntokens ||
		    d != (double)(int32_t)d)
			return peft_seterr(err, "post_processor: an id of "
			    "'%.100s' is not in the vocabulary", name);
		grown[(*n)++] = (int32_t)d;
	}
	return 0;
}

static int
post_template(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	bool seen = false;
	const cJSON *e;

	if (t->nbefore + t->nafter > 0)
		return peft_seterr(err, "post_processor: a second template");
	cJSON_ArrayForEach(e, peft_json_get(j, "single")) {
		if (peft_json_get(e, "Sequence") != NULL) {
			if (seen)
				return peft_seterr(err, "post_processor: the "
				    "template has the text twice");
			seen = true;
			continue;
		}
		if (add_special(t, j, e, seen ? &t->after : &t->before,
		    seen ? &t->nafter : &t->nbefore, err) == -1)
			return -1;
	}
	return seen ? 0 : peft_seterr(err, "post_processor: the template has "
	    "no place for the text");
}

static const struct peft_stage post_processors[] = {
	{ "ByteLevel", "add_prefix_space trim_offsets use_regex",
	    post_bytelevel },
	{ "TemplateProcessing", "single pair special_tokens", post_template },
	{ NULL, NULL, NULL }
};

static struct peft_decoder *
add_decoder(struct peft_tokenizer *t, enum peft_decoder_kind kind,
    struct peft_err *err)
{
	if (t->ndecode == PEFT_MAXSTAGE) {
		peft_stage_full("decoding", err);
		return NULL;
	}
	t->decode[t->ndecode].kind = kind;
	return &t->decode[t->ndecode++];
}

static int
dec_bytelevel(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	(void)j;
	if (t->ndecode > 0)
		return peft_seterr(err, "decoder ByteLevel behind others is "
		    "not known here");
	return add_decoder(t, PEFT_D_BYTELEVEL, err) == NULL ? -1 : 0;
}

static int
dec_fallback(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	(void)j;
	return add_decoder(t, PEFT_D_BYTEFALLBACK, err) == NULL ? -1 : 0;
}

static int
dec_fuse(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	(void)j;
	return add_decoder(t, PEFT_D_FUSE, err) == NULL ? -1 : 0;
}

static int
dec_replace(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	struct peft_decoder *d = add_decoder(t, PEFT_D_REPLACE, err);

	return d == NULL ? -1 : peft_stage_replace(j, &d->from, &d->to, err);
}

static int
dec_strip(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	struct peft_decoder *d = add_decoder(t, PEFT_D_STRIP, err);
	int64_t start = 0, stop = 0;

	if (d == NULL || peft_stage_str(j, "content", &d->from, err) == -1)
		return -1;
	if (peft_utf8_len(d->from, strlen(d->from)) != strlen(d->from))
		return peft_seterr(err, "decoder Strip of '%.100s': not one "
		    "character", d->from);
	if (peft_json_int(j, "start", 0, 1 << 20, &start, err) == -1 ||
	    peft_json_int(j, "stop", 0, 1 << 20, &stop, err) == -1)
		return -1;
	d->start = (size_t)start;
	d->stop = (size_t)stop;
	return 0;
}

static int
dec_metaspace(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	struct peft_decoder *d = add_decoder(t, PEFT_D_METASPACE, err);
	const char *scheme = NULL, *replacement = "\u2581";
	bool legacy = true;

	if (d == NULL || peft_json_str(j, "prepend_scheme", &scheme,
	    err) == -1 || peft_json_str(j, "replacement", &replacement,
	    err) == -1 || peft_json_bool(j, "add_prefix_space", &legacy,
	    err) == -1)
		return -1;
	if (strcmp(replacement, "\u2581") != 0)
		return peft_seterr(err, "decoder Metaspace with '%.40s' for a "
		    "space is not known here", replacement);
	d->keep_first = scheme == NULL ? !legacy : strcmp(scheme,
	    "never") == 0;
	return 0;
}

static const struct peft_stage decoders[] = {
	{ "ByteLevel", "add_prefix_space trim_offsets use_regex",
	    dec_bytelevel },
	{ "ByteFallback", "", dec_fallback },
	{ "Fuse", "", dec_fuse },
	{ "Replace", "pattern content", dec_replace },
	{ "Strip", "content start stop", dec_strip },
	{ "Metaspace", "replacement prepend_scheme split add_prefix_space "
	    "str_rep", dec_metaspace },
	{ NULL, NULL, NULL }
};

int
peft_tokenizer_back(struct peft_tokenizer *t, struct peft_err *err)
{
	if (peft_stage_read(t, "post_processor", "processors",
	    post_processors, err) == -1)
		return -1;
	return peft_stage_read(t, "decoder", "decoders", decoders, err);
}
