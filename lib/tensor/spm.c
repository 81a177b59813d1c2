/* SPDX-License-Identifier: Apache-2.0 */
/* SentencePiece's tokenizer.model. */

#include <stdlib.h>
#include <string.h>

#include "tensor/spm.h"

/* A message: fields of a number and a type, one behind the other. */
struct field {
	uint64_t	 number;
	unsigned	 type;		/* of those below */
	uint64_t	 value;		/* VARINT, FIXED32 */
	const uint8_t	*s;		/* BYTES: n of them */
	size_t		 n;
};
enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

struct cursor {
	const uint8_t	*p, *end;
};

enum { UNIGRAM = 1, BPE = 2 };	/* trainer_spec.model_type */

/* What is not told by pieces. */
struct spec {
	struct peft_pieces	*p;
	uint64_t		 model;
	uint64_t		 suffix;	/* spaces go behind words */
	struct field		 bos, eos, pad;	/* names */
	bool			 trainer, normaliser;	/* are there */
};

static inline int
varint(struct cursor *c, uint64_t *v)
{
	unsigned shift;

	if (c->p < c->end && *c->p < 128) {	/* as most are */
		*v = *c->p++;
		return 0;
	}
	*v = 0;
	for (shift = 0; c->p < c->end && shift < 64; shift += 7) {
		*v |= (uint64_t)(*c->p & 127) << shift;
		if (*c->p++ < 128)
			return 0;
	}
	return -1;
}

static inline int
fixed(struct cursor *c, size_t n, uint64_t *v)
{
	size_t i;

	if ((size_t)(c->end - c->p) < n)
		return -1;
	*v = 0;
	for (i = 0; i < n; i++)
		*v |= (uint64_t)c->p[i] << 8 * i;
	c->p += n;
	return 0;
}

/* 1 a field, 0 the end, -1 the bytes are no message. */
static int
next(struct cursor *c, struct field *f)
{
	uint64_t key;

	if (c->p == c->end)
		return 0;
	if (varint(c, &key) == -1 || key >> 3 == 0 || key >> 32 != 0)
		return -1;
	*f = (struct field){ .number = key >> 3, .type = key & 7 };
	switch (f->type) {
	case VARINT:
		return varint(c, &f->value) == -1 ? -1 : 1;
	case FIXED64:
		return fixed(c, 8, &f->value) == -1 ? -1 : 1;
	case FIXED32:
		return fixed(c, 4, &f->value) == -1 ? -1 : 1;
	case BYTES:
		if (varint(c, &f->value) == -1 ||
		    f->value > (uint64_t)(c->end - c->p))
			return -1;
		f->s = c->p;
		f->n = (size_t)f->value;
		c->p += f->n;
		return 1;
	default:		/* groups are of the past */
		return -1;
	}
}

/* The types that the fields of a message must have, by their numbers; other
 * fields are passed over. */
struct rule {
	uint64_t	number;
	unsigned	type;
};

static bool
fits(const struct field *f, const struct rule *rules, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (rules[i].number == f->number)
			return rules[i].type == f->type;
	return true;
}
#define FITS(f, rules) fits(f, rules, sizeof(rules) / sizeof((rules)[0]))

static int
read_piece(struct spec *spec, const struct field *in, struct peft_err *err)
{
	static const struct rule rules[] = { { 1, BYTES }, { 2, FIXED32 },
	    { 3, VARINT } };
	struct cursor c = { in->s, in->s + in->n };
	struct peft_pieces *p = spec->p;
	struct peft_piece e = { .s = "", .type = PEFT_P_NORMAL }, *grown;
	uint32_t bits;
	struct field f;
	int r;

	while ((r = next(&c, &f)) == 1 && FITS(&f, rules)) {
		if (f.number == 1) {
			e.s = (const char *)f.s;
			e.len = f.n;
		} else if (f.number == 2) {
			bits = (uint32_t)f.value;
			memcpy(&e.score, &bits, sizeof(e.score));
		} else if (f.number == 3)
			e.type = f.value > PEFT_P_BYTE ? 0 : (int)f.value;
	}
	if (r != 0)
		return peft_seterr(err, "piece %zu is damaged", p->n);
	grown = peft_grow(p->at, p->n, &p->cap, sizeof(*grown), err);
	if (grown == NULL)
		return -1;
	p->at = grown;
	p->at[p->n++] = e;
	return 0;
}

static int
read_trainer(struct spec *spec, const struct field *in, struct peft_err *err)
{
	static const struct rule rules[] = { { 3, VARINT }, { 24, VARINT },
	    { 35, VARINT }, { 46, BYTES }, { 47, BYTES }, { 48, BYTES } };
	struct cursor c = { in->s, in->s + in->n };
	struct field f;
	int r;

	while ((r = next(&c, &f)) == 1 && FITS(&f, rules))
		switch (f.number) {
		case 3:
			spec->model = f.value;
			break;
		case 24:
			spec->suffix = f.value;
			break;
		case 35:
			spec->p->byte_fallback = f.value != 0;
			break;
		case 46:
			spec->bos = f;
			break;
		case 47:
			spec->eos = f;
			break;
		case 48:
			spec->pad = f;
			break;
		}
	return r == 0 ? 0 : peft_seterr(err, "trainer_spec is damaged");
}

static int
read_normaliser(struct spec *spec, const struct field *in,
    struct peft_err *err)
{
	static const struct rule rules[] = { { 2, BYTES }, { 3, VARINT },
	    { 4, VARINT }, { 5, VARINT } };
	struct cursor c = { in->s, in->s + in->n };
	struct peft_pieces *p = spec->p;
	struct field f;
	int r;

	while ((r = next(&c, &f)) == 1 && FITS(&f, rules))
		switch (f.number) {
		case 2:
			p->charsmap = f.n == 0 ? NULL : f.s;
			p->ncharsmap = f.n;
			break;
		case 3:
			p->prefix = f.value != 0;
			break;
		case 4:
			p->trim = f.value != 0;
			break;
		case 5:
			p->spaces = f.value == 0;
			break;
		}
	return r == 0 ? 0 : peft_seterr(err, "normalizer_spec is damaged");
}

static int
read_model(struct spec *spec, struct cursor c, struct peft_err *err)
{
	static const struct rule rules[] = { { 1, BYTES }, { 2, BYTES },
	    { 3, BYTES } };
	struct field f;
	int r;

	while ((r = next(&c, &f)) == 1 && FITS(&f, rules)) {
		if (f.number == 1)
			r = read_piece(spec, &f, err);
		else if (f.number == 2)
			r = read_trainer(spec, &f, err);
		else if (f.number == 3)
			r = read_normaliser(spec, &f, err);
		if (r == -1)
			return -1;
		spec->trainer |= f.number == 2;
		spec->normaliser |= f.number == 3;
	}
	/* they come last: without them the file was cut */
	if (r == 0 && !(spec->trainer && spec->normaliser))
		return peft_seterr(err, "no trainer_spec and normalizer_spec "
		    "behind %zu pieces", spec->p->n);
	return r == 0 ? 0 : peft_seterr(err, "no SentencePiece model, or one "
	    "that is damaged behind piece %zu", spec->p->n);
}

/* The control piece of a name. */
static size_t
control(const struct peft_pieces *p, const struct field *name,
    const char *usual)
{
	const char *s = name->s == NULL ? usual : (const char *)name->s;
	size_t n = name->s == NULL ? strlen(usual) : name->n, i;

	for (i = 0; i < p->n; i++)
		if (p->at[i].type == PEFT_P_CONTROL && p->at[i].len == n &&
		    memcmp(p->at[i].s, s, n) == 0)
			return i;
	return PEFT_NOPIECE;
}

/* There is one piece for what is unknown, and with byte_fallback one for each
 * byte. */
static int
check_kinds(struct peft_pieces *p, struct peft_err *err)
{
	size_t i, nbytes = 0;

	p->unk = PEFT_NOPIECE;
	for (i = 0; i < p->n; i++) {
		nbytes += p->at[i].type == PEFT_P_BYTE;
		if (p->at[i].type != PEFT_P_UNKNOWN)
			continue;
		if (p->unk != PEFT_NOPIECE)
			return peft_seterr(err, "pieces %zu and %zu are both "
			    "for what is unknown", p->unk, i);
		p->unk = i;
	}
	if (p->unk == PEFT_NOPIECE)
		return peft_seterr(err, "no piece is for what is unknown");
	if (nbytes != (p->byte_fallback ? 256 : 0))
		return peft_seterr(err, "%zu pieces are for bytes, not %d",
		    nbytes, p->byte_fallback ? 256 : 0);
	return 0;
}

int
peft_spm_read(struct peft_pieces *p, const void *data, size_t len,
    struct peft_err *err)
{
	struct spec spec = { .p = p, .model = UNIGRAM };
	struct cursor c = { data, (const uint8_t *)data + len };

	*p = (struct peft_pieces){ .what = p->what, .prefix = true,
	    .trim = true };
	if (read_model(&spec, c, err) == -1 || check_kinds(p, err) == -1)
		return peft_errprefix(err, "%s", p->what);
	if (spec.model != UNIGRAM && spec.model != BPE)
		return peft_seterr(err, "%s: model_type is %llu, neither 1 "
		    "(Unigram) nor 2 (BPE)", p->what,
		    (unsigned long long)spec.model);
	if (spec.suffix != 0)
		return peft_seterr(err, "%s: treat_whitespace_as_suffix is "
		    "not known here", p->what);
	p->unigram = spec.model == UNIGRAM;
	p->bos = control(p, &spec.bos, "<s>");
	p->eos = control(p, &spec.eos, "</s>");
	p->pad = control(p, &spec.pad, "<pad>");
	return 0;
}

int
peft_spm_type(struct peft_pieces *p, char **arena, struct peft_err *err)
{
	static const char dash[] = "\u2581";
	size_t i, k, n = 1;
	char *to;

	for (i = 0; i < p->n; i++)
		n += p->at[i].type == PEFT_P_USER ? p->at[i].len : 0;
	if ((*arena = to = peft_calloc(n, 1, err)) == NULL)
		return -1;
	for (i = 0; i < p->n; i++) {
		struct peft_piece *e = &p->at[i];
		const char *s = e->s;

		if (e->type != PEFT_P_USER)
			continue;
		e->s = to;
		for (k = 0; k < e->len; k++)
			if (e->len - k >= sizeof(dash) - 1 && memcmp(s + k,
			    dash, sizeof(dash) - 1) == 0) {
				*to++ = ' ';
				k += sizeof(dash) - 2;
			} else
				*to++ = s[k];
		e->len = (size_t)(to - e->s);
	}
	return 0;
}
