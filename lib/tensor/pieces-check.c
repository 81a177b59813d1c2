/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces: what must hold of them. */

#include <math.h>

#include "base/map.h"
#include "tensor/pieces.h"

size_t
peft_pieces_used(const struct peft_pieces *p)
{
	size_t n = p->n;

	while (n > 0 && p->at[n - 1].type == PEFT_P_UNUSED)
		n--;
	return n;
}

static int
check_text(const struct peft_pieces *p, size_t i, struct peft_err *err)
{
	const struct peft_piece *e = &p->at[i];
	size_t at, k;

	if (e->len == 0)
		return peft_seterr(err, "%s: piece %zu is empty", p->what, i);
	for (at = 0; at < e->len; at += k)
		if ((k = peft_utf8_len(e->s + at, e->len - at)) == 0 ||
		    e->s[at] == '\0')
			return peft_seterr(err, "%s: piece %zu is not UTF-8",
			    p->what, i);
	if (!isfinite(e->score))
		return peft_seterr(err, "%s: the score of piece %zu is not "
		    "finite", p->what, i);
	if (e->type < PEFT_P_NORMAL || e->type > PEFT_P_BYTE)
		return peft_seterr(err, "%s: piece %zu is of type %d, which "
		    "is none", p->what, i, e->type);
	if (p->unigram && e->type == PEFT_P_UNUSED)
		return peft_seterr(err, "%s: piece %zu is unused, which "
		    "cannot be told in tokenizer.json", p->what, i);
	return 0;
}

int
peft_pieces_check(const struct peft_pieces *p, struct peft_err *err)
{
	struct peft_map seen = { 0 };
	size_t i, n = peft_pieces_used(p);
	int r = 1;

	if (n == 0)
		return peft_seterr(err, "%s: no pieces", p->what);
	if (peft_map_reserve(&seen, n, err) == -1)
		return -1;
	for (i = 0; r == 1 && i < n; i++) {
		if (check_text(p, i, err) == -1) {
			r = -1;
			break;
		}
		r = peft_map_add(&seen, p->at[i].s, p->at[i].len, i, err);
		if (r == 0)
			r = peft_seterr(err, "%s: pieces %zu and %zu are the "
			    "same", p->what, *peft_map_find(&seen, p->at[i].s,
			    p->at[i].len), i);
	}
	peft_map_free(&seen);
	return r == -1 ? -1 : 0;
}
