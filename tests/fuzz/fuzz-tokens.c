/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Token records, plain or packed: a record that is taken can be written and
 * read again; --partial takes all that is taken without it; the reader of
 * either kind takes the same.
 */

#include "data/load.h"
#include "eval/inspect.h"
#include "input.h"

enum { VOCAB = 1000 };

static void
same(const struct peft_record *a, const struct peft_record *b)
{
	size_t i;

	FUZZ_CLAIM(a->n == b->n && a->supervised == b->supervised &&
	    a->weight == b->weight && a->nchoices == b->nchoices &&
	    a->answer == b->answer);
	FUZZ_CLAIM(memcmp(a->ids, b->ids, a->n * sizeof(*a->ids)) == 0);
	FUZZ_CLAIM((a->id == NULL) == (b->id == NULL) &&
	    (a->id == NULL || strcmp(a->id, b->id) == 0));
	FUZZ_CLAIM((a->adapter == NULL) == (b->adapter == NULL) &&
	    (a->adapter == NULL || strcmp(a->adapter, b->adapter) == 0));
	if (a->nchoices == 0)
		FUZZ_CLAIM(memcmp(a->labels, b->labels, a->n *
		    sizeof(*a->labels)) == 0);
	for (i = 0; i < a->nchoices; i++)
		FUZZ_CLAIM(a->nchoice[i] == b->nchoice[i] &&
		    memcmp(a->choices[i], b->choices[i], a->nchoice[i] *
		    sizeof(**a->choices)) == 0);
}

static void
check(const struct peft_record *r)
{
	size_t i, supervised = 0;

	FUZZ_CLAIM(r->n > 0 && r->weight >= 0);
	for (i = 0; i < r->n; i++)
		FUZZ_CLAIM(r->ids[i] >= 0 && r->ids[i] < VOCAB);
	for (i = 0; r->nchoices == 0 && i < r->n; i++) {
		FUZZ_CLAIM(r->labels[i] == PEFT_IGNORE ||
		    r->labels[i] == r->ids[i]);
		supervised += i > 0 && r->labels[i] != PEFT_IGNORE;
	}
	FUZZ_CLAIM(supervised == r->supervised);
	FUZZ_CLAIM(r->nchoices == 0 || r->answer < r->nchoices);
}

static void
round_trip(const struct peft_record *r)
{
	struct peft_buf b = { 0 };
	struct peft_err err = { 0 };
	struct peft_record again;
	cJSON *j;

	peft_record_put(&b, r);
	j = peft_json(b.data, b.len, &err);
	FUZZ_CLAIM(j != NULL);
	FUZZ_CLAIM(peft_record_parse(j, VOCAB, &again, &err) == 0);
	same(r, &again);
	peft_record_free(&again);
	cJSON_Delete(j);
	peft_buf_free(&b);
}

/* The records of an input that can be read before one that cannot. */
static int
read_records(const char *path, bool partial, size_t *n)
{
	struct peft_err err = { 0 };
	struct peft_tokens_reader *t = peft_tokens_open(path, VOCAB, partial,
	    &err);
	struct peft_record r;
	int s;

	*n = 0;
	if (t == NULL)
		return -1;
	while ((s = peft_tokens_next(t, &r, &err)) == 1) {
		++*n;
		check(&r);
		round_trip(&r);
		peft_record_free(&r);
	}
	FUZZ_CLAIM(s == 0 || err.msg[0] != '\0');
	peft_tokens_close(t);
	return s;
}

/* As peft-eval reads them. */
static void
load(char *path, bool partial, int want, size_t n)
{
	struct peft_codec none = { .tok = NULL };
	struct peft_loadopt o = { .vocab = VOCAB, .partial = partial };
	struct peft_records all = { 0 };
	struct peft_err err = { 0 };

	FUZZ_CLAIM(peft_records_load(&all, &none, &path, 1, &o, &err) == want);
	FUZZ_CLAIM(all.n == n);
	peft_records_free(&all);
}

/* Whatever it is, it is taken or refused. */
static void
load_any(char *path)
{
	struct peft_codec none = { .tok = NULL };
	struct peft_loadopt o = { .vocab = VOCAB, .partial = true };
	struct peft_records all = { 0 };
	struct peft_err err = { 0 };

	FUZZ_CLAIM(peft_records_load(&all, &none, &path, 1, &o, &err) == 0 ||
	    err.msg[0] != '\0');
	peft_records_free(&all);
}

static void
inspect(const char *path)
{
	struct peft_inspectopt o = { .json = true, .threads = 1 };
	struct peft_buf b = { 0 };
	struct peft_err err = { 0 };
	cJSON *j;

	if (peft_inspect(path, &o, &b, &err) == 0) {
		j = peft_json(b.data, b.len, &err);
		FUZZ_CLAIM(j != NULL);
		cJSON_Delete(j);
	}
	peft_buf_free(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_path file = fuzz_file(data, size);
	struct peft_records all = { 0 };
	struct peft_err err = { 0 };
	char *paths[] = { file.path, file.path };
	size_t n, npartial;
	int r = read_records(file.path, false, &n);
	int s = read_records(file.path, true, &npartial);

	FUZZ_CLAIM(npartial >= n && (r == -1 || s == 0));
	FUZZ_CLAIM(peft_records_read(&all, paths, 2, VOCAB, false,
	    &err) == r);
	FUZZ_CLAIM(r == -1 || all.n == 2 * n);
	peft_records_free(&all);
	/* of what begins otherwise the reader of either kind makes a table */
	if (n > 0 && data[0] == '{') {
		load(file.path, false, r, n);
		load(file.path, true, s, npartial);
	} else
		load_any(file.path);
	inspect(file.path);
	fuzz_close(&file);
	return 0;
}
