/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TEXT_TOKENIZER_WORK_H
#define PEFT_TEXT_TOKENIZER_WORK_H

#include "text/tokenizer-impl.h"

/* What one encode needs: memory is grown once and used for all pieces. */
struct peft_work {
	const struct peft_tokenizer	*t;
	struct peft_tokens		*out;
	const char			*mark;	/* [len] or NULL */
	int				 flags;
	const char			*text;	/* all of it */
	size_t				 len;
	bool				 trim;	/* offsets */
	size_t				 from;	/* the first token */
	struct peft_symbol		*sym;	/* nsym of them */
	struct peft_symbol		 few[PEFT_BPE_SHORT];
	size_t				 nsym;
	uint64_t			*scratch;
	size_t				 nscratch;
	struct peft_path		*path;	/* npath of them */
	size_t				 npath;
	struct peft_mapped		 norm[2];
	struct peft_pre_work {		/* of a pre-tokenizer */
		struct peft_mapped	 text;
		struct peft_parts	 parts;
	}				*pre;
	struct peft_err			*err;
};

/* tokenizer-piece.c: a piece to tokens. */
int	peft_encode_piece(struct peft_work *, const struct peft_view *)
	    PEFT_MUSTCHECK;

/* tokenizer-word.c: the same where the model is not BPE. */
int	peft_encode_unigram(struct peft_work *, const struct peft_view *)
	    PEFT_MUSTCHECK;
int	peft_encode_wordpiece(struct peft_work *, const struct peft_view *)
	    PEFT_MUSTCHECK;
int	peft_encode_wordlevel(struct peft_work *, const struct peft_view *)
	    PEFT_MUSTCHECK;
/* tokenizer-offsets.c: take white space off the last token, whose text is
 * own, as the post-processor ByteLevel does. */
void	peft_work_trim(struct peft_work *, struct peft_str own);

/* A special token spelt out where it is not to be one may be in the
 * vocabulary all the same. */
static inline unsigned char
peft_work_barred(const struct peft_work *w)
{
	return w->mark != NULL || (w->flags & PEFT_TOK_PLAIN) ?
	    PEFT_T_SPECIAL : 0;
}

static inline int
peft_work_append(struct peft_work *w, const struct peft_view *v, int32_t id,
    size_t begin, size_t end)
{
	struct peft_tokens *out = w->out;

	if (out->n == out->cap) {
		struct peft_token *grown = peft_grow(out->at, out->n,
		    &out->cap, sizeof(*grown), w->err);

		if (grown == NULL)
			return -1;
		out->at = grown;
	}
	if (v->from == NULL)
		out->at[out->n++] = (struct peft_token){ id, v->base +
		    (uint32_t)begin, v->base + (uint32_t)end };
	else
		out->at[out->n++] = (struct peft_token){ id,
		    v->from[begin].begin, v->from[end - 1].end };
	return 0;
}

/* Append a token for the bytes [begin, end) of the view, whose text is the
 * vocabulary's; or (put_as_is) which is those bytes. */
static inline int
peft_work_put(struct peft_work *w, const struct peft_view *v, int32_t id,
    size_t begin, size_t end)
{
	if (peft_work_append(w, v, id, begin, end) == -1)
		return -1;
	if (w->trim)
		peft_work_trim(w, w->t->text[id]);
	return 0;
}

static inline int
peft_work_put_as_is(struct peft_work *w, const struct peft_view *v,
    int32_t id, size_t begin, size_t end)
{
	if (peft_work_append(w, v, id, begin, end) == -1)
		return -1;
	if (w->trim)
		peft_work_trim(w, (struct peft_str){ v->s + begin,
		    (uint32_t)(end - begin) });
	return 0;
}

#endif
