/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sources: one file, shards and their index, pipes, and what is refused of
 * each.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "st-file.h"

static const float numbers[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
static const uint8_t bytes[8] = { 9, 8, 7, 6, 5, 4, 3, 2 };

static const struct item shard1[] = { { "b", PEFT_U8, 3, 0, bytes },
	{ "a", PEFT_F32, 2, 3, numbers }, { 0 } };
static const struct item shard2[] = { { "c", PEFT_F32, 2, 0, numbers + 6 },
	{ 0 } };

static bool
is_a(const struct peft_weight *w)
{
	return w->ndim == 2 && w->rows == 2 && w->cols == 3 && w->nelem == 6 &&
	    w->nbytes == 24 && (uintptr_t)w->data % 4 == 0 && memcmp(w->data,
	    numbers, 24) == 0;
}

static bool
is_c(const struct peft_weight *w)
{
	return w->ndim == 1 && w->rows == 1 && w->cols == 2 && memcmp(w->data,
	    numbers + 6, 8) == 0;
}

/* All weights, one after the other; each is there once and right. */
static bool
streams(struct peft_source *s, size_t n)
{
	struct peft_weight w;
	struct peft_err err = { 0 };
	size_t seen = 0;
	bool good = true;
	int r;

	while ((r = peft_source_next(s, &w, &err)) == 1) {
		seen++;
		good = good && (w.name[0] == 'a' ? is_a(&w) : w.name[0] ==
		    'b' ? memcmp(w.data, bytes, 3) == 0 : is_c(&w));
	}
	return good && r == 0 && seen == n;
}

static void
test_file(void)
{
	struct peft_err err = { 0 };
	struct peft_source *s;
	struct peft_weight w;

	put_st("f", shard1);
	s = peft_source_open("f", &err);
	need(s != NULL, &err);
	ok(peft_source_kind(s) == PEFT_BUNDLE && peft_source_count(s) == 2 &&
	    peft_source_find(s, "a") == 1 && peft_source_find(s, "A") ==
	    SIZE_MAX && peft_source_at(s, 1)->data == NULL,
	    "a file: its weights, without data");
	ok(peft_source_load(s, 1, &w, &err) == 0 && is_a(&w),
	    "numbers that lie askew are read all the same");
	ok(streams(s, 2), "all in turn");
	peft_source_close(s);
	put("f", "", 0);
	refused("f", PEFT_INPUT, "f: is empty");
	put("f", "1234567", 7);
	refused("f", PEFT_INPUT, "f: not a model: 7 bytes");
	put("f", "\x80\x02}q\1K\1K{.....", 14);
	refused("f", PEFT_INPUT, "f: is a PyTorch pickle");
	put("f", "PK\3\4............", 16);
	refused("f", PEFT_INPUT, "f: is a PyTorch pickle");
	refused("none", PEFT_INPUT, "none: ");
	unlink("f");
}

/* Headers of 128, 384, ... begin as pickles do. */
static void
test_lengths(void)
{
	char name[64] = "";
	struct item list[] = { { name, PEFT_U8, 3, 0, bytes }, { 0 } };
	struct peft_err err = { 0 };
	bool good = true;
	size_t i;

	for (i = 0; i < 60; i++) {
		name[i] = 'n';
		put_st("f", list);
		why("f", &err);
		good = good && err.msg[0] == '\0';
	}
	ok(good, "headers of any length");
	unlink("f");
}

/* All ways to cut a file short, and one to make it longer. */
static void
test_cuts(void)
{
	struct peft_err err = { 0 };
	char all[1024];
	FILE *fp;
	size_t n, i;
	bool good = true;

	put_st("f", shard1);
	fp = fopen("f", "r");
	need(fp != NULL, &err);
	n = fread(all, 1, sizeof(all) - 1, fp);
	fclose(fp);
	for (i = 0; i < n; i++) {
		put("f", all, i);
		why("f", &err);
		good = good && strncmp(err.msg, "f: ", 3) == 0;
	}
	ok(good, "no beginning is taken for the whole");
	all[n] = 0;
	put("f", all, n + 1);
	refused("f", PEFT_INPUT, "f: has trailing bytes: 28 bytes of data, "
	    "the header calls for 27");
	unlink("f");
}

static void
index_is(const char *text)
{
	put("d/model.safetensors.index.json", text, strlen(text));
}

#define MAP(members)	"{\"weight_map\":{" members "}}"

static void
test_shards(void)
{
	static const struct item both[] = { { "c", PEFT_F32, 2, 0, numbers },
		{ "a", PEFT_F32, 2, 0, numbers }, { 0 } };
	struct peft_err err = { 0 };
	struct peft_source *s;
	struct peft_weight w;

	mkdir("d", 0777);
	put_st("d/1", shard1);
	put_st("d/2", shard2);
	index_is("{\"metadata\":{\"total_size\":35},\"weight_map\":"
	    "{\"a\":\"1\",\"c\":\"2\",\"b\":\"1\"}}");
	s = peft_source_open("d", &err);
	need(s != NULL, &err);
	ok(peft_source_kind(s) == PEFT_FOLDER && peft_source_count(s) == 3,
	    "shards: the weights of all");
	ok(peft_source_load(s, peft_source_find(s, "c"), &w, &err) == 0 &&
	    is_c(&w) && peft_source_load(s, peft_source_find(s, "a"), &w,
	    &err) == 0 && is_a(&w), "each from where it is");
	ok(streams(s, 3), "and all in turn");
	peft_source_close(s);

	index_is(MAP("\"a\":\"1\",\"b\":\"1\",\"c\":\"1\""));
	refused("d", PEFT_INPUT, "index.json: weight_map: c is not in 1");
	index_is(MAP("\"a\":\"1\",\"b\":\"2\",\"c\":\"2\""));
	refused("d", PEFT_INPUT, "weight_map: b is in 1, not in 2");
	index_is(MAP("\"a\":\"1\",\"c\":\"2\""));
	refused("d", PEFT_INPUT, "tensor b is in a shard and not in the index");
	index_is(MAP("\"a\":\"1\",\"b\":\"1\",\"c\":\"2\",\"e\":\"2\""));
	refused("d", PEFT_INPUT, "weight_map: e is not in 2");
	index_is(MAP("\"a\":\"1\",\"b\":\"1\",\"c\":\"3\""));
	refused("d", PEFT_INPUT, "d/3: ");
	index_is(MAP("\"a\":\"../d/1\",\"b\":\"1\",\"c\":\"2\""));
	refused("d", PEFT_INPUT, "a is in no file of this folder");
	index_is(MAP("\"a\":\".1\""));
	refused("d", PEFT_INPUT, "a is in no file of this folder");
	index_is(MAP("\"a\":1"));
	refused("d", PEFT_INPUT, "a is in no file of this folder");
	index_is("{\"weight_map\":[]}");
	refused("d", PEFT_INPUT, "index.json: no weight_map");
	index_is("{}");
	refused("d", PEFT_INPUT, "index.json: no weight_map");
	index_is("");
	refused("d", PEFT_INPUT, "index.json: byte 1");
	index_is(MAP("\"a\":\"1\",\"a\":\"1\""));
	refused("d", PEFT_INPUT, "index.json: duplicate key \"a\"");
	index_is(MAP(""));
	refused("d", PEFT_INPUT, "index.json: weight_map names no tensor");
	put_st("d/2", both);
	index_is(MAP("\"a\":\"1\",\"b\":\"1\",\"c\":\"2\""));
	refused("d", PEFT_INPUT, "d/2: tensor a is there twice");
	unlink("d/1");
	unlink("d/2");
	unlink("d/model.safetensors.index.json");
	refused("d", PEFT_INPUT, "d: no model.safetensors, ");
	put("d/pytorch_model.bin", "x", 1);
	refused("d", PEFT_INPUT, "d/pytorch_model.bin is a PyTorch pickle");
	unlink("d/pytorch_model.bin");
	rmdir("d");
}

/* A file through a named pipe, by a child that leaves out its last byte or
 * adds one (more: -1, 1). */
static struct peft_source *
from_pipe(const char *path, int more, struct peft_err *err)
{
	struct peft_source *s;
	char all[2048];
	FILE *fp = fopen(path, "r");
	size_t len = fp == NULL ? 0 : fread(all, 1, sizeof(all), fp);
	pid_t pid = fork();

	if (fp == NULL || pid == -1) {
		printf("Bail out! pipe\n");
		exit(1);
	}
	fclose(fp);
	if (pid == 0) {
		FILE *out = fopen("p", "w");

		if (out == NULL)
			_exit(1);
		fwrite(all, 1, more < 0 ? len - 1 : len, out);
		if (more > 0)
			fputc('x', out);
		fclose(out);
		_exit(0);
	}
	s = peft_source_open("p", err);
	waitpid(pid, NULL, 0);
	return s;
}

static void
test_pipe(void)
{
	static const struct item sides[] = {
		{ "peft.file/config.json", PEFT_U8, 2, 0, "{}" },
		{ "b", PEFT_U8, 3, 0, bytes },
		{ "a", PEFT_F32, 2, 3, numbers }, { 0 } };
	static const struct item late[] = {
		{ "b", PEFT_U8, 3, 0, bytes },
		{ "peft.file/config.json", PEFT_U8, 2, 0, "{}" }, { 0 } };
	static const struct item unknown[] = {
		{ "peft.file/../x", PEFT_U8, 2, 0, "{}" }, { 0 } };
	struct peft_err err = { 0 };
	struct peft_source *s;
	struct peft_weight w;

	if (mkfifo("p", 0666) == -1)
		printf("Bail out! mkfifo\n");
	put_st("f", sides);
	s = from_pipe("f", 0, &err);
	need(s != NULL, &err);
	ok(peft_source_side(s, "config.json") != NULL && peft_source_side(s,
	    "config.json")->len == 2, "a pipe: side files are known first");
	ok(streams(s, 2), "then the weights");
	ok(peft_source_load(s, 0, &w, &err) == -1 && strcmp(err.msg,
	    "p: a pipe cannot be read again") == 0, "once");
	peft_source_close(s);
	s = from_pipe("f", 0, &err);
	need(s != NULL, &err);
	ok(peft_source_load(s, 1, &w, &err) == 0 && is_a(&w) && streams(s, 2),
	    "or all of it is kept");
	peft_source_close(s);
	s = from_pipe("f", 1, &err);
	need(s != NULL, &err);
	ok(peft_source_load(s, 1, &w, &err) == -1 && strcmp(err.msg,
	    "p: has trailing bytes") == 0, "nothing may follow");
	peft_source_close(s);
	s = from_pipe("f", -1, &err);
	need(s != NULL, &err);
	ok(peft_source_load(s, 1, &w, &err) == -1 && strncmp(err.msg,
	    "tensor a: p: ends early", 23) == 0, "nor be missing");
	peft_source_close(s);
	put_st("f", late);
	s = from_pipe("f", 0, &err);
	need(s != NULL, &err);
	ok(peft_source_side(s, "config.json") != NULL && streams(s, 1),
	    "in any order");
	peft_source_close(s);
	put_st("f", unknown);
	refused("f", PEFT_INPUT, "peft.file/../x: no side file of that name");
	unlink("f");
	unlink("p");
}

int
main(void)
{
	const char *tmp = getenv("TMPDIR");
	char dir[256];

	snprintf(dir, sizeof(dir), "%s/source-unit-XXXXXX", tmp != NULL ?
	    tmp : "/tmp");
	if (mkdtemp(dir) == NULL || chdir(dir) == -1) {
		printf("Bail out! %s: %s\n", dir, strerror(errno));
		return 1;
	}
	test_file();
	test_lengths();
	test_cuts();
	test_shards();
	test_pipe();
	ok(chdir("/") == 0 && rmdir(dir) == 0, "nothing is left");
	return tap_end();
}
