/* SPDX-License-Identifier: Apache-2.0 */
/* Side files. */

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/in.h"
#include "tensor/side.h"

const char *const peft_side_names[] = {
	"config.json", "generation_config.json", "tokenizer.json",
	"tokenizer_config.json", "chat_template.jinja",
	"special_tokens_map.json", "adapter_config.json",
	"head_config.json", NULL
};

/* One more, whose data the caller puts in. */
static struct peft_side *
new_side(struct peft_sides *s, const char *name, struct peft_err *err)
{
	struct peft_side *grown;
	char *copy;

	grown = peft_grow(s->at, s->n, &s->cap, sizeof(*s->at), err);
	if (grown == NULL)
		return NULL;
	s->at = grown;
	if (peft_sides_find(s, name) != NULL) {
		peft_seterr(err, "%s is there twice", name);
		return NULL;
	}
	if ((copy = peft_strdup(name, err)) == NULL)
		return NULL;
	s->at[s->n] = (struct peft_side){ .name = copy };
	return &s->at[s->n++];
}

int
peft_sides_add(struct peft_sides *s, const char *name, struct peft_buf *data,
    struct peft_err *err)
{
	struct peft_side *side = NULL;

	if (data->failed)
		peft_seterr(err, "%s: no memory", name);
	else
		side = new_side(s, name, err);
	if (side == NULL) {
		peft_buf_free(data);
		return -1;
	}
	side->data = data->data;
	side->len = data->len;
	*data = (struct peft_buf){ 0 };
	return 0;
}

int
peft_sides_tell(struct peft_sides *s, struct peft_tokjson *told,
    struct peft_err *err)
{
	struct peft_tokjson *own = NULL;
	struct peft_side *side = NULL;

	if (told->text.failed)
		peft_seterr(err, "tokenizer.json: no memory");
	else if ((own = peft_calloc(1, sizeof(*own), err)) != NULL)
		side = new_side(s, "tokenizer.json", err);
	if (side == NULL) {
		free(own);
		peft_tokjson_free(told);
		return -1;
	}
	*own = *told;
	*told = (struct peft_tokjson){ 0 };
	side->told = own;
	return 0;
}

int
peft_sides_spell(const struct peft_sides *s, struct peft_err *err)
{
	struct peft_buf b = { 0 };
	size_t i;

	for (i = 0; i < s->n; i++) {
		if (s->at[i].told == NULL || s->at[i].data != NULL)
			continue;
		if (peft_tokjson_spell(s->at[i].told, &b, err) == -1) {
			peft_buf_free(&b);
			return peft_errprefix(err, "%s", s->at[i].name);
		}
		s->at[i].data = b.data;
		s->at[i].len = b.len;
		b = (struct peft_buf){ 0 };
	}
	return 0;
}

/* A file that ends within a page has zeros up to its end. */
static void *
map_large(const char *path, size_t *len)
{
	enum { LARGE = 1 << 20 };
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *p = MAP_FAILED;
	struct stat st;

	if (fd == -1)
		return MAP_FAILED;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    st.st_size >= LARGE && st.st_size <= PEFT_MAXSIDE &&
	    st.st_size % sysconf(_SC_PAGESIZE) != 0) {
		*len = (size_t)st.st_size;
		p = mmap(NULL, *len, PROT_READ, MAP_PRIVATE | MAP_POPULATE,
		    fd, 0);
	}
	close(fd);
	return p;
}

int
peft_sides_read(struct peft_sides *s, const char *name, const char *path,
    struct peft_err *err)
{
	struct peft_side *side;
	size_t len = 0;
	void *p = map_large(path, &len);
	struct peft_buf b = { 0 };

	if (p == MAP_FAILED) {
		if (peft_in_slurp(path, PEFT_MAXSIDE, &b, err) == 0)
			return peft_sides_add(s, name, &b, err);
		peft_buf_free(&b);
		return -1;
	}
	if ((side = new_side(s, name, err)) == NULL) {
		munmap(p, len);
		return -1;
	}
	side->data = p;
	side->len = len;
	side->mapped = true;
	return 0;
}

const struct peft_side *
peft_sides_find(const struct peft_sides *s, const char *name)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (strcmp(s->at[i].name, name) == 0)
			return &s->at[i];
	return NULL;
}

void
peft_sides_free(struct peft_sides *s)
{
	size_t i;

	for (i = 0; i < s->n; i++) {
		free((void *)(uintptr_t)s->at[i].name);
		if (s->at[i].mapped)
			munmap((void *)(uintptr_t)s->at[i].data,
			    s->at[i].len);
		else
			free((void *)(uintptr_t)s->at[i].data);
		peft_tokjson_free(s->at[i].told);
		free(s->at[i].told);
	}
	free(s->at);
	*s = (struct peft_sides){ 0 };
}
