/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer.json, read: normaliser, pre-tokenizer, post-processor, decoder.
 * Each kind is a table row; a kind that is not there is an error. */

#include <stdlib.h>
#include <string.h>

#include "text/tokenizer-impl.h"

/* A stage is read by the function of its type, or, for Sequence, member by
 * member. */
struct stage {
	const char	*type;
	int		(*read)(struct peft_tokenizer *, const cJSON *,
			    struct peft_err *);
};

static int
read_stage(struct peft_tokenizer *t, const cJSON *j, const char *what,
    const char *members, const struct stage *table, struct peft_err *err)
{
	const char *type = NULL;
	const cJSON *e;

	if (j == NULL || cJSON_IsNull(j))
		return 0;
	if (peft_json_str(j, "type", &type, err) != 1)
		return peft_seterr(err, "%s without a type", what);
	if (strcmp(type, "Sequence") == 0) {
		cJSON_ArrayForEach(e, peft_json_get(j, members))
			if (read_stage(t, e, what, members, table, err) == -1)
				return -1;
		return 0;
	}
	for (; table->type != NULL; table++)
		if (strcmp(table->type, type) == 0)
			return table->read(t, j, err);
	return peft_seterr(err, "%s of type %s is not known here", what, type);
}

static int
full(const char *what, struct peft_err *err)
{
	return peft_seterr(err, "more than %d stages of %s", PEFT_MAXSTAGE,
	    what);
}

static int
norm_prepend(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	const char *s = NULL;

	if (t->nnorm == PEFT_MAXSTAGE)
		return full("normalisation", err);
	if (peft_json_str(j, "prepend", &s, err) != 1)
		return peft_seterr(err, "normalizer Prepend without a text");
	t->norm[t->nnorm++] = (struct peft_normaliser){ .prepend = s };
	return 0;
}

/* {"pattern": {"String": from}, "content": to} */
static int
read_replace(const cJSON *j, const char **from, const char **to,
    struct peft_err *err)
{
	if (peft_json_str(peft_json_get(j, "pattern"), "String", from,
	    err) != 1 || peft_json_str(j, "content", to, err) != 1 ||
	    (*from)[0] == '\0')
		return peft_seterr(err, "Replace of anything but a string is "
		    "not known here");
	return 0;
}

static int
norm_replace(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	struct peft_normaliser *n = &t->norm[t->nnorm];

	if (t->nnorm == PEFT_MAXSTAGE)
		return full("normalisation", err);
	t->nnorm++;
	return read_replace(j, &n->from, &n->to, err);
}

static const struct stage normalisers[] = {
	{ "Prepend", norm_prepend }, { "Replace", norm_replace }, { NULL, NULL }
};

static int
add_scan(struct peft_tokenizer *t, peft_scan *scan, struct peft_err *err)
{
	if (t->nscan == PEFT_MAXSTAGE)
		return full("pre-tokenisation", err);
	t->scan[t->nscan++] = scan;
	return 0;
}

static int
pre_bytelevel(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	bool prefix = true, regex = true;

	if (peft_json_bool(j, "add_prefix_space", &prefix, err) == -1 ||
	    peft_json_bool(j, "use_regex", &regex, err) == -1)
		return -1;
	if (prefix)
		return peft_seterr(err, "ByteLevel with add_prefix_space is not "
		    "known here");
	t->byte_level = true;
	return regex ? add_scan(t, peft_scan_gpt2, err) : 0;
}

static int
pre_split(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	const cJSON *pattern = peft_json_get(j, "pattern");
	const char *behavior = "", *regex = NULL, *string = NULL;
	bool invert = false;
	peft_scan *scan = NULL;

	if (peft_json_str(j, "behavior", &behavior, err) == -1 ||
	    peft_json_bool(j, "invert", &invert, err) == -1 ||
	    peft_json_str(pattern, "Regex", &regex, err) == -1 ||
	    peft_json_str(pattern, "String", &string, err) == -1)
		return -1;
	if (regex != NULL && strcmp(behavior, "Isolated") == 0 && !invert)
		scan = peft_scan_of_regex(regex);
	if (string != NULL && strcmp(string, " ") == 0 &&
	    strcmp(behavior, "MergedWithPrevious") == 0 && !invert)
		scan = peft_scan_spaces;
	if (scan == NULL)
		return peft_seterr(err, "pre_tokenizer Split '%.200s' %s is "
		    "not known here", regex != NULL ? regex : string != NULL ?
		    string : "?", behavior);
	return add_scan(t, scan, err);
}

static int
pre_digits(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	bool single = false;

	if (peft_json_bool(j, "individual_digits", &single, err) == -1)
		return -1;
	return add_scan(t, single ? peft_scan_digits : peft_scan_numbers, err);
}

static const struct stage pre_tokenizers[] = {
	{ "ByteLevel", pre_bytelevel }, { "Split", pre_split },
	{ "Digits", pre_digits }, { NULL, NULL }
};

static int
post_bytelevel(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	t->trim_offsets = true;
	return peft_json_bool(j, "trim_offsets", &t->trim_offsets, err) == -1 ?
	    -1 : 0;
}

/* {"SpecialToken": {"id": NAME}}: the ids that special_tokens gives it. */
static int
add_special(struct peft_tokenizer *t, const cJSON *j, const cJSON *item,
    int32_t **list, size_t *n, struct peft_err *err)
{
	const char *name = "";
	const cJSON *ids, *e;
	int32_t *grown;
	size_t k;

	if (peft_json_str(peft_json_get(item, "SpecialToken"), "id", &name,
	    err) == -1)
		return -1;
	ids = peft_json_get(peft_json_get(peft_json_get(j, "special_tokens"),
	    name), "ids");
	if (!cJSON_IsArray(ids))
		return peft_seterr(err, "post_processor: the token '%s' has no "
		    "ids", name);
	k = (size_t)cJSON_GetArraySize(ids);
	if ((grown = realloc(*list, (*n + k + 1) * sizeof(*grown))) == NULL)
		return peft_seterr(err, "no memory");
	*list = grown;
	cJSON_ArrayForEach(e, ids) {
		if (!cJSON_IsNumber(e) || e->valuedouble < 0 ||
		    e->valuedouble >= (double)t->ntokens)
			return peft_seterr(err, "post_processor: an id of '%s' "
			    "is not in the vocabulary", name);
		grown[(*n)++] = (int32_t)e->valuedouble;
	}
	return 0;
}

static int
post_template(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	bool seen = false;
	const cJSON *e;

	cJSON_ArrayForEach(e, peft_json_get(j, "single")) {
		if (peft_json_get(e, "Sequence") != NULL) {
			seen = true;
			continue;
		}
		if (add_special(t, j, e, seen ? &t->after : &t->before,
		    seen ? &t->nafter : &t->nbefore, err) == -1)
			return -1;
	}
	return seen ? 0 : peft_seterr(err, "post_processor: its template has "
	    "no place for the text");
}

static const struct stage post_processors[] = {
	{ "ByteLevel", post_bytelevel },
	{ "TemplateProcessing", post_template }, { NULL, NULL }
};

static struct peft_decoder *
add_decoder(struct peft_tokenizer *t, enum peft_decoder_kind kind)
{
	if (t->ndecode == PEFT_MAXSTAGE)
		return NULL;
	t->decode[t->ndecode].kind = kind;
	return &t->decode[t->ndecode++];
}

static int
dec_bytelevel(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	(void)j;
	return add_decoder(t, PEFT_D_BYTELEVEL) == NULL ?
	    full("decoding", err) : 0;
}

static int
dec_fallback(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	(void)j;
	return add_decoder(t, PEFT_D_BYTEFALLBACK) == NULL ?
	    full("decoding", err) : 0;
}

static int
dec_fuse(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	(void)j;
	return add_decoder(t, PEFT_D_FUSE) == NULL ? full("decoding", err) : 0;
}

static int
dec_replace(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	struct peft_decoder *d = add_decoder(t, PEFT_D_REPLACE);

	return d == NULL ? full("decoding", err) :
	    read_replace(j, &d->from, &d->to, err);
}

static int
dec_strip(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	struct peft_decoder *d = add_decoder(t, PEFT_D_STRIP);
	int64_t start = 0, stop = 0;

	if (d == NULL)
		return full("decoding", err);
	if (peft_json_str(j, "content", &d->from, err) != 1 ||
	    strlen(d->from) != 1)
		return peft_seterr(err, "decoder Strip of anything but one "
		    "character is not known here");
	if (peft_json_int(j, "start", 0, 1 << 20, &start, err) == -1 ||
	    peft_json_int(j, "stop", 0, 1 << 20, &stop, err) == -1)
		return -1;
	d->start = (size_t)start;
	d->stop = (size_t)stop;
	return 0;
}

static const struct stage decoders[] = {
	{ "ByteLevel", dec_bytelevel }, { "ByteFallback", dec_fallback },
	{ "Fuse", dec_fuse }, { "Replace", dec_replace },
	{ "Strip", dec_strip }, { NULL, NULL }
};

int
peft_tokenizer_stages(struct peft_tokenizer *t, struct peft_err *err)
{
	const cJSON *j = t->json;

	if (read_stage(t, peft_json_get(j, "normalizer"), "normalizer",
	    "normalizers", normalisers, err) == -1 ||
	    read_stage(t, peft_json_get(j, "pre_tokenizer"), "pre_tokenizer",
	    "pretokenizers", pre_tokenizers, err) == -1 ||
	    peft_tokenizer_model(t, peft_json_get(j, "model"), err) == -1 ||
	    peft_tokenizer_added(t, peft_json_get(j, "added_tokens"),
	    err) == -1 || read_stage(t, peft_json_get(j, "post_processor"),
	    "post_processor", "processors", post_processors, err) == -1)
		return -1;
	return read_stage(t, peft_json_get(j, "decoder"), "decoder",
	    "decoders", decoders, err);
}
