/* SPDX-License-Identifier: Apache-2.0 */
/* Properties of scanners and tokenizers: text-unit TOKENIZER.json... */

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/in.h"
#include "base/rng.h"
#include "text/tokenizer-impl.h"
#include "text/unicode.h"

static int ntests, nfailed;

static void
ok(int good, const char *what, const char *which)
{
	printf("%sok %d - %s: %s\n", good ? "" : "not ", ++ntests, which, what);
	nfailed += !good;
}

/* Random text: words of all kinds, with what pre-tokenizers look at. */
struct source {
	struct peft_rng	rng;
	uint64_t	n;
	int		(*fits)(unsigned cp);
};

static unsigned
below(struct source *s, unsigned n)
{
	return (unsigned)peft_rng_below(s->rng, 0, s->n++, n);
}

static unsigned
random_char(struct source *s)
{
	static const unsigned upto[] = { 0x80, 0x80, 0x80, 0x250, 0x3000,
	    0x10000, 0x20000, 0x110000 };
	unsigned cp;

	do
		cp = 1 + below(s, upto[below(s, 8)] - 1);
	while ((cp >= 0xd800 && cp <= 0xdfff) ||
	    (s->fits != NULL && !s->fits(cp)));
	return cp;
}

static void
random_text(struct source *s, struct peft_buf *b)
{
	static const char *const words[] = { " ", "  ", "\n", "\r\n", "\t ",
	    " \n ", "'s", "'LL", "'\xc5\xbf", "'re", "12345", "word", " word",
	    "Don't", "...", "<|begin|>", "<|end", " a", "xx", "aaaa",
	    "HTTPServer", "aB", "Ab/", "/\n", "\xe3\x80\x80", "\xc2\xa0",
	    "e\xcc\x81", "</s>", "\xe2\x96\x81" };
	unsigned n = 1 + below(s, 16), i;
	char utf8[4];

	peft_buf_clear(b);
	for (i = 0; i < n; i++)
		if (below(s, 2) == 0)
			peft_buf_puts(b, words[below(s, sizeof(words) /
			    sizeof(words[0]))]);
		else
			peft_buf_put(b, utf8, peft_utf8_put(utf8,
			    random_char(s)));
}

/* Scanners and PCRE2 agree, on characters that mean the same to both. */
static pcre2_code *
compile(const char *pattern)
{
	PCRE2_SIZE at;
	int why;
	pcre2_code *re = pcre2_compile((PCRE2_SPTR)pattern,
	    PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_UCP |
	    PCRE2_DOLLAR_ENDONLY, &why, &at, NULL);

	if (re == NULL || pcre2_jit_compile(re, PCRE2_JIT_COMPLETE) < 0)
		abort();
	return re;
}

/* The end of the match at or behind `at', whose start goes to *from. */
static size_t
match(const pcre2_code *re, const char *s, size_t n, size_t at, size_t *from)
{
	pcre2_match_data *m = pcre2_match_data_create(1, NULL);
	size_t end = SIZE_MAX;

	if (pcre2_match(re, (PCRE2_SPTR)s, n, at, 0, m, NULL) > 0) {
		*from = pcre2_get_ovector_pointer(m)[0];
		end = pcre2_get_ovector_pointer(m)[1];
	}
	pcre2_match_data_free(m);
	return end;
}

static unsigned char agreed[0x110000];

static int
same_class(unsigned cp)
{
	return agreed[cp];
}

/* Of each character its kind, as PCRE2 sees it. */
static const struct {
	const char	*regex;
	unsigned	 bit;
} kinds[] = {
	{ "^[\\p{Lu}\\p{Lt}]", PEFT_B_UPPER }, { "^\\p{Ll}", PEFT_B_LOWER },
	{ "^[\\p{Lm}\\p{Lo}]", PEFT_B_CASELESS }, { "^\\p{M}", PEFT_B_MARK },
	{ "^\\p{N}", PEFT_B_NUMBER }, { "^\\p{P}", PEFT_B_PUNCT },
	{ "^\\p{S}", PEFT_B_SYMBOL }, { "^\\s", PEFT_B_SPACE },
	{ "^", PEFT_B_REST },
};

static unsigned
agree(void)
{
	pcre2_code *re[sizeof(kinds) / sizeof(kinds[0])];
	unsigned cp, c, n = 0, classes;
	size_t from, len;
	char utf8[4];

	for (c = 0; c < sizeof(re) / sizeof(re[0]); c++)
		re[c] = compile(kinds[c].regex);
	for (cp = 1; cp < 0x110000; cp++) {
		if (cp >= 0xd800 && cp <= 0xdfff)
			continue;
		len = peft_utf8_put(utf8, cp);
		for (c = 0; match(re[c], utf8, len, 0, &from) == SIZE_MAX;)
			c++;
		agreed[cp] = kinds[c].bit == peft_bits_at(utf8, &len);
		classes = kinds[c].bit <= PEFT_B_CASELESS ? PEFT_LETTER :
		    kinds[c].bit == PEFT_B_NUMBER ? PEFT_NUMBER :
		    kinds[c].bit == PEFT_B_SPACE ? PEFT_SPACE : PEFT_OTHER;
		agreed[cp] &= classes == (unsigned)peft_class_of(cp);
		n += !agreed[cp];
	}
	for (c = 0; c < sizeof(re) / sizeof(re[0]); c++)
		pcre2_code_free(re[c]);
	return n;
}

/* What does not match is a piece up to what does. */
static int
same_pieces(peft_scan *scan, const pcre2_code *re, const struct peft_buf *b)
{
	size_t i, end, want, from = 0;

	for (i = 0; i < b->len; i = end) {
		end = scan(b->data, b->len, i);
		want = match(re, b->data, b->len, i, &from);
		if (end != (want == SIZE_MAX ? b->len : from > i ? from :
		    want))
			return 0;
	}
	return 1;
}

static void
scanners(void)
{
	/* tiktoken's own, which no tokenizer.json has */
	static const char cl100k[] = "'(?i:[sdmt]|ll|ve|re)|"
	    "[^\\r\\n\\p{L}\\p{N}]?+\\p{L}++|\\p{N}{1,3}+|"
	    " ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*+|\\s++$|\\s*[\\r\\n]|"
	    "\\s+(?!\\S)|\\s";
	struct source s = { peft_rng_key(1, "scanners"), 0, same_class };
	struct peft_buf b = { 0 };
	unsigned j, bad;
	const char *pattern;
	peft_scan *scan;
	size_t i = 0;

	/* PCRE2 10.42 has Unicode 14, we have 16: letters came in between */
	ok((bad = agree()) < 20000, "most classes are PCRE2's", "characters");
	printf("# %u code points differ\n", bad);
	do {
		pcre2_code *re;

		if ((pattern = peft_scan_known(i, &scan)) == NULL)
			scan = peft_scan_cl100k;
		re = compile(pattern == NULL ? cl100k : pattern);
		for (bad = 0, j = 0; j < 20000; j++) {
			random_text(&s, &b);
			bad += !same_pieces(scan, re, &b);
		}
		ok(bad == 0, "pieces are PCRE2's", pattern == NULL ? cl100k :
		    pattern);
		pcre2_code_free(re);
	} while (peft_scan_known(i++, &scan) != NULL);
	peft_buf_free(&b);
}

static struct peft_tokenizer *
open_file(const char *path)
{
	struct peft_buf b = { 0 };
	struct peft_err err;
	struct peft_tokenizer *t;

	if (peft_in_slurp(path, 1 << 28, &b, &err) == -1 ||
	    (t = peft_tokenizer_open(b.data, b.len, NULL, 0, &err)) == NULL) {
		printf("Bail out! %s: %s\n", path, err.msg);
		exit(1);
	}
	peft_buf_free(&b);
	return t;
}

static void
encode(const struct peft_tokenizer *t, const struct peft_buf *b,
    const char *mark, int flags, struct peft_tokens *out)
{
	struct peft_err err;

	out->n = 0;
	if (peft_tokenizer_encode_marked(t, b->data, b->len, mark, flags, out,
	    &err) == -1) {
		printf("Bail out! %s\n", err.msg);
		exit(1);
	}
}

static int
gives_back(const struct peft_tokenizer *t, const struct peft_tokens *out,
    const struct peft_buf *text)
{
	int32_t *ids = calloc(out->n + 1, sizeof(*ids));
	struct peft_buf b = { 0 };
	struct peft_err err;
	size_t i;
	int same;

	for (i = 0; i < out->n; i++)
		ids[i] = out->at[i].id;
	same = peft_tokenizer_decode(t, ids, out->n, false, &b, &err) == 0 &&
	    b.len == text->len && memcmp(b.data, text->data, b.len) == 0;
	peft_buf_free(&b);
	free(ids);
	return same;
}

static int
same_tokens(const struct peft_tokens *a, const struct peft_tokens *b)
{
	return a->n == b->n && memcmp(a->at, b->at, a->n *
	    sizeof(*a->at)) == 0;
}

/* A special token that was made of a marked byte, and not for a character
 * that is unknown. */
static int
touches(const struct peft_tokenizer *t, const struct peft_tokens *out,
    const char *mark)
{
	size_t i, j;

	for (i = 0; i < out->n; i++)
		for (j = out->at[i].begin; j < out->at[i].end; j++)
			if (mark[j] && out->at[i].id != t->unk &&
			    peft_tokenizer_is_special(t, out->at[i].id))
				return 1;
	return 0;
}

static void
properties(const char *path)
{
	struct peft_tokenizer *t = open_file(path), *slow = open_file(path);
	struct source s = { peft_rng_key(2, "texts"), 0, NULL };
	struct peft_tokens a = { 0 }, b = { 0 };
	unsigned i, lost = 0, differ = 0, touched = 0, plain = 0;
	struct peft_buf text = { 0 };
	char *mark = calloc(1, 1 << 16);
	size_t k;

	/* without the look-up of whole tokens, without cuts */
	for (k = 0; k < slow->ntokens; k++)
		slow->flags[k] &= (unsigned char)~PEFT_T_WHOLE;
	free(slow->joins);
	slow->joins = NULL;
	for (i = 0; i < 4000; i++) {
		random_text(&s, &text);
		encode(t, &text, NULL, 0, &a);
		lost += a.lost == 0 && !gives_back(t, &a, &text);
		encode(slow, &text, NULL, 0, &b);
		differ += !same_tokens(&a, &b);
		for (k = 0; k < text.len; k++)
			mark[k] = (char)(k < text.len / 2);
		encode(t, &text, mark, 0, &b);
		touched += (unsigned)touches(t, &b, mark);
		memset(mark, 1, text.len);
		encode(t, &text, mark, 0, &a);
		touched += (unsigned)touches(t, &a, mark);
		encode(t, &text, NULL, PEFT_TOK_PLAIN, &b);
		plain += !same_tokens(&a, &b);
	}
	if (t->byte_level && t->nnorm == 0 && t->pre[0].scan != NULL)
		ok(lost == 0, "decoding gives the text back", path);
	ok(differ == 0, "the same without short cuts", path);
	ok(touched == 0, "special tokens in marked text are text", path);
	ok(plain == 0, "all marked is the same as plain", path);
	peft_tokens_free(&a);
	peft_tokens_free(&b);
	peft_buf_free(&text);
	free(mark);
	peft_tokenizer_close(t);
	peft_tokenizer_close(slow);
}

/* May it leave out some of a text? */
static int
drops(const struct peft_tokenizer *t)
{
	size_t i;

	for (i = 0; i < t->nnorm; i++)
		if (t->norm[i].each != NULL || t->norm[i].charsmap != NULL ||
		    t->norm[i].pattern != NULL || t->norm[i].left)
			return 1;
	for (i = 0; i < t->npre; i++)
		if (t->pre[i].finder.behavior == PEFT_S_REMOVED)
			return 1;
	return 0;
}

/* The processor time that b takes. */
static clock_t
encode_time(const struct peft_tokenizer *t, const struct peft_buf *b,
    struct peft_tokens *out)
{
	clock_t start = clock();

	encode(t, b, NULL, 0, out);
	return clock() - start;
}

/* Four times the text takes little more than four times the time, and not
 * sixteen times; seen once, it is so. */
static bool
is_even(const struct peft_tokenizer *t, struct peft_buf *b,
    struct peft_tokens *out)
{
	clock_t least = CLOCKS_PER_SEC / 250, all, part;
	size_t n = b->len, quarter = n / 4;
	int i;

	while (((unsigned char)b->data[quarter] & 0xc0) == 0x80)
		quarter++;
	for (i = 0; i < 30; i++) {	/* others may use the machine */
		b->len = quarter;
		part = encode_time(t, b, out);
		b->len = n;
		all = encode_time(t, b, out);
		if (all < 9 * (part > least ? part : least))
			return true;
	}
	return false;
}

/* Long pieces of one kind take no longer than n log n. */
static void
long_pieces(const char *path)
{
	static const char *const units[] = { "a", " ", "\xf0\x9f\x91\x8b",
	    "ab", "\xcc\x81", "'", "\n", "\xcc\x96\xcc\x81", "1", "<|" };
	struct peft_tokenizer *t = open_file(path);
	struct peft_tokens out = { 0 };
	struct peft_buf b = { 0 };
	size_t i, u, covered = 0, even = 0;

	for (u = 0; u < sizeof(units) / sizeof(units[0]); u++) {
		peft_buf_clear(&b);
		while (b.len < 60000)
			peft_buf_puts(&b, units[u]);
		even += is_even(t, &b, &out);
		for (i = 0; i < out.n && out.at[i].begin <= out.at[i].end &&
		    out.at[i].end <= b.len; i++)
			;
		covered += i == out.n && (drops(t) || (out.n > 0 &&
		    out.at[out.n - 1].end == b.len));
	}
	ok(covered == u, "long pieces are covered", path);
	ok(even == u, "long pieces take no longer than n log n", path);
	peft_tokens_free(&out);
	peft_buf_free(&b);
	peft_tokenizer_close(t);
}

int
main(int argc, char **argv)
{
	int i;

	scanners();
	for (i = 1; i < argc; i++) {
		properties(argv[i]);
		long_pieces(argv[i]);
	}
	printf("1..%d\n", ntests);
	return nfailed != 0;
}
