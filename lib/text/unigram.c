/* SPDX-License-Identifier: Apache-2.0 */
/* Unigram models: the best path through a text, by Viterbi's algorithm. */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "text/unigram.h"

static const uint32_t NONE = UINT32_MAX;
/* How much worse than the rarest token an unknown character is. */
static const double penalty = 10;

int
peft_unigram_open(struct peft_unigram *u, const struct peft_str *strs,
    double *score, size_t n, int32_t unk, struct peft_err *err)
{
	double least = 0;
	size_t i;

	*u = (struct peft_unigram){ .score = score, .n = n, .unk = unk };
	for (i = 0; i < n; i++)
		least = i == 0 || score[i] < least ? score[i] : least;
	u->unk_score = least - penalty;
	if (peft_trie_open(&u->trie, strs, n, err) == -1) {
		peft_unigram_close(u);
		return -1;
	}
	return 0;
}

void
peft_unigram_close(struct peft_unigram *u)
{
	peft_trie_close(&u->trie);
	free(u->score);
	*u = (struct peft_unigram){ 0 };
}

static inline void
offer(struct peft_path *to, double score, int32_t id, uint32_t from)
{
	if (to->from == NONE || score > to->score) {
		to->score = score;
		to->id = id;
		to->from = from;
	}
}

/* All tokens that begin at byte i, short ones first. */
static void
spread(const struct peft_unigram *u, const char *s, size_t n, size_t i,
    const unsigned char *flags, unsigned char skip, struct peft_path *path)
{
	const struct peft_trie_unit *at = u->trie.at;
	size_t len = peft_utf8_len(s + i, n - i), j;
	double before = path[i].score;
	uint32_t node = 0;
	bool single = false;
	int32_t id;

	for (j = i; j < n; j++) {
		node = peft_trie_step(&u->trie, node, (unsigned char)s[j]);
		if (node == PEFT_NOWHERE)
			break;
		if ((id = at[node].id) < 0 || (flags[id] & skip))
			continue;
		offer(&path[j + 1], u->score[id] + before, id, (uint32_t)i);
		single |= j + 1 - i == len;
	}
	if (!single)
		offer(&path[i + len], u->unk_score + before, u->unk,
		    (uint32_t)i);
}

void
peft_unigram_cut(const struct peft_unigram *u, const char *s, size_t n,
    const unsigned char *flags, unsigned char skip, struct peft_path *path)
{
	size_t i;

	path[0] = (struct peft_path){ .id = -1 };
	for (i = 1; i <= n; i++)
		path[i].from = NONE;
	for (i = 0; i < n; i += peft_utf8_len(s + i, n - i))
		spread(u, s, n, i, flags, skip, path);
	for (i = n; i > 0; i = path[i].from)
		path[path[i].from].to = (uint32_t)i;
}
