/* SPDX-License-Identifier: Apache-2.0 */
/* The list of a pack's members. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "pack/manifest.h"
#include "pack/pack.h"

int
peft_manifest_add(struct peft_manifest *m, const char *name,
    const char *path, size_t size, const char *digest, struct peft_err *err)
{
	struct peft_member *grown, *x;

	grown = peft_grow(m->at, m->n, &m->cap, sizeof(*grown), err);
	if (grown == NULL)
		return -1;
	m->at = grown;
	x = &m->at[m->n];
	memset(x, 0, sizeof(*x));
	x->name = peft_strdup(name, err);
	x->path = peft_strdup(path, err);
	x->size = size;
	memcpy(x->digest, digest, PEFT_SHA256_HEX);
	m->n++;
	return x->name == NULL || x->path == NULL ? -1 : 0;
}

static int
by_name(const void *a, const void *b)
{
	const struct peft_member *x = a, *y = b;

	return strcmp(x->name, y->name);
}

struct peft_member *
peft_manifest_find(const struct peft_manifest *m, const char *name)
{
	struct peft_member key = { .name = (char *)(uintptr_t)name };

	return m->n == 0 ? NULL : bsearch(&key, m->at, m->n, sizeof(*m->at),
	    by_name);
}

/* Are the folders that a name is in files as well? */
static int
check_folders(const struct peft_manifest *m, const char *name,
    struct peft_err *err)
{
	char *copy = peft_strdup(name, err), *slash = copy;
	bool found = false;

	if (copy == NULL)
		return -1;
	for (; !found && (slash = strchr(slash, '/')) != NULL; *slash++ = '/') {
		*slash = '\0';
		found = peft_manifest_find(m, copy) != NULL;
	}
	free(copy);
	return found ? peft_seterr(err, "%s is in a folder that is a file",
	    name) : 0;
}

int
peft_manifest_sort(struct peft_manifest *m, struct peft_err *err)
{
	size_t i;

	if (m->n > 0)
		qsort(m->at, m->n, sizeof(*m->at), by_name);
	for (i = 1; i < m->n; i++)
		if (strcmp(m->at[i - 1].name, m->at[i].name) == 0)
			return peft_seterr(err, "two files are called %s",
			    m->at[i].name);
	for (i = 0; i < m->n; i++)
		if (check_folders(m, m->at[i].name, err) == -1)
			return -1;
	return 0;
}

void
peft_manifest_print(struct peft_buf *b, const struct peft_manifest *m)
{
	size_t i;

	peft_buf_puts(b, "{\"peft.pack\":1,\"files\":[");
	for (i = 0; i < m->n; i++) {
		peft_buf_puts(b, i > 0 ? ",\n{\"name\":" : "\n{\"name\":");
		peft_json_putstr(b, m->at[i].name, strlen(m->at[i].name));
		peft_buf_printf(b, ",\"size\":%zu,\"sha256\":\"%s\"}",
		    m->at[i].size, m->at[i].digest);
	}
	peft_buf_puts(b, "\n]}\n");
}

static int
parse_member(struct peft_manifest *m, const cJSON *e, struct peft_err *err)
{
	const char *name = NULL, *digest = NULL;
	int64_t size = -1;

	if (peft_json_str(e, "name", &name, err) == -1 ||
	    peft_json_str(e, "sha256", &digest, err) == -1 ||
	    peft_json_int(e, "size", 0, INT64_C(1) << 52, &size, err) == -1)
		return -1;
	if (name == NULL || !peft_pack_name_ok(name))
		return peft_seterr(err, "'%s' is no name for a member",
		    name == NULL ? "" : name);
	if (digest == NULL || size < 0 ||
	    strlen(digest) != PEFT_SHA256_HEX - 1 ||
	    strspn(digest, "0123456789abcdef") != PEFT_SHA256_HEX - 1)
		return peft_seterr(err, "%s has no size or digest", name);
	return peft_manifest_add(m, name, "", (size_t)size, digest, err);
}

int
peft_manifest_parse(struct peft_manifest *m, const char *s, size_t n,
    struct peft_err *err)
{
	cJSON *j = peft_json(s, n, err);
	const cJSON *files, *e;
	int64_t version = 0;
	int r = 0;

	if (j == NULL)
		return peft_errprefix(err, PEFT_MANIFEST);
	files = peft_json_get(j, "files");
	if (peft_json_int(j, "peft.pack", 1, 1, &version, err) != 1 ||
	    !cJSON_IsArray(files))
		r = peft_seterr(err, "not a pack of version 1");
	if (r == 0)
		cJSON_ArrayForEach(e, files)
			if ((r = parse_member(m, e, err)) == -1)
				break;
	cJSON_Delete(j);
	if (r == 0)
		r = peft_manifest_sort(m, err);
	return r == -1 ? peft_errprefix(err, PEFT_MANIFEST) : 0;
}

void
peft_manifest_free(struct peft_manifest *m)
{
	size_t i;

	for (i = 0; i < m->n; i++) {
		free(m->at[i].name);
		free(m->at[i].path);
	}
	free(m->at);
	*m = (struct peft_manifest){ 0 };
}
