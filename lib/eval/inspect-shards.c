/* SPDX-License-Identifier: Apache-2.0 */
/* Do the index of a folder and its shards tell of the same tensors?  What a
 * source refuses at the first thing that is wrong is listed here. */

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/in.h"
#include "base/map.h"
#include "eval/inspect-impl.h"
#include "tensor/st.h"

enum { MOST_TOLD = 100 };
static const size_t max_index = (size_t)256 << 20;
static const char index_name[] = "model.safetensors.index.json";

struct shards {
	const char	*folder;
	const cJSON	*map;		/* tensor: file */
	cJSON		*problems;
	size_t		 bad, files;
	double		 bytes;		/* of all tensors */
	struct peft_map	 seen;		/* names of files, of the index */
};

static void problem(struct shards *, const char *, ...) PEFT_PRINTF(2, 3);

/* A message made as errors are, so that it has no control characters. */
static void
problem(struct shards *s, const char *fmt, ...)
{
	struct peft_err e = { 0 };
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)peft_seterr(&e, "%s", text);
	if (s->bad++ < MOST_TOLD)
		cJSON_AddItemToArray(s->problems, cJSON_CreateString(e.msg));
}

/* Prefix, header and the length of what should follow. */
static int
read_header(FILE *fp, struct peft_st *st, struct peft_err *err)
{
	unsigned char prefix[PEFT_ST_PREFIX];
	struct stat sb;
	size_t len;
	char *text;
	int r = -1;

	if (fstat(fileno(fp), &sb) == -1 || !S_ISREG(sb.st_mode))
		return peft_seterr(err, "it is not a file");
	if (fread(prefix, 1, sizeof(prefix), fp) != sizeof(prefix))
		return peft_seterr(err, "it ends within the length of the "
		    "header");
	if (peft_st_length(prefix, &len, err) == -1 ||
	    (text = peft_calloc(len + 1, 1, err)) == NULL)
		return -1;
	if (fread(text, 1, len, fp) != len)
		peft_seterr(err, "it ends within the header");
	else
		r = peft_st_parse(st, text, len, err);
	free(text);
	if (r == 0 && (uintmax_t)sb.st_size !=
	    (uintmax_t)st->nbytes + len + sizeof(prefix)) {
		peft_st_free(st);
		r = peft_seterr(err, "it has %jd bytes, its header calls for "
		    "%ju", (intmax_t)sb.st_size, (uintmax_t)st->nbytes + len +
		    sizeof(prefix));
	}
	return r;
}

static int
open_shard(const struct shards *s, const char *file, struct peft_st *st,
    struct peft_err *err)
{
	struct peft_buf path = { 0 };
	FILE *fp;
	int fd = -1, r;

	peft_buf_printf(&path, "%s/%s", s->folder, file);
	if (!path.failed)		/* it may be a pipe */
		fd = open(path.data, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	fp = fd == -1 ? NULL : fdopen(fd, "rb");
	r = fp == NULL ? peft_seterrno(err, "it cannot be opened") :
	    read_header(fp, st, err);
	if (fp != NULL)
		fclose(fp);
	peft_buf_free(&path);
	return r;
}

/* Tensors of the file that the index does not have, or has elsewhere; and
 * the other way round. */
static int
check_shard(struct shards *s, const char *file, struct peft_err *err)
{
	struct peft_err why = { 0 };
	struct peft_map here = { 0 };
	struct peft_st st = { 0 };
	const cJSON *e;
	size_t i;
	int r = 0;

	if (open_shard(s, file, &st, &why) == -1) {
		problem(s, "%s: %s", file, why.msg);
		return 0;
	}
	for (i = 0; r != -1 && i < st.n; i++) {
		const struct peft_st_entry *t = &st.entries[i];

		e = peft_json_get(s->map, t->name);
		s->bytes += (double)t->nbytes;
		if (e == NULL)
			problem(s, "tensor %s is in %s and not in the index",
			    t->name, file);
		else if (cJSON_IsString(e) && strcmp(e->valuestring,
		    file) != 0)
			problem(s, "tensor %s is in %s, the index has it in "
			    "%s", t->name, file, e->valuestring);
		r = peft_map_add(&here, t->name, strlen(t->name), 0, err);
	}
	cJSON_ArrayForEach(e, s->map)
		if (cJSON_IsString(e) && strcmp(e->valuestring, file) == 0 &&
		    peft_map_find(&here, e->string, strlen(e->string)) == NULL)
			problem(s, "tensor %s is not in %s, where the index "
			    "has it", e->string, file);
	peft_map_free(&here);
	peft_st_free(&st);
	return r == -1 ? -1 : 0;
}

/* Every file that the index names, once. */
static int
check_named(struct shards *s, struct peft_err *err)
{
	const cJSON *e;
	int r;

	cJSON_ArrayForEach(e, s->map) {
		const char *file = e->valuestring;

		if (!cJSON_IsString(e) || file[0] == '.' || file[0] == '\0' ||
		    strchr(file, '/') != NULL) {
			problem(s, "tensor %s is in no file of this folder",
			    e->string);
			continue;
		}
		r = peft_map_add(&s->seen, file, strlen(file), 0, err);
		if (r == 1) {
			s->files++;
			r = check_shard(s, file, err);
		}
		if (r == -1)
			return -1;
	}
	return 0;
}

/* Weight files that the index does not name. */
static void
check_strays(struct shards *s)
{
	static const char tail[] = ".safetensors";
	DIR *d = opendir(s->folder);
	const struct dirent *e;
	size_t n;

	while (d != NULL && (e = readdir(d)) != NULL) {
		n = strlen(e->d_name);
		if (n > sizeof(tail) && strcmp(e->d_name + n -
		    (sizeof(tail) - 1), tail) == 0 &&
		    peft_map_find(&s->seen, e->d_name, n) == NULL)
			problem(s, "%s is here and not in the index",
			    e->d_name);
	}
	if (d != NULL)
		closedir(d);
}

static int
check_index(struct shards *s, cJSON *out, const cJSON *index,
    struct peft_err *err)
{
	const cJSON *said = peft_json_get(peft_json_get(index, "metadata"),
	    "total_size");

	s->map = peft_json_get(index, "weight_map");
	if (!cJSON_IsObject(s->map)) {
		problem(s, "the index has no weight_map");
		return 0;
	}
	if (check_named(s, err) == -1)
		return -1;
	check_strays(s);
	cJSON_AddNumberToObject(out, "files", (double)s->files);
	cJSON_AddNumberToObject(out, "bytes", s->bytes);
	if (cJSON_IsNumber(said))
		cJSON_AddNumberToObject(out, "total_size", said->valuedouble);
	/* of a folder of which something is absent it says nothing */
	if (cJSON_IsNumber(said) && s->bad == 0 && said->valuedouble !=
	    s->bytes)
		problem(s, "total_size is %.0f, the tensors have %.0f bytes",
		    said->valuedouble, s->bytes);
	return 0;
}

int
peft_inspect_shards(cJSON *j, const char *folder, size_t *bad,
    struct peft_err *err)
{
	struct shards s = { .folder = folder };
	struct peft_buf path = { 0 }, text = { 0 };
	struct peft_err why = { 0 };
	cJSON *index, *out;
	struct stat sb;
	int r = 0;

	*bad = 0;
	peft_buf_printf(&path, "%s/%s", folder, index_name);
	if (path.failed || stat(path.data, &sb) == -1) {
		peft_buf_free(&path);
		return 0;
	}
	out = cJSON_AddObjectToObject(j, "shards");
	s.problems = cJSON_CreateArray();
	if (peft_in_regular(path.data, &why) == -1 ||
	    peft_in_slurp(path.data, max_index, &text, &why) == -1 ||
	    (index = peft_json(text.data == NULL ? "" : text.data, text.len,
	    &why)) == NULL)
		problem(&s, "%s: %s", index_name, why.msg);
	else {
		r = check_index(&s, out, index, err);
		peft_map_free(&s.seen);
		cJSON_Delete(index);
	}
	cJSON_AddItemToObject(out, "problems", s.problems);
	*bad = s.bad;
	peft_buf_free(&path);
	peft_buf_free(&text);
	return r;
}
