/* SPDX-License-Identifier: Apache-2.0 */
/* What is in a file. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "data/tokens.h"
#include "eval/inspect-impl.h"
#include "quant/quant.h"
#include "tensor/source.h"

/* A report is a JSON object; the table is made from it, so that both say the
 * same. */
static void
put_table(struct peft_buf *b, const cJSON *j)
{
	const cJSON *e, *t;

	cJSON_ArrayForEach(e, j) {
		if (strcmp(e->string, "tensors") == 0)
			continue;
		peft_buf_printf(b, "%-14s ", e->string);
		if (cJSON_IsString(e))
			peft_buf_plain(b, e->valuestring);
		else
			peft_json_print(b, e, 0, false);
		peft_buf_putc(b, '\n');
	}
	cJSON_ArrayForEach(e, peft_json_get(j, "tensors")) {
		t = peft_json_get(e, "shape");
		peft_buf_printf(b, "  %-52s %-7s ", peft_json_get(e,
		    "name")->valuestring, peft_json_get(e,
		    "type")->valuestring);
		peft_json_print(b, t, 0, false);
		peft_buf_putc(b, '\n');
	}
}

static void
put_report(struct peft_buf *b, const cJSON *j,
    const struct peft_inspectopt *o)
{
	if (o->json) {
		peft_json_print(b, j, 0, false);
		peft_buf_putc(b, '\n');
	} else
		put_table(b, j);
}

/* Names, types, shapes; sums of parameters and bytes by type. */
static void
add_tensors(cJSON *j, const struct peft_source *s)
{
	cJSON *list = cJSON_CreateArray(), *types = cJSON_CreateObject(), *t;
	double params = 0, bytes[PEFT_NDTYPE] = { 0 }, total = 0;
	size_t i;
	int d;

	for (i = 0; i < peft_source_count(s); i++) {
		const struct peft_weight *w = peft_source_at(s, i);
		cJSON *shape = cJSON_CreateArray();

		t = cJSON_CreateObject();
		cJSON_AddStringToObject(t, "name", w->name);
		cJSON_AddStringToObject(t, "type",
		    peft_dtypes[w->dtype].name);
		for (d = 0; d < w->ndim; d++)
			cJSON_AddItemToArray(shape, cJSON_CreateNumber(
			    (double)w->shape[d]));
		cJSON_AddItemToObject(t, "shape", shape);
		cJSON_AddNumberToObject(t, "bytes", (double)w->nbytes);
		cJSON_AddItemToArray(list, t);
		params += (double)w->nelem;
		bytes[w->dtype] += (double)w->nbytes;
		total += (double)w->nbytes;
	}
	cJSON_AddNumberToObject(j, "weights", (double)peft_source_count(s));
	cJSON_AddNumberToObject(j, "parameters", params);
	cJSON_AddNumberToObject(j, "bytes", total);
	for (d = 0; d < PEFT_NDTYPE; d++)
		if (bytes[d] > 0)
			cJSON_AddNumberToObject(types, peft_dtypes[d].name,
			    bytes[d]);
	cJSON_AddItemToObject(j, "types", types);
	cJSON_AddItemToObject(j, "tensors", list);
}

/* Some keys of a side file, if it has them. */
static int
add_keys(cJSON *j, const struct peft_source *s, const char *file,
    const char *const *keys, struct peft_err *err)
{
	const struct peft_side *side = peft_source_side(s, file);
	const cJSON *v;
	cJSON *c;

	if (side == NULL)
		return 0;
	if ((c = peft_json(side->data, side->len, err)) == NULL)
		return peft_errprefix(err, "%s: %s", peft_source_label(s),
		    file);
	for (; *keys != NULL; keys++)
		if ((v = peft_json_get(c, *keys)) != NULL && !cJSON_IsNull(v))
			cJSON_AddItemToObject(j, *keys, cJSON_Duplicate(v,
			    true));
	cJSON_Delete(c);
	return 0;
}

/* The tokenizer's kind and size, and the hashes that records carry. */
static int
add_tokenizer(cJSON *j, const struct peft_source *s, struct peft_err *err)
{
	const struct peft_side *tok = peft_source_side(s, "tokenizer.json");
	const struct peft_side *tmpl = peft_source_side(s,
	    "chat_template.jinja");
	char hex[7 + PEFT_SHA256_HEX] = "sha256:";
	const cJSON *model, *type;
	cJSON *c, *t;

	if (tok != NULL) {
		if ((c = peft_json(tok->data, tok->len, err)) == NULL)
			return peft_errprefix(err, "%s: tokenizer.json",
			    peft_source_label(s));
		model = peft_json_get(c, "model");
		type = peft_json_get(model, "type");
		t = cJSON_CreateObject();
		cJSON_AddStringToObject(t, "type", cJSON_IsString(type) ?
		    type->valuestring : "?");
		cJSON_AddNumberToObject(t, "vocabulary", cJSON_GetArraySize(
		    peft_json_get(model, "vocab")));
		cJSON_AddNumberToObject(t, "added", cJSON_GetArraySize(
		    peft_json_get(c, "added_tokens")));
		peft_sha256_of(tok->data, tok->len, hex + 7);
		cJSON_AddStringToObject(t, "hash", hex);
		cJSON_AddItemToObject(j, "tokenizer", t);
		cJSON_Delete(c);
	} else if (peft_source_meta(s, "peft.no_tokenizer") != NULL)
		cJSON_AddStringToObject(j, "tokenizer",
		    peft_source_meta(s, "peft.no_tokenizer"));
	if (tmpl != NULL) {
		peft_sha256_of(tmpl->data, tmpl->len, hex + 7);
		cJSON_AddStringToObject(j, "chat_template", hex);
	}
	return 0;
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

/* NaN and Inf in all weights. */
static int
scan(cJSON *j, struct peft_source *s, size_t *bad, struct peft_err *err)
{
	enum { PIECE = 4096 * 16 };
	float *x = peft_calloc(PIECE, sizeof(*x), err);
	struct peft_weight w;
	size_t i, k, at, n;
	int r = x == NULL ? -1 : 0;

	for (*bad = 0, i = 0; r == 0 && i < peft_source_count(s); i++) {
		if ((r = peft_source_load(s, i, &w, err)) == -1 ||
		    !peft_can_decode(w.dtype))
			continue;
		for (at = 0; at < w.nelem; at += n) {
			n = w.nelem - at < PIECE ? w.nelem - at : PIECE;
			peft_decode(&w, at, n, x);
			for (k = 0; k < n; k++)
				*bad += !isfinite(x[k]);
		}
	}
	free(x);
	cJSON_AddNumberToObject(j, "not_finite", (double)*bad);
	return r;
}

static int
inspect_source(struct peft_source *s, const struct peft_inspectopt *o,
    cJSON *j, struct peft_err *err)
{
	static const char *const kinds[] = { [PEFT_FOLDER] = "folder",
	    [PEFT_BUNDLE] = "bundle", [PEFT_GGUF] = "gguf" };
	static const char *const model[] = { "model_type", "hidden_size",
	    "num_hidden_layers", "num_attention_heads",
	    "num_key_value_heads", "intermediate_size", "vocab_size",
	    "max_position_embeddings", "tie_word_embeddings", NULL };
	static const char *const adapter[] = { "peft_type", "r",
	    "lora_alpha", "use_rslora", "use_dora", "target_modules",
	    "base_model_name_or_path", NULL };
	char hash[7 + PEFT_SHA256_HEX];
	size_t bad = 0;

	cJSON_AddStringToObject(j, "file", peft_source_label(s));
	cJSON_AddStringToObject(j, "kind", kinds[peft_source_kind(s)]);
	cJSON_AddStringToObject(j, "holds", peft_source_is_adapter(s) ?
	    "adapter" : "model");
	if (add_keys(j, s, "config.json", model, err) == -1 ||
	    add_keys(j, s, "adapter_config.json", adapter, err) == -1 ||
	    add_tokenizer(j, s, err) == -1)
		return -1;
	add_meta(j, s);
	peft_inspect_quant(j, s);
	add_tensors(j, s);
	if (o->hash) {
		if (peft_source_hash(s, o->threads, hash, err) == -1)
			return -1;
		cJSON_AddStringToObject(j, "hash", hash);
	}
	if (o->scan && scan(j, s, &bad, err) == -1)
		return -1;
	if (peft_source_finish(s, err) == -1)
		return -1;
	return bad == 0 ? 0 : peft_setfail(err, PEFT_CHECK, "%s: %zu values "
	    "are not finite", peft_source_label(s), bad);
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

	if (looks_like_text(path))
		r = inspect_tokens(path, j, err);
	else if ((s = peft_source_open(path, err)) != NULL) {
		r = inspect_source(s, o, j, err);
		peft_source_close(s);
	}
	if (r == 0 || (err->status == PEFT_CHECK && j->child != NULL))
		put_report(b, j, o);
	cJSON_Delete(j);
	return r == 0 && b->failed ? peft_seterr(err, "no memory") : r;
}
