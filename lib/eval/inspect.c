/* SPDX-License-Identifier: Apache-2.0 */
/* What is in a file. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/tokens.h"
#include "eval/inspect-impl.h"
#include "peft/layout.h"
#include "math/cores.h"
#include "model/check.h"

static void
put_report(struct peft_buf *b, const cJSON *j,
    const struct peft_inspectopt *o)
{
	if (o->json) {
		peft_json_print(b, j, 0, false);
		peft_buf_putc(b, '\n');
	} else
		peft_inspect_table(b, j);
}

/* NaN for what cannot be told in JSON; six digits, as people read them. */
void
peft_inspect_real(cJSON *j, const char *key, double v)
{
	char text[32];

	snprintf(text, sizeof(text), "%.6g", v);
	if (isfinite(v))
		cJSON_AddNumberToObject(j, key, strtod(text, NULL));
	else
		cJSON_AddNullToObject(j, key);
}

/* By type: weights, values, bytes, and their share of all values. */
struct tally {
	double	weights, values, bytes;
};

static void
add_types(cJSON *j, const struct tally *by)
{
	cJSON *types = cJSON_AddObjectToObject(j, "types"), *t;
	double all = 0;
	int d;

	for (d = 0; d < PEFT_NDTYPE; d++)
		all += by[d].values;
	for (d = 0; d < PEFT_NDTYPE; d++) {
		if (by[d].weights < 1)
			continue;
		t = cJSON_AddObjectToObject(types, peft_dtypes[d].name);
		cJSON_AddNumberToObject(t, "weights", by[d].weights);
		cJSON_AddNumberToObject(t, "parameters", by[d].values);
		cJSON_AddNumberToObject(t, "bytes", by[d].bytes);
		peft_inspect_real(t, "share", all > 0 ? by[d].values / all :
		    0);
	}
}

static cJSON *
tensor_of(const struct peft_weight *w)
{
	cJSON *t = cJSON_CreateObject(), *shape;
	int d;

	cJSON_AddStringToObject(t, "name", w->name);
	cJSON_AddStringToObject(t, "type", peft_dtypes[w->dtype].name);
	shape = cJSON_AddArrayToObject(t, "shape");
	for (d = 0; d < w->ndim; d++)
		cJSON_AddItemToArray(shape, cJSON_CreateNumber(
		    (double)w->shape[d]));
	cJSON_AddNumberToObject(t, "bytes", (double)w->nbytes);
	return t;
}

/* Names, types, shapes; sums of parameters and bytes by type. */
static void
add_tensors(cJSON *j, const struct peft_source *s)
{
	struct tally by[PEFT_NDTYPE] = { { 0 } };
	double params = 0, total = 0;
	cJSON *list = cJSON_CreateArray();
	size_t i;

	for (i = 0; i < peft_source_count(s); i++) {
		const struct peft_weight *w = peft_source_at(s, i);

		cJSON_AddItemToArray(list, tensor_of(w));
		params += (double)w->nelem;
		total += (double)w->nbytes;
		by[w->dtype].weights++;
		by[w->dtype].values += (double)w->nelem;
		by[w->dtype].bytes += (double)w->nbytes;
	}
	cJSON_AddNumberToObject(j, "weights", (double)peft_source_count(s));
	cJSON_AddNumberToObject(j, "parameters", params);
	cJSON_AddNumberToObject(j, "bytes", total);
	add_types(j, by);
	cJSON_AddItemToObject(j, "tensors", list);
}

static void
add_meta(cJSON *j, const struct peft_source *s)
{
	cJSON *m = cJSON_CreateObject();
	const char *key, *value;
	size_t i;

	for (i = 0; i < peft_source_nmeta(s); i++) {
		peft_source_meta_at(s, i, &key, &value);
		if (strcmp(key, "tokenizer.chat_template") != 0)
			cJSON_AddStringToObject(m, key, value);
	}
	cJSON_AddItemToObject(j, "metadata", m);
}

/* Two different refusals: the one of a scan says more. */
static int
judge(const struct peft_source *s, size_t bad, size_t wrong,
    struct peft_err *err)
{
	if (bad > 0)
		return peft_setfail(err, PEFT_CHECK, "%s: %zu values are not "
		    "finite", peft_source_label(s), bad);
	if (wrong > 0)
		return peft_setfail(err, PEFT_CHECK, "%s: the index and the "
		    "shards do not agree (\"problems\" says how)",
		    peft_source_label(s));
	if (peft_model_check(s, err) == -1) {
		err->status = PEFT_CHECK;
		return -1;
	}
	return 0;
}

static int
inspect_source(struct peft_source *s, const struct peft_inspectopt *o,
    cJSON *j, struct peft_err *err)
{
	static const char *const kinds[] = { [PEFT_FOLDER] = "folder",
	    [PEFT_BUNDLE] = "bundle", [PEFT_GGUF] = "gguf" };
	const struct peft_layout *layout = peft_layout_of(s);
	bool adapter = layout != NULL || peft_source_is_adapter(s);
	int threads = o->threads > 0 ? o->threads : peft_cores();
	char hash[7 + PEFT_SHA256_HEX];
	size_t bad = 0, wrong = 0;

	cJSON_AddStringToObject(j, "file", peft_source_label(s));
	cJSON_AddStringToObject(j, "kind", kinds[peft_source_kind(s)]);
	cJSON_AddStringToObject(j, "holds", adapter ? "adapter" : "model");
	if (layout != NULL)
		cJSON_AddStringToObject(j, "layout",
		    peft_layout_name(layout));
	if (peft_inspect_config(j, s, err) == -1 ||
	    peft_inspect_tokenizer(j, s, err) == -1)
		return -1;
	add_meta(j, s);
	peft_inspect_quant(j, s);
	add_tensors(j, s);
	if (peft_inspect_bits(j, s, err) == -1)
		return -1;
	if (peft_source_kind(s) == PEFT_FOLDER &&
	    peft_inspect_shards(j, peft_source_label(s), &wrong, err) == -1)
		return -1;
	if (o->hash) {
		if (peft_source_hash(s, o->threads, hash, err) == -1)
			return -1;
		cJSON_AddStringToObject(j, "hash", hash);
	}
	if ((o->scan && peft_inspect_scan(j, s, threads, &bad, err) == -1) ||
	    (adapter && peft_inspect_adapter(j, s, err) == -1) ||
	    peft_source_finish(s, err) == -1)
		return -1;
	return judge(s, bad, wrong, err);
}

/* A folder that cannot be read: what of it is there. */
static void
inspect_broken(const char *path, cJSON *j)
{
	struct peft_err none = { 0 };
	size_t bad = 0;

	cJSON_AddStringToObject(j, "file", path);
	cJSON_AddStringToObject(j, "kind", "folder");
	if (peft_inspect_shards(j, path, &bad, &none) == -1 || bad == 0)
		while (j->child != NULL)
			cJSON_Delete(cJSON_DetachItemViaPointer(j, j->child));
}

/* Does the file begin with "{" or is it packed text: token records?  The
 * length before a safetensors header may look like either. */
static bool
looks_like_text(const char *path)
{
	unsigned char c[9] = { 0 };
	FILE *fp = strcmp(path, "-") == 0 ? NULL : fopen(path, "re");
	size_t n = fp == NULL ? 0 : fread(c, 1, 9, fp);

	if (fp != NULL)
		fclose(fp);
	if (n == 9 && c[8] == '{' && memcmp(c + 4, "\0\0\0\0", 4) == 0)
		return false;
	return (n > 0 && c[0] == '{') || (n > 3 && ((c[0] == 0x1f &&
	    c[1] == 0x8b) || memcmp(c, "\x28\xb5\x2f\xfd", 4) == 0));
}

static int
inspect_tokens(const char *path, cJSON *j, struct peft_err *err)
{
	struct peft_tokens_reader *t = peft_tokens_open(path, INT32_MAX,
	    false, err);
	double records = 0, tokens = 0, supervised = 0, longest = 0;
	struct peft_record r;
	int s;

	if (t == NULL)
		return -1;
	while ((s = peft_tokens_next(t, &r, err)) == 1) {
		records++;
		tokens += (double)r.n;
		supervised += (double)r.supervised;
		longest = (double)r.n > longest ? (double)r.n : longest;
		peft_record_free(&r);
	}
	if (s == -1)
		goto out;
	cJSON_AddStringToObject(j, "file", path);
	cJSON_AddStringToObject(j, "kind", "tokens");
	cJSON_AddNumberToObject(j, "records", records);
	cJSON_AddNumberToObject(j, "tokens", tokens);
	cJSON_AddNumberToObject(j, "supervised", supervised);
	cJSON_AddNumberToObject(j, "longest", longest);
	cJSON_AddStringToObject(j, "tokenizer",
	    peft_tokens_info(t)->tokenizer);
	cJSON_AddStringToObject(j, "chat_template",
	    peft_tokens_info(t)->tmpl);
out:
	peft_tokens_close(t);
	return s;
}

int
peft_inspect(const char *path, const struct peft_inspectopt *o,
    struct peft_buf *b, struct peft_err *err)
{
	struct peft_source *s;
	cJSON *j = cJSON_CreateObject();
	int r = -1;

	if (looks_like_text(path) && (o->hash || o->scan))
		r = peft_setfail(err, PEFT_USAGE, "%s: --hash and --scan are "
		    "for weights, and this is text", path);
	else if (looks_like_text(path))
		r = inspect_tokens(path, j, err);
	else if ((s = peft_source_open(path, err)) != NULL) {
		r = inspect_source(s, o, j, err);
		peft_source_close(s);
	} else
		inspect_broken(path, j);
	if (r == 0 || ((err->status == PEFT_CHECK || peft_json_get(j,
	    "shards") != NULL) && j->child != NULL))
		put_report(b, j, o);
	cJSON_Delete(j);
	return r == 0 && b->failed ? peft_seterr(err, "no memory") : r;
}
