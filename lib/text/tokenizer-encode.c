/* SPDX-License-Identifier: Apache-2.0 */
/* From text to tokens. */

#include <stdlib.h>
#include <string.h>

#include "text/tokenizer-impl.h"
#include "text/unicode.h"

/* What one call needs: memory is grown once and used for all pieces. */
struct work {
	const struct peft_tokenizer	*t;
	struct peft_tokens		*out;
	struct peft_symbol		*sym;
	uint64_t			*scratch;
	size_t				 nsym, nscratch;
	/* the piece between added tokens, normalised: text, and where each
	 * of its bytes comes from ([begin, end) in the original) */
	struct peft_buf			 text;
	uint32_t			*from, *to;
	size_t				 nmap;
	bool				 mapped;
	uint32_t			 base;	/* of the piece, unmapped */
	const char			*mark;	/* of the user's bytes, or NULL */
	struct peft_err			*err;
};

void
peft_tokens_free(struct peft_tokens *t)
{
	free(t->at);
	*t = (struct peft_tokens){ 0 };
}

static int
put(struct work *w, int32_t id, uint32_t begin, uint32_t end)
{
	struct peft_token *grown;

	grown = peft_grow(w->out->at, w->out->n, &w->out->cap, sizeof(*grown),
	    w->err);
	if (grown == NULL)
		return -1;
	w->out->at = grown;
	grown[w->out->n++] = (struct peft_token){ id, begin, end };
	return 0;
}

/* Where bytes [b, e) of the piece's text are in the original. */
static int
put_symbol(struct work *w, const struct peft_symbol *s)
{
	if (!w->mapped)
		return put(w, s->id, w->base + s->begin, w->base + s->end);
	return put(w, s->id, w->from[s->begin], w->to[s->end - 1]);
}

static int
room(struct work *w, size_t n)
{
	void *p;

	if (n > w->nsym) {
		if ((p = realloc(w->sym, n * sizeof(*w->sym))) == NULL)
			return peft_seterr(w->err, "no memory for %zu symbols",
			    n);
		w->sym = p;
		w->nsym = n;
	}
	if (n > PEFT_BPE_SHORT && PEFT_BPE_SCRATCH(n) > w->nscratch) {
		p = realloc(w->scratch, PEFT_BPE_SCRATCH(n) *
		    sizeof(*w->scratch));
		if (p == NULL)
			return peft_seterr(w->err, "no memory for %zu symbols",
			    n);
		w->scratch = p;
		w->nscratch = PEFT_BPE_SCRATCH(n);
	}
	return 0;
}

/* Symbols of a byte-level piece: its bytes. */
static size_t
byte_symbols(struct work *w, const char *s, size_t at, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		w->sym[i] = (struct peft_symbol){
		    w->t->byte_id[(unsigned char)s[i]], (uint32_t)(at + i),
		    (uint32_t)(at + i + 1) };
	return n;
}

/* Does every byte of a character have a token of its own? */
static bool
has_bytes(const struct peft_tokenizer *t, const char *s, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (t->byte_id[(unsigned char)s[i]] < 0)
			return false;
	return true;
}

/* Symbols of other pieces: characters; those not in the vocabulary as bytes,
 * or as unknown (one for a run of them if fuse_unk). */
static size_t
char_symbols(struct work *w, const char *s, size_t at, size_t n)
{
	const struct peft_tokenizer *t = w->t;
	size_t i, j, len, k = 0;

	for (i = 0; i < n; i += len) {
		const size_t *id;

		if ((len = peft_utf8_len(s + i, n - i)) == 0)
			len = 1;
		id = peft_map_find(&t->vocab, s + i, len);
		if (id != NULL)
			w->sym[k++] = (struct peft_symbol){ (int32_t)*id,
			    (uint32_t)(at + i), (uint32_t)(at + i + len) };
		else if (t->byte_fallback && has_bytes(t, s + i, len))
			for (j = 0; j < len; j++)
				w->sym[k++] = (struct peft_symbol){
				    t->byte_id[(unsigned char)s[i + j]],
				    (uint32_t)(at + i),
				    (uint32_t)(at + i + len) };
		else if (t->unk >= 0 && t->fuse_unk && k > 0 &&
		    w->sym[k - 1].id == t->unk)
			w->sym[k - 1].end = (uint32_t)(at + i + len);
		else if (t->unk >= 0)
			w->sym[k++] = (struct peft_symbol){ t->unk,
			    (uint32_t)(at + i), (uint32_t)(at + i + len) };
	}
	return k;
}

static int
encode_piece(struct work *w, const char *s, size_t at, size_t n)
{
	const struct peft_tokenizer *t = w->t;
	const size_t *whole;
	size_t k, i;

	if (t->ignore_merges && (whole = peft_map_find(t->byte_level ?
	    &t->pieces : &t->vocab, s, n)) != NULL)
		return put_symbol(w, &(struct peft_symbol){ (int32_t)*whole,
		    (uint32_t)at, (uint32_t)(at + n) });
	if (room(w, n) == -1)
		return -1;
	k = t->byte_level ? byte_symbols(w, s, at, n) :
	    char_symbols(w, s, at, n);
	k = peft_bpe_merge(&t->bpe, w->sym, k, w->scratch);
	for (i = 0; i < k; i++) {
		if (w->sym[i].id < 0)
			return peft_seterr(w->err, "the byte 0x%02x has no "
			    "token", (unsigned char)s[w->sym[i].begin - at]);
		if (put_symbol(w, &w->sym[i]) == -1)
			return -1;
	}
	return 0;
}

/* One pre-tokenizer after the other, each within the pieces of the one
 * before. */
static int
split(struct work *w, size_t stage, const char *s, size_t at, size_t n)
{
	size_t i, end;

	if (stage == w->t->nscan)
		return n == 0 ? 0 : encode_piece(w, s, at, n);
	for (i = 0; i < n; i = end) {
		end = w->t->scan[stage](s, n, i);
		if (split(w, stage + 1, s + i, at + i, end - i) == -1)
			return -1;
	}
	return 0;
}

static int
map_room(struct work *w, size_t n)
{
	uint32_t *from = realloc(w->from, n * sizeof(*from)), *to;

	if (from != NULL)
		w->from = from;
	to = realloc(w->to, n * sizeof(*to));
	if (to != NULL)
		w->to = to;
	if (from == NULL || to == NULL)
		return peft_seterr(w->err, "no memory for %zu bytes", n);
	w->nmap = n;
	return 0;
}

/* Put bytes that come from [from, to) of the original. */
static int
put_mapped(struct work *w, const char *s, size_t n, uint32_t from,
    uint32_t to)
{
	size_t i, at = w->text.len;

	if (at + n > w->nmap && map_room(w, (at + n) * 2 + 64) == -1)
		return -1;
	peft_buf_put(&w->text, s, n);
	for (i = 0; i < n; i++) {
		w->from[at + i] = from;
		w->to[at + i] = to;
	}
	return w->text.failed ? peft_seterr(w->err, "no memory") : 0;
}

/* One replacement over the text as it is so far. */
static int
replace(struct work *w, const struct peft_normaliser *r)
{
	size_t nf = strlen(r->from), nt = strlen(r->to), i;
	struct peft_buf old = w->text;
	uint32_t *from = w->from, *to = w->to;
	int status = 0;

	w->text = (struct peft_buf){ 0 };
	w->from = w->to = NULL;
	w->nmap = 0;
	for (i = 0; status == 0 && i < old.len; ) {
		if (old.len - i >= nf && memcmp(old.data + i, r->from,
		    nf) == 0) {
			status = put_mapped(w, r->to, nt, from[i],
			    to[i + nf - 1]);
			i += nf;
		} else {
			status = put_mapped(w, old.data + i, 1, from[i],
			    to[i]);
			i++;
		}
	}
	peft_buf_free(&old);
	free(from);
	free(to);
	return status;
}

/* The characters of a piece, each byte mapped to its whole character. */
static int
map_text(struct work *w, const char *s, size_t at, size_t n)
{
	size_t i, len;

	for (i = 0; i < n; i += len) {
		if ((len = peft_utf8_len(s + i, n - i)) == 0)
			len = 1;
		if (put_mapped(w, s + i, len, (uint32_t)(at + i),
		    (uint32_t)(at + i + len)) == -1)
			return -1;
	}
	return 0;
}

/* What is put before a text belongs to its first character. */
static int
normalise(struct work *w, const char *s, size_t at, size_t n)
{
	const struct peft_tokenizer *t = w->t;
	size_t i, len;

	peft_buf_clear(&w->text);
	for (i = 0; i < t->nnorm; i++)
		if (t->norm[i].prepend != NULL && n > 0) {
			len = peft_utf8_len(s, n);
			if (put_mapped(w, t->norm[i].prepend,
			    strlen(t->norm[i].prepend), (uint32_t)at,
			    (uint32_t)(at + (len == 0 ? 1 : len))) == -1)
				return -1;
		}
	if (map_text(w, s, at, n) == -1)
		return -1;
	for (i = 0; i < t->nnorm; i++)
		if (t->norm[i].prepend == NULL && replace(w,
		    &t->norm[i]) == -1)
			return -1;
	return 0;
}

/* Text between added tokens. */
static int
encode_text(struct work *w, const char *s, size_t at, size_t n)
{
	if (n == 0)
		return 0;
	if (w->t->nnorm == 0) {
		w->mapped = false;
		w->base = (uint32_t)at;
		return split(w, 0, s + at, 0, n);
	}
	if (normalise(w, s + at, at, n) == -1)
		return -1;
	w->mapped = true;
	return split(w, 0, w->text.data, 0, w->text.len);
}

/* The longest added token that begins at s[at]; special ones are not where
 * the user's words are. */
static const struct peft_added *
match_added(const struct work *w, const char *text, size_t at, size_t len,
    int flags)
{
	const struct peft_tokenizer *t = w->t;
	const char *s = text + at;
	unsigned char b = (unsigned char)s[0];
	size_t i, n = len - at;

	for (i = 0; i < t->nbucket[b]; i++) {
		const struct peft_added *a = &t->added[t->bucket[b][i]];

		if (a->len <= n && memcmp(a->text, s, a->len) == 0 &&
		    !(a->special && ((flags & PEFT_TOK_PLAIN) ||
		    (w->mark != NULL && memchr(w->mark + at, 1, a->len) !=
		    NULL))))
			return a;
	}
	return NULL;
}

/* White space that a token swallows on a side. */
static size_t
spaces_before(const char *s, size_t begin, size_t at)
{
	size_t i, len;

	for (; at > begin; at = i) {
		for (i = at - 1; i > begin && (s[i] & 0xc0) == 0x80;)
			i--;
		if (peft_class_at(s + i, at - i, &len) != PEFT_SPACE)
			break;
	}
	return at;
}

static size_t
spaces_after(const char *s, size_t n, size_t at)
{
	size_t len;

	while (at < n && peft_class_at(s + at, n - at, &len) == PEFT_SPACE)
		at += len;
	return at;
}

static int
encode(struct work *w, const char *s, size_t n, int flags)
{
	const struct peft_added *a;
	size_t i = 0, done = 0, begin, end;

	while (i < n) {
		if (w->t->nbucket[(unsigned char)s[i]] == 0 ||
		    (a = match_added(w, s, i, n, flags)) == NULL) {
			i++;
			continue;
		}
		begin = a->lstrip ? spaces_before(s, done, i) : i;
		end = a->rstrip ? spaces_after(s, n, i + a->len) : i + a->len;
		if (encode_text(w, s, done, begin - done) == -1 ||
		    put(w, a->id, (uint32_t)begin, (uint32_t)end) == -1)
			return -1;
		i = done = end;
	}
	return encode_text(w, s, done, n - done);
}

/* ByteLevel's trim_offsets: white space at a token's ends is not its own. */
static void
trim(const struct peft_tokenizer *t, struct peft_tokens *out, size_t from,
    const char *s)
{
	size_t i, len;

	for (i = from; i < out->n; i++) {
		struct peft_token *tok = &out->at[i];

		if (t->tokens[tok->id].added)
			continue;
		while (tok->begin < tok->end && peft_class_at(s + tok->begin,
		    tok->end - tok->begin, &len) == PEFT_SPACE)
			tok->begin += (uint32_t)len;
		tok->end = (uint32_t)spaces_before(s, tok->begin, tok->end);
	}
}

static int
put_all(struct work *w, const int32_t *ids, size_t n, uint32_t at)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (put(w, ids[i], at, at) == -1)
			return -1;
	return 0;
}

int
peft_tokenizer_encode(const struct peft_tokenizer *t, const char *text,
    size_t len, int flags, struct peft_tokens *out, struct peft_err *err)
{
	return peft_tokenizer_encode_marked(t, text, len, NULL, flags, out,
	    err);
}

int
peft_tokenizer_encode_marked(const struct peft_tokenizer *t,
    const char *text, size_t len, const char *mark, int flags,
    struct peft_tokens *out, struct peft_err *err)
{
	struct work w = { .t = t, .out = out, .mark = mark, .err = err };
	size_t from;
	int r = 0;

	if (len > UINT32_MAX / 2)
		return peft_seterr(err, "a text of %zu bytes", len);
	if (flags & PEFT_TOK_SPECIAL)
		r = put_all(&w, t->before, t->nbefore, 0);
	from = out->n;
	if (r == 0)
		r = encode(&w, text, len, flags);
	if (r == 0 && t->trim_offsets)
		trim(t, out, from, text);
	if (r == 0 && (flags & PEFT_TOK_SPECIAL))
		r = put_all(&w, t->after, t->nafter, (uint32_t)len);
	free(w.sym);
	free(w.scratch);
	free(w.from);
	free(w.to);
	peft_buf_free(&w.text);
	return r;
}

void
peft_tokens_to_chars(struct peft_tokens *t, const char *text, size_t len)
{
	uint32_t *chars = calloc(len + 1, sizeof(*chars)), k = 0;
	size_t i;

	if (chars == NULL)
		return;
	/* chars[i]: characters that begin before byte i */
	for (i = 0; i < len; i++) {
		chars[i] = k;
		k += (text[i] & 0xc0) != 0x80;
	}
	chars[len] = k;
	for (i = 0; i < t->n; i++) {
		struct peft_token *tok = &t->at[i];
		uint32_t b = tok->begin, e = tok->end;

		/* a token that begins within a character has all of it */
		tok->begin = b < len && (text[b] & 0xc0) == 0x80 ?
		    chars[b] - 1 : chars[b];
		tok->end = chars[e];
	}
	free(chars);
}
