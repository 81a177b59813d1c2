/* SPDX-License-Identifier: Apache-2.0 */
/* Sinks that are Hugging Face folders. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "quant/sink-impl.h"

/* Bytes that a weight takes in safetensors, its scales included. */
static int
spec_bytes(struct peft_sink *k, size_t i, size_t *out, struct peft_err *err)
{
	struct peft_st_entry *e;
	size_t n, j;

	if (peft_sink_entries(k, i, i + 1, false, &e, &n, err) == -1)
		return -1;
	for (*out = 0, j = 0; j < n; j++)
		*out += e[j].nbytes;
	peft_sink_free_entries(e, n);
	return 0;
}

/* Greedy, in order: a weight that would not fit begins a new shard. */
int
peft_sink_assign_shards(struct peft_sink *k, struct peft_err *err)
{
	size_t i, at = 0, bytes;

	if ((k->shard = peft_calloc(k->n + 1, sizeof(*k->shard), err)) == NULL)
		return -1;
	for (i = 0; i < k->n; i++) {
		if (spec_bytes(k, i, &bytes, err) == -1)
			return -1;
		if (k->opt.shard > 0 && at > 0 && bytes > 0 &&
		    at + bytes > k->opt.shard) {
			k->nshards++;
			at = 0;
		}
		k->shard[i] = k->nshards;
		at += bytes;
	}
	k->nshards++;
	return 0;
}

void
peft_sink_shard_name(const struct peft_sink *k, size_t shard, char buf[64])
{
	if (strcmp(k->opt.kind, "adapter") == 0)
		snprintf(buf, 64, "%s", k->opt.file != NULL ? k->opt.file :
		    "adapter_model.safetensors");
	else if (k->nshards == 1)
		snprintf(buf, 64, "model.safetensors");
	else
		snprintf(buf, 64, "model-%05zu-of-%05zu.safetensors",
		    shard + 1, k->nshards);
}

/* Name and shard of every tensor, for the index; sorted by name. */
static int
by_key(const void *a, const void *b)
{
	const struct peft_st_entry *x = a, *y = b;

	return strcmp(x->name, y->name);
}

int
peft_sink_index(struct peft_sink *k, struct peft_buf *b, struct peft_err *err)
{
	struct peft_st_entry *all = NULL, *e, *grown;
	size_t n = 0, cap = 0, m, s, i, from, to, total = 0;
	char name[64];
	int r = 0;

	for (s = 0, from = 0; r == 0 && s < k->nshards; s++, from = to) {
		for (to = from; to < k->n && k->shard[to] == s; to++)
			;
		r = peft_sink_entries(k, from, to, false, &e, &m, err);
		for (i = 0; r == 0 && i < m; i++) {
			if (strncmp(e[i].name, "peft.file/", 10) == 0) {
				free(e[i].name);
				continue;
			}
			grown = peft_grow(all, n, &cap, sizeof(*all), err);
			if (grown == NULL) {
				r = -1;
				break;
			}
			all = grown;
			all[n] = e[i];
			total += e[i].nbytes;
			all[n++].begin = s;
		}
		if (r == 0)
			free(e);
	}
	if (r == 0) {
		if (n > 0)
			qsort(all, n, sizeof(*all), by_key);
		peft_buf_printf(b, "{\n  \"metadata\": {\n    \"total_size\": "
		    "%zu\n  },\n  \"weight_map\": {", total);
		for (i = 0; i < n; i++) {
			peft_sink_shard_name(k, all[i].begin, name);
			peft_buf_puts(b, i > 0 ? ",\n    " : "\n    ");
			peft_json_putstr(b, all[i].name, strlen(all[i].name));
			peft_buf_printf(b, ": \"%s\"", name);
		}
		peft_buf_puts(b, "\n  }\n}\n");
		r = b->failed ? peft_seterr(err, "no memory for the index") :
		    0;
	}
	peft_sink_free_entries(all, n);
	return r;
}

static int
put_index(struct peft_sink *k, struct peft_err *err)
{
	struct peft_buf b = { 0 };
	FILE *fp;
	int r = peft_sink_index(k, &b, err);

	if (r == 0 && (fp = peft_outdir_file(k->dir,
	    "model.safetensors.index.json", err)) != NULL)
		r = peft_fwrite(fp, k->label, b.data, b.len, err);
	else
		r = -1;
	peft_buf_free(&b);
	return r;
}

static int
put_sides(struct peft_sink *k, struct peft_err *err)
{
	size_t i;

	for (i = 0; i < k->sides.n; i++) {
		const struct peft_side *s = &k->sides.at[i];
		FILE *fp = peft_outdir_file(k->dir, s->name, err);

		if (fp == NULL || peft_fwrite(fp, s->name, s->data, s->len,
		    err) == -1)
			return -1;
	}
	return 0;
}

/* The file of the shard that weight k->next begins. */
int
peft_sink_next_shard(struct peft_sink *k, struct peft_err *err)
{
	size_t from = k->next, to = from;
	char name[64];

	if (from > 0 && (from == k->n || k->shard[from] == k->shard[from - 1]))
		return 0;
	while (to < k->n && k->shard[to] == k->shard[from])
		to++;
	peft_sink_shard_name(k, k->shard[from], name);
	if ((k->fp = peft_outdir_file(k->dir, name, err)) == NULL)
		return -1;
	return peft_sink_st_head(k, from, to, false, err);
}

int
peft_sink_open_folder(struct peft_sink *k, struct peft_err *err)
{
	k->dir = peft_outdir_open(k->path, k->opt.force, err);
	if (k->dir == NULL || peft_sink_assign_shards(k, err) == -1 ||
	    put_sides(k, err) == -1)
		return -1;
	if (k->nshards > 1 && put_index(k, err) == -1)
		return -1;
	return peft_sink_next_shard(k, err);
}
