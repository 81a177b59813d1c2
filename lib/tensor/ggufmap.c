/* SPDX-License-Identifier: Apache-2.0 */
/* Families in GGUF: names of tensors, and the order of rows. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/ggufconfig-impl.h"

static const char gguf_layer[] = "blk.";

/* Is a key there that is not 0, or a tensor of that name? */
static bool
holds(const struct peft_gguf *g, const struct peft_arch *a)
{
	char key[128];
	size_t i;
	double v;

	if (a->when == NULL)
		return true;
	peft_gguf_full_key(key, a->when, a->gguf);
	if (a->when[0] == '%')
		return peft_gguf_real(g, key, &v) && v != 0;
	for (i = 0; i < g->n; i++)
		if (strcmp(g->tensors[i].name, a->when) == 0)
			return true;
	return false;
}

const struct peft_arch *
peft_arch_of_gguf(const struct peft_gguf *g, const char *name)
{
	const struct peft_arch *a;

	for (a = peft_archs; a->gguf != NULL; a++)
		if (strcmp(a->gguf, name) == 0 && holds(g, a))
			return a;
	return NULL;
}

const struct peft_arch *
peft_arch_of_hf(const char *model_type)
{
	const struct peft_arch *a;

	for (a = peft_archs; a->gguf != NULL; a++)
		if (strcmp(a->hf, model_type) == 0)
			return a;
	return NULL;
}

const struct peft_arch *
peft_arch_of_config(const struct peft_side *config)
{
	struct peft_err none;
	cJSON *j = peft_json(config->data, config->len, &none);
	const struct peft_arch *a = NULL;
	const char *type = NULL;

	if (j != NULL && peft_json_str(j, "model_type", &type, &none) == 1)
		a = peft_arch_of_hf(type);
	cJSON_Delete(j);
	return a;
}

bool
peft_arch_joined(const struct peft_arch *a)
{
	return a->joined;
}

bool
peft_arch_latent(const struct peft_arch *a)
{
	return a->latent;
}

const char *
peft_arch_gguf(const struct peft_arch *a)
{
	return a->gguf;
}

void
peft_arch_names(bool hf, char *buf, size_t size)
{
	const struct peft_arch *a, *b;
	size_t at = 0;
	int n;

	buf[0] = '\0';
	for (a = peft_archs; a->gguf != NULL && at < size; a++) {
		for (b = peft_archs; b < a && strcmp(hf ? a->hf : a->gguf,
		    hf ? b->hf : b->gguf) != 0; b++)
			;
		if (b < a)
			continue;
		n = snprintf(buf + at, size - at, "%s%s", at > 0 ? ", " : "",
		    hf ? a->hf : a->gguf);
		at += n > 0 ? (size_t)n : 0;
	}
}

const char *
peft_arch_alias(const struct peft_arch *a, const char *key)
{
	size_t i;

	for (i = 0; a->alias != NULL && a->alias[i][0] != NULL; i++)
		if (strcmp(a->alias[i][0], key) == 0)
			return a->alias[i][1];
	return key;
}

/* Of "STEM.weight" or "STEM.bias" the stem's length, else all of it. */
static size_t
stem(const char *name)
{
	const char *dot = strrchr(name, '.');

	if (dot == NULL || (strcmp(dot, ".weight") != 0 &&
	    strcmp(dot, ".bias") != 0))
		return strlen(name);
	return (size_t)(dot - name);
}

/* Behind prefix and a number with a dot: the rest, and the digits' length. */
static const char *
in_layer(const char *name, const char *prefix, int *digits)
{
	size_t n = strlen(prefix), k;

	if (strncmp(name, prefix, n) != 0)
		return NULL;
	k = strspn(name + n, "0123456789");
	if (k == 0 || k > 6 || name[n + k] != '.' ||
	    (k > 1 && name[n] == '0'))
		return NULL;
	*digits = (int)k;
	return name + n + k + 1;
}

/* The same, where # in t stands for a number (or itself). */
static bool
matches(const char *t, const char *s, size_t len)
{
	const char *hash = strchr(t, '#');
	size_t head = hash == NULL ? 0 : (size_t)(hash - t), n;

	if (hash == NULL)
		return strlen(t) == len && memcmp(t, s, len) == 0;
	if (len <= head || memcmp(t, s, head) != 0)
		return false;
	n = s[head] == '#' ? 1 : strspn(s + head, "0123456789");
	if (n == 0 || n > 4 || (n > 1 && s[head] == '0') || head + n > len)
		return false;
	s += head + n;
	return strlen(hash + 1) == len - head - n &&
	    memcmp(hash + 1, s, len - head - n) == 0;
}

/* With a tail, or, in Hugging Face's names of some, without. */
static const struct peft_pair *
find_pair(const struct peft_pair *p, bool hf, const char *s)
{
	size_t len = stem(s);

	for (; p->gguf != NULL; p++)
		if (matches(hf ? p->hf : p->gguf, s, len) &&
		    (s[len] == '\0') == (hf && p->as == '.'))
			return p;
	return NULL;
}

/* The table row of a name in either world. */
static const struct peft_pair *
locate(const struct peft_arch *a, const char *name, bool hf,
    const char **number, int *digits)
{
	const char *prefix = hf ? a->hf_layer : gguf_layer, *rest;

	*digits = 0;
	*number = "";
	if ((rest = in_layer(name, prefix, digits)) != NULL) {
		*number = name + strlen(prefix);
		return find_pair(a->layer, hf, rest);
	}
	return find_pair(a->whole, hf, name);
}

static int
translate(const struct peft_arch *a, const char *name, bool hf, char *buf)
{
	const char *number, *other, *tail = strrchr(name, '.');
	const struct peft_pair *p;
	int digits;

	if ((p = locate(a, name, hf, &number, &digits)) == NULL)
		return -1;
	other = hf ? p->gguf : p->hf;
	if (p->as == '.')
		tail = hf ? ".weight" : "";
	if (digits > 0)
		snprintf(buf, 256, "%s%.*s.%s%s", hf ? gguf_layer :
		    a->hf_layer, digits, number, other, tail);
	else
		snprintf(buf, 256, "%s%s", other, tail);
	return 0;
}

int
peft_arch_to_hf(const struct peft_arch *a, const char *name, char *buf)
{
	return translate(a, name, false, buf);
}

int
peft_arch_to_gguf(const struct peft_arch *a, const char *name, char *buf)
{
	return translate(a, name, true, buf);
}

size_t
peft_arch_expert(const struct peft_arch *a, const char *hf_name)
{
	const struct peft_pair *p;
	const char *number, *hash, *rest;
	int digits;

	p = locate(a, hf_name, true, &number, &digits);
	if (p == NULL || (hash = strchr(p->hf, '#')) == NULL)
		return SIZE_MAX;
	rest = number + digits + 1;		/* behind the layer's dot */
	return strtoul(rest + (hash - p->hf), NULL, 10);
}

struct peft_order
peft_arch_order(const struct peft_arch *a, const char *hf_name,
    const struct peft_heads *h)
{
	struct peft_order o = { 0 };
	const struct peft_pair *p;
	const char *number, *tail = strrchr(hf_name, '.');
	int digits;

	if ((p = locate(a, hf_name, true, &number, &digits)) == NULL)
		return o;
	o.split = p->as == 'F';
	o.heads = p->as == 'k' ? h->kv_heads : p->as == 'q' ||
	    p->as == 'f' || o.split ? h->heads : 0;
	o.kv_heads = p->as == 'f' || o.split ? h->kv_heads : 0;
	o.turned = p->as == 't' && strcmp(tail, ".weight") == 0;
	o.stacked = p->as == 'e';
	o.plus_one = p->as == '+' && strcmp(tail, ".weight") == 0;
	return o;
}

bool
peft_order_fits(const struct peft_order *o, size_t rows)
{
	size_t heads = o->heads + 2 * o->kv_heads;

	if (heads == 0)
		return true;
	return rows % heads == 0 && rows > 0 &&
	    (o->kv_heads == 0 || o->heads % o->kv_heads == 0) &&
	    ((o->kv_heads > 0 && !o->split) || rows / heads % 2 == 0);
}

/* Within a head of n rows, row p * n/2 + j goes to 2 j + p. */
static size_t
interleave(size_t at, size_t n)
{
	return at % (n / 2) * 2 + at / (n / 2);
}

static size_t
separate(size_t at, size_t n)
{
	return at % 2 * (n / 2) + at / 2;
}

/* Fused rows lie by key head in Hugging Face's: its queries, key, value. */
static size_t
fused_to_gguf(size_t r, size_t rows, const struct peft_order *o)
{
	size_t n = rows / (o->heads + 2 * o->kv_heads);
	size_t rep = o->heads / o->kv_heads, head = r / n;
	size_t g = head / (rep + 2), i = head % (rep + 2);

	head = i < rep ? g * rep + i : o->heads + (i - rep) * o->kv_heads + g;
	return head * n + (o->split && head < o->heads + o->kv_heads ?
	    interleave(r % n, n) : r % n);
}

static size_t
fused_to_hf(size_t r, size_t rows, const struct peft_order *o)
{
	size_t n = rows / (o->heads + 2 * o->kv_heads);
	size_t rep = o->heads / o->kv_heads, head = r / n, at = r % n, k;

	if (o->split && head < o->heads + o->kv_heads)
		at = separate(at, n);
	if (head < o->heads)
		head = head / rep * (rep + 2) + head % rep;
	else {
		k = head - o->heads;
		head = k % o->kv_heads * (rep + 2) + rep + k / o->kv_heads;
	}
	return head * n + at;
}

size_t
peft_permute_to_gguf(size_t r, size_t rows, const struct peft_order *o)
{
	size_t n;

	if (o->kv_heads > 0)
		return fused_to_gguf(r, rows, o);
	n = rows / o->heads;
	return r - r % n + interleave(r % n, n);
}

size_t
peft_permute_to_hf(size_t r, size_t rows, const struct peft_order *o)
{
	size_t n;

	if (o->kv_heads > 0)
		return fused_to_hf(r, rows, o);
	n = rows / o->heads;
	return r - r % n + separate(r % n, n);
}
