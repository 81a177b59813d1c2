/* SPDX-License-Identifier: Apache-2.0 */
/* Which type each weight gets, what that costs, and what a bundle or folder
 * of them holds when it is read again. */

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "golden-file.h"
#include "base/rng.h"
#include "quant/convert.h"
#include "quant/fidelity.h"
#include "quant/quant.h"
#include "quant/sink.h"
#include "st-file.h"

enum { MOST = 3000 };

static float values[MOST];

static void
fill_values(void)
{
	struct peft_rng key = peft_rng_key(1, "sink-unit");
	size_t i;

	for (i = 0; i < MOST; i++)
		values[i] = (float)peft_rng_normal(key, 0, i);
}

/* A model of linear layers, a norm, embeddings; odd sizes among them. */
static const struct item model[] = {
	{ "model.embed_tokens.weight", PEFT_F32, 3, 32, values },
	{ "model.layers.0.mlp.up_proj.weight", PEFT_F32, 5, 33, values },
	{ "model.layers.0.mlp.down_proj.weight", PEFT_F32, 8, 64, values },
	{ "model.layers.0.input_layernorm.weight", PEFT_F32, 32, 0, values },
	{ "model.layers.1.mlp.up_proj.weight", PEFT_F32, 3, 1, values },
	{ "vision.patch_proj.weight", PEFT_F32, 1, 33, values },
	{ 0 } };
enum { NMODEL = 6 };

static struct peft_source *
open_model(const char *path)
{
	struct peft_err err = { 0 };
	struct peft_source *s = peft_source_open(path, &err);

	need(s != NULL, &err);
	return s;
}

/* The types of all weights, by their names. */
static void
plan_is(struct peft_convertopt opt, const char *want)
{
	struct peft_source *s = open_model("f");
	struct peft_err err = { 0 };
	char got[256] = "";
	struct peft_spec *specs;
	size_t n, i;

	specs = peft_convert_plan(s, &opt, &n, &err);
	need(specs != NULL, &err);
	for (i = 0; i < n; i++)
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s",
		    i > 0 ? " " : "", peft_dtypes[specs[i].dtype].name);
	if (!ok(strcmp(got, want) == 0, "%s%s: %s", opt.dtype == PEFT_NDTYPE ?
	    "as it is" : peft_dtypes[opt.dtype].name, opt.gguf ? " in GGUF" :
	    "", want))
		printf("# %s\n", got);
	free(specs);
	peft_source_close(s);
}

static void
test_plan(void)
{
	struct peft_rule rule = { "no such", PEFT_NDTYPE };
	struct peft_convertopt o = { .dtype = PEFT_NF4, .blocksize = 64,
	    .rules = &rule, .nrules = 1 };
	struct peft_source *s;
	struct peft_err err = { 0 };
	size_t n;

	put_st("f", model);
	s = open_model("f");
	ok(peft_convert_plan(s, &o, &n, &err) == NULL && strcmp(err.msg,
	    "--keep 'no such' matches no weight") == 0,
	    "a pattern that keeps nothing is an error");
	peft_source_close(s);
	o.nrules = 0;
	plan_is(o, "f32 nf4 nf4 f32 nf4 f32");
	o.nrules = 1;
	rule.pattern = "layers\\.0\\.";
	plan_is(o, "f32 f32 f32 f32 nf4 f32");
	o = (struct peft_convertopt){ .dtype = PEFT_BF16 };
	plan_is(o, "bf16 bf16 bf16 bf16 bf16 bf16");
	o = (struct peft_convertopt){ .dtype = PEFT_NDTYPE };
	plan_is(o, "f32 f32 f32 f32 f32 f32");
	o = (struct peft_convertopt){ .dtype = PEFT_Q4_0, .gguf = true };
	plan_is(o, "q4_0 f16 q4_0 f32 f16 f16");
	o.dtype = PEFT_BF16;
	plan_is(o, "bf16 bf16 bf16 f32 bf16 bf16");
}

/* The cost by hand: 64 values of one block, of which all but one are off. */
static void
test_error(void)
{
	float x[64] = { 1 };
	struct peft_weight w = { .name = "w", .dtype = PEFT_F32, .data = x,
	    .ndim = 1, .shape = { 64 }, .rows = 1, .cols = 64, .nelem = 64 };
	struct peft_spec s = { .name = "w", .dtype = PEFT_NF4,
	    .blocksize = 64 };
	struct peft_err err = { 0 };
	struct peft_fidelity e;
	double off = (double)peft_nf4_map[14] - 0.75;
	size_t i;

	for (i = 1; i < 64; i++)
		x[i] = 0.75f;
	need(peft_fidelity(&w, &s, NULL, 0, &e, &err) == 0, &err);
	ok(fabs(e.max - fabs(off)) < 1e-7 && fabs(peft_fidelity_rms(&e) -
	    sqrt(63 * off * off / (1 + 63 * 0.5625))) < 1e-7, "what a type costs: by hand");
	s.dtype = PEFT_F32;
	need(peft_fidelity(&w, &s, NULL, 0, &e, &err) == 0, &err);
	ok(e.max == 0 && e.error2 == 0, "nothing, if it stays");
	s.dtype = PEFT_BF16;
	need(peft_fidelity(&w, &s, NULL, 0, &e, &err) == 0, &err);
	ok(e.max == 0, "nor if it fits");
	s.dtype = PEFT_F16;
	x[3] = 1e6f;
	ok(peft_fidelity(&w, &s, NULL, 0, &e, &err) == -1 && err.status ==
	    PEFT_NUMERIC, "what does not fit is refused");
}

/* The model with NF4 where it may be, to path; NULL: an error, in *err. */
static int
convert(const char *from, const char *path, bool nested, size_t shard,
    struct peft_err *err)
{
	struct peft_convertopt o = { .dtype = PEFT_NF4, .blocksize = 64,
	    .nested = nested };
	struct peft_sinkopt opt = { .path = path, .force = true,
	    .shard = shard, .kind = "model" };
	const struct peft_side side = { "generation_config.json", "{}", 2,
	    false, NULL };
	struct peft_source *s = open_model(from);
	struct peft_spec *specs;
	struct peft_sink *k;
	struct peft_weight w;
	size_t n, i;
	int r = 0;

	specs = peft_convert_plan(s, &o, &n, err);
	need(specs != NULL, err);
	k = peft_sink_open(&opt, specs, n, &side, 1, err);
	need(k != NULL, err);
	for (i = 0; r == 0 && i < n; i++) {
		struct peft_rows rows;

		need(peft_source_load(s, i, &w, err) == 0, err);
		rows = peft_rows_of(&w);
		r = peft_sink_put(k, &rows, err);
	}
	if (r == 0)
		r = peft_sink_commit(k, err);
	else
		peft_sink_abort(k);
	free(specs);
	peft_source_close(s);
	return r;
}

/* As one encodes by hand, weight by weight. */
static bool
is_encoded(struct peft_source *s, const struct item *m, bool nested)
{
	size_t n = m->n * (m->cols > 0 ? m->cols : 1), nb = (n + 63) / 64;
	uint8_t bytes[MOST], q[MOST / 64];
	float absmax[MOST / 64], outer[1], offset;
	struct peft_err err = { 0 };
	struct peft_weight w;

	need(peft_source_load(s, peft_source_find(s, m->name), &w, &err) == 0,
	    &err);
	if (w.nelem != n)
		return false;
	if (w.dtype == PEFT_F32)
		return memcmp(w.data, values, n * sizeof(*values)) == 0;
	need(peft_encode_4bit(PEFT_NF4, values, n, 64, true, bytes, absmax,
	    &err) == 0, &err);
	if (memcmp(w.data, bytes, (n + 1) / 2) != 0 || w.scales.nabsmax != nb
	    || w.scales.orig != PEFT_F32)
		return false;
	if (!nested)
		return memcmp(w.scales.absmax, absmax, nb * sizeof(*absmax))
		    == 0;
	peft_encode_nested(absmax, nb, q, outer, &offset);
	return memcmp(w.scales.qabsmax, q, nb) == 0 &&
	    w.scales.nested_absmax[0] == outer[0] &&
	    w.scales.nested_offset == offset;
}

static bool
all_encoded(const char *path, bool nested)
{
	struct peft_source *s = open_model(path);
	const struct peft_side *side = peft_source_side(s,
	    "generation_config.json");
	bool good = side != NULL && side->len == 2 && peft_source_count(s) ==
	    NMODEL;
	size_t i;

	for (i = 0; i < NMODEL; i++)
		good = good && is_encoded(s, &model[i], nested);
	peft_source_close(s);
	return good;
}

/* How far into the data the first weight is; what is not known yet. */
static size_t
first_weight(const char *path, size_t *nbytes)
{
	struct golden g = { 0 };
	size_t i, at = SIZE_MAX;

	golden_open(&g, path);
	for (i = 0; i < g.st.n; i++)
		if (at == SIZE_MAX && strcmp(g.st.entries[i].name,
		    model[0].name) == 0)
			at = g.st.entries[i].begin;
	*nbytes = g.st.nbytes;
	golden_close(&g);
	return at;
}

static void
test_bundle(void)
{
	struct peft_err err = { 0 };
	size_t at, nbytes;
	int nested;

	for (nested = 0; nested < 2; nested++) {
		need(convert("f", "o.safetensors", nested, 0, &err) == 0,
		    &err);
		ok(all_encoded("o.safetensors", nested), "a bundle, %s",
		    nested ? "doubly" : "plain");
		at = first_weight("o.safetensors", &nbytes);
		/* the side file, 3 states and what fills up */
		ok(at == (nested ? 64 : 2 + 3 * 256 + 62), "weights begin at "
		    "an even place, and not later than need be");
		need(convert("o.safetensors", "again.safetensors", nested, 0,
		    &err) == 0, &err);
		ok(all_encoded("again.safetensors", nested),
		    "once more changes nothing");
		if (nested)
			break;
		need(convert("o.safetensors", "again.safetensors", true, 0,
		    &err) == 0, &err);
		ok(all_encoded("again.safetensors", true),
		    "nor does it to quantise plain scales");
	}
	unlink("again.safetensors");
	unlink("o.safetensors");
}

static void
test_folder(void)
{
	static const char *const names[] = {
		"d/generation_config.json", "d/model.safetensors.index.json",
		"d/model-00001-of-00003.safetensors",
		"d/model-00002-of-00003.safetensors",
		"d/model-00003-of-00003.safetensors" };
	struct peft_err err = { 0 };
	bool there = true;
	size_t i;

	need(convert("f", "d/", false, 800, &err) == 0, &err);
	for (i = 0; i < 5; i++)
		there = there && access(names[i], F_OK) == 0;
	ok(there && all_encoded("d", false), "shards and their index");
	for (i = 0; i < 5; i++)
		unlink(names[i]);
	ok(rmdir("d") == 0, "and no other file");
}

static int
no_rows(void *ctx, size_t first, size_t n, float *dst, struct peft_err *err)
{
	(void)ctx;
	(void)first;
	(void)n;
	(void)dst;
	return peft_setfail(err, PEFT_NUMERIC, "NaN");
}

static void
test_refusals(void)
{
	struct peft_sinkopt opt = { .path = "o.safetensors", .kind = "model" };
	struct peft_spec s = { .name = "w", .dtype = PEFT_Q8_0, .ndim = 1,
	    .shape = { 32 } };
	const struct peft_rows rows = { .get = no_rows };
	struct peft_err err = { 0 };
	struct peft_sink *k;

	ok(peft_sink_open(&opt, &s, 1, NULL, 0, &err) == NULL && strstr(
	    err.msg, "weight w: type q8_0 exists in GGUF only") != NULL,
	    "a type that safetensors has not");
	s.dtype = PEFT_F32;
	k = peft_sink_open(&opt, &s, 1, NULL, 0, &err);
	need(k != NULL, &err);
	ok(peft_sink_put(k, &rows, &err) == -1 && err.status == PEFT_NUMERIC &&
	    strcmp(err.msg, "weight w: NaN") == 0, "an error of the rows has "
	    "the weight's name");
	peft_sink_abort(k);
	k = peft_sink_open(&opt, &s, 1, NULL, 0, &err);
	need(k != NULL, &err);
	ok(peft_sink_commit(k, &err) == -1 && strcmp(err.msg, "weight w was "
	    "announced and not written") == 0 && access("o.safetensors",
	    F_OK) == -1, "what was announced must come");
}

/* Turn a bit of the file that has no name yet: was it long enough? */
static bool
spoil(off_t at)
{
	char path[64], to[256];
	struct stat st;
	uint8_t byte;
	ssize_t n;
	int fd;

	for (fd = 3; fd < 64; fd++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		n = readlink(path, to, sizeof(to) - 1);
		if (n <= 0 || fstat(fd, &st) == -1 || !S_ISREG(st.st_mode) ||
		    st.st_nlink != 0)
			continue;
		if (pread(fd, &byte, 1, at) == 1) {
			byte ^= 4;
			return pwrite(fd, &byte, 1, at) == 1;
		}
	}
	return false;
}

static int
spoil_last(void *ctx, size_t first, size_t n, float *dst,
    struct peft_err *err)
{
	bool *done = ctx;

	(void)err;
	memset(dst, 0, n * 32 * sizeof(*dst));
	if (first > 0 && !*done)
		*done = spoil(4096);
	return 0;
}

/* What is written is read again: a disk that loses a bit is found out. */
static void
test_check(void)
{
	enum { ROWS = 300000 };		/* more than is kept back in stdio */
	struct peft_sinkopt opt = { .path = "o.safetensors", .kind = "model" };
	struct peft_spec s = { .name = "w", .dtype = PEFT_F32, .ndim = 2,
	    .shape = { ROWS, 32 } };
	bool done = false;
	const struct peft_rows rows = { .get = spoil_last, .ctx = &done };
	struct peft_err err = { 0 };
	struct peft_sink *k = peft_sink_open(&opt, &s, 1, NULL, 0, &err);

	need(k != NULL, &err);
	need(peft_sink_put(k, &rows, &err) == 0, &err);
	ok(done && peft_sink_commit(k, &err) == -1 && strcmp(err.msg, "o.safetensors, "
	    "as it was written: weight w does not read as it was written: is "
	    "the disk sound?") == 0 && access("o.safetensors", F_OK) == -1,
	    "a bit that was lost on the way to the disk is found");
}

int
main(void)
{
	const char *tmp = getenv("TMPDIR");
	char dir[256];

	snprintf(dir, sizeof(dir), "%s/sink-unit-XXXXXX", tmp != NULL ? tmp :
	    "/tmp");
	if (mkdtemp(dir) == NULL || chdir(dir) == -1) {
		printf("Bail out! %s: %s\n", dir, strerror(errno));
		return 1;
	}
	fill_values();
	test_plan();
	test_error();
	test_bundle();
	test_folder();
	test_refusals();
	test_check();
	unlink("f");
	ok(chdir("/") == 0 && rmdir(dir) == 0, "nothing is left");
	return tap_end();
}
