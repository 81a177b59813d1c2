/* SPDX-License-Identifier: Apache-2.0 */
/* llama.cpp's mixes: which weights get more bits (llama-quant.cpp). */

#include <string.h>
#include <strings.h>

#include "quant/mix-impl.h"

/* Rows of the table below name them by bits. */
enum mix {
	Q4_0, Q4_1, Q8_0, Q5_0, Q5_1, Q2_K, Q2_K_S, Q3_K_S, Q3_K_M, Q3_K_L,
	Q4_K_S, Q4_K_M, Q5_K_S, Q5_K_M, Q6_K, IQ1_S, IQ1_M, IQ2_XXS, IQ2_XS,
	IQ2_S, IQ2_M, IQ3_XXS, IQ3_XS, IQ3_S, IQ3_M, IQ4_NL, IQ4_XS, TQ1_0,
	TQ2_0, MXFP4_MOE
};

/* The numbers are those of enum llama_ftype. */
const struct peft_mix peft_mixes[] = {
	[Q4_0] = { "q4_0", PEFT_Q4_0, 2 },
	[Q4_1] = { "q4_1", PEFT_Q4_1, 3 },
	[Q8_0] = { "q8_0", PEFT_Q8_0, 7 },
	[Q5_0] = { "q5_0", PEFT_Q5_0, 8 },
	[Q5_1] = { "q5_1", PEFT_Q5_1, 9 },
	[Q2_K] = { "q2_k", PEFT_Q2_K, 10 },
	[Q2_K_S] = { "q2_k_s", PEFT_Q2_K, 21 },
	[Q3_K_S] = { "q3_k_s", PEFT_Q3_K, 11 },
	[Q3_K_M] = { "q3_k_m", PEFT_Q3_K, 12 },
	[Q3_K_L] = { "q3_k_l", PEFT_Q3_K, 13 },
	[Q4_K_S] = { "q4_k_s", PEFT_Q4_K, 14 },
	[Q4_K_M] = { "q4_k_m", PEFT_Q4_K, 15 },
	[Q5_K_S] = { "q5_k_s", PEFT_Q5_K, 16 },
	[Q5_K_M] = { "q5_k_m", PEFT_Q5_K, 17 },
	[Q6_K] = { "q6_k", PEFT_Q6_K, 18 },
	[IQ1_S] = { "iq1_s", PEFT_IQ1_S, 24 },
	[IQ1_M] = { "iq1_m", PEFT_IQ1_M, 31 },
	[IQ2_XXS] = { "iq2_xxs", PEFT_IQ2_XXS, 19 },
	[IQ2_XS] = { "iq2_xs", PEFT_IQ2_XS, 20 },
	[IQ2_S] = { "iq2_s", PEFT_IQ2_XS, 28 },
	[IQ2_M] = { "iq2_m", PEFT_IQ2_S, 29 },
	[IQ3_XXS] = { "iq3_xxs", PEFT_IQ3_XXS, 23 },
	[IQ3_XS] = { "iq3_xs", PEFT_IQ3_S, 22 },
	[IQ3_S] = { "iq3_s", PEFT_IQ3_S, 26 },
	[IQ3_M] = { "iq3_m", PEFT_IQ3_S, 27 },
	[IQ4_NL] = { "iq4_nl", PEFT_IQ4_NL, 25 },
	[IQ4_XS] = { "iq4_xs", PEFT_IQ4_XS, 30 },
	[TQ1_0] = { "tq1_0", PEFT_TQ1_0, 36 },
	[TQ2_0] = { "tq2_0", PEFT_TQ2_0, 37 },
	[MXFP4_MOE] = { "mxfp4_moe", PEFT_MXFP4, 38 },
	{ 0 }
};

const struct peft_mix *
peft_mix_of_name(const char *name)
{
	static const struct { const char *other; enum mix mix; } others[] = {
		{ "q3_k", Q3_K_M }, { "q4_k", Q4_K_M }, { "q5_k", Q5_K_M } };
	size_t i;

	for (i = 0; peft_mixes[i].name != NULL; i++)
		if (strcasecmp(peft_mixes[i].name, name) == 0)
			return &peft_mixes[i];
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strcasecmp(others[i].other, name) == 0)
			return &peft_mixes[others[i].mix];
	return NULL;
}

/* The roles, shortly. */
enum {
	EMBED = PEFT_M_EMBED, QUERY = PEFT_M_QUERY, KEY = PEFT_M_KEY,
	VALUE = PEFT_M_VALUE, JOINED = PEFT_M_JOINED,
	GATE_UP = PEFT_M_GATE_UP, DOWN = PEFT_M_DOWN
};

/* When a row of the table holds. */
enum when {
	ALWAYS, MORE_BITS, FIRST_EIGHTH, FIRST_SIXTEENTH, FIRST_TWO,
	FIRST_FOUR, MIDDLE, SHARED, SHARED_OR_FOUR, UNWEIGHED, EIGHTH_PLAIN,
	EIGHTH_IMATRIX, EIGHT, EIGHT_MORE_BITS, FALCON, FALCON_MORE_BITS,
	FALCON_SIXTEENTH
};

static bool
holds(const struct peft_mixer *m, const struct peft_mix_place *p,
    enum when when)
{
	int i = p->rank, n = p->of;
	bool more = i < n / 8 || i >= 7 * n / 8 || (i - n / 8) % 3 == 2;
	bool shared = m->heads.heads / m->heads.kv_heads >= 4;

	switch (when) {
	case ALWAYS: return true;
	case MORE_BITS: return more;
	case FIRST_EIGHTH: return i < n / 8;
	case FIRST_SIXTEENTH: return i < n / 16;
	case FIRST_TWO: return i < 2;
	case FIRST_FOUR: return i < 4;
	case MIDDLE: return i >= n / 8 && i < 7 * n / 8;
	case SHARED: return shared;
	case SHARED_OR_FOUR: return shared || m->experts >= 4;
	case UNWEIGHED: return !m->imatrix;
	case EIGHTH_PLAIN: return i < n / 8 && !m->imatrix;
	case EIGHTH_IMATRIX: return i < n / 8 && m->imatrix;
	case EIGHT: return m->experts == 8;
	case EIGHT_MORE_BITS: return m->experts == 8 && more;
	case FALCON: return m->falcon;
	case FALCON_MORE_BITS: return m->falcon && more;
	case FALCON_SIXTEENTH: return m->falcon && i < n / 16;
	}
	return false;
}

#define BIT(mix)	(1u << (mix))
#define ALL		UINT32_MAX
#define IQ1		(BIT(IQ1_S) | BIT(IQ1_M))
#define IQ2_SM		(BIT(IQ2_S) | BIT(IQ2_M))
#define FEWEST		(IQ1 | IQ2_SM | BIT(IQ2_XXS) | BIT(IQ2_XS))
#define OWN		PEFT_NDTYPE	/* the mix's */

/* The first row that holds counts. */
static const struct {
	uint32_t	mixes;
	int		role;
	enum when	when;
	enum peft_dtype	type;
} table[] = {
	{ BIT(TQ1_0) | BIT(TQ2_0), EMBED, ALWAYS, PEFT_Q4_K },
	{ IQ2_SM | BIT(IQ3_XXS), EMBED, ALWAYS, PEFT_IQ3_S },
	{ FEWEST, EMBED, ALWAYS, PEFT_Q2_K },

	{ FEWEST, VALUE, SHARED_OR_FOUR, PEFT_Q4_K },
	{ IQ2_SM, VALUE, ALWAYS, PEFT_IQ3_S },
	{ FEWEST, VALUE, ALWAYS, PEFT_Q2_K },
	{ ALL, VALUE, EIGHT, PEFT_Q8_0 },
	{ BIT(Q2_K) | BIT(Q2_K_S) | BIT(IQ3_XXS) | BIT(IQ3_XS) | BIT(IQ3_S),
	    VALUE, SHARED, PEFT_Q4_K },
	{ BIT(Q2_K), VALUE, ALWAYS, PEFT_Q3_K },
	{ BIT(IQ3_XXS), VALUE, UNWEIGHED, PEFT_IQ3_S },
	{ BIT(Q3_K_M), VALUE, FIRST_TWO, PEFT_Q5_K },
	{ BIT(Q3_K_M) | BIT(IQ3_M), VALUE, ALWAYS, PEFT_Q4_K },
	{ BIT(Q3_K_L), VALUE, ALWAYS, PEFT_Q5_K },
	{ BIT(IQ4_NL) | BIT(IQ4_XS), VALUE, SHARED, PEFT_Q5_K },
	{ BIT(Q4_K_M) | BIT(Q5_K_M), VALUE, MORE_BITS, PEFT_Q6_K },
	{ BIT(Q4_K_S), VALUE, FIRST_FOUR, PEFT_Q5_K },

	{ FEWEST, KEY, EIGHT, PEFT_Q4_K },
	{ ALL, KEY, EIGHT, PEFT_Q8_0 },
	{ BIT(IQ3_XS), KEY, ALWAYS, PEFT_IQ3_XXS },
	{ BIT(IQ3_XXS), KEY, ALWAYS, PEFT_IQ2_S },
	{ BIT(IQ3_XS), QUERY, ALWAYS, PEFT_IQ3_XXS },
	{ BIT(IQ3_XXS), QUERY, ALWAYS, PEFT_IQ2_S },

	{ BIT(Q3_K_M), DOWN, FIRST_SIXTEENTH, PEFT_Q5_K },
	{ BIT(Q4_K_M), DOWN, FALCON_SIXTEENTH, PEFT_Q6_K },
	{ BIT(Q3_K_M), DOWN, FALCON_MORE_BITS, PEFT_Q4_K },
	{ BIT(Q4_K_M), DOWN, FALCON_MORE_BITS, PEFT_Q5_K },
	{ BIT(Q3_K_L), DOWN, FALCON, PEFT_Q4_K },
	{ BIT(Q3_K_M) | BIT(Q4_K_S) | BIT(Q4_K_M), DOWN, FALCON, OWN },
	{ IQ2_SM, DOWN, FIRST_EIGHTH, PEFT_IQ3_S },
	{ FEWEST, DOWN, FIRST_EIGHTH, PEFT_Q2_K },
	{ BIT(Q2_K), DOWN, ALWAYS, PEFT_Q3_K },
	{ BIT(Q2_K_S), DOWN, FIRST_EIGHTH, PEFT_Q4_K },
	{ BIT(IQ3_XXS), DOWN, EIGHTH_PLAIN, PEFT_Q4_K },
	{ BIT(IQ3_XXS), DOWN, UNWEIGHED, PEFT_Q3_K },
	{ BIT(Q3_K_M), DOWN, ALWAYS, PEFT_Q4_K },
	{ BIT(IQ3_M), DOWN, FIRST_EIGHTH, PEFT_Q4_K },
	{ BIT(IQ3_M), DOWN, EIGHT_MORE_BITS, PEFT_Q4_K },
	{ BIT(Q3_K_L), DOWN, ALWAYS, PEFT_Q5_K },
	{ BIT(Q4_K_M) | BIT(Q5_K_M), DOWN, MORE_BITS, PEFT_Q6_K },
	{ BIT(Q4_K_S), DOWN, FIRST_EIGHTH, PEFT_Q5_K },
	{ BIT(IQ4_NL) | BIT(IQ4_XS), DOWN, EIGHTH_PLAIN, PEFT_Q5_K },
	{ BIT(Q4_0), DOWN, EIGHTH_IMATRIX, PEFT_Q4_1 },
	{ BIT(Q5_0), DOWN, EIGHTH_IMATRIX, PEFT_Q5_1 },

	{ FEWEST, JOINED, EIGHT, PEFT_Q5_K },
	{ IQ1, JOINED, ALWAYS, PEFT_IQ2_XXS },
	{ IQ2_SM, JOINED, ALWAYS, PEFT_IQ3_S },
	{ BIT(Q3_K_L), JOINED, FALCON, PEFT_Q4_K },
	{ ALL, JOINED, FALCON, OWN },
	{ BIT(Q2_K) | BIT(Q3_K_S) | BIT(Q3_K_M) | BIT(Q4_K_S) | BIT(Q4_K_M) |
	    BIT(IQ3_XXS) | BIT(IQ3_XS) | BIT(IQ3_S) | BIT(IQ3_M) |
	    BIT(IQ4_NL) | BIT(IQ4_XS), JOINED, EIGHT, PEFT_Q5_K },
	{ ALL, JOINED, EIGHT, OWN },
	{ BIT(Q2_K), JOINED, ALWAYS, PEFT_Q3_K },
	{ BIT(IQ3_XXS), JOINED, ALWAYS, PEFT_IQ3_S },
	{ BIT(Q3_K_M) | BIT(IQ3_M), JOINED, ALWAYS, PEFT_Q4_K },
	{ BIT(Q3_K_L), JOINED, ALWAYS, PEFT_Q5_K },

	{ BIT(IQ3_XS), GATE_UP, MIDDLE, PEFT_IQ3_XXS },
};

/* Llama 2's and 3's 70B: each value head serves eight queries. */
static bool
is_70b(const struct peft_mixer *m)
{
	return m->layers == 80 && m->heads.heads != m->heads.kv_heads;
}

enum peft_dtype
peft_mix_head_type(const struct peft_mixer *m, size_t cols)
{
	uint32_t bit = BIT((uint32_t)(m->mix - peft_mixes));

	if (m->mix->dtype == PEFT_Q8_0 || m->falcon ||
	    bit == BIT(MXFP4_MOE) ||
	    cols % peft_dtypes[m->mix->dtype].block != 0)
		return PEFT_Q8_0;
	return bit & (FEWEST | BIT(IQ3_XXS)) ? PEFT_Q5_K : PEFT_Q6_K;
}

/* What the table says; the mix's own type if nothing. */
enum peft_dtype
peft_mix_type(const struct peft_mixer *m, const struct peft_mix_place *p)
{
	const uint32_t bit = BIT((uint32_t)(m->mix - peft_mixes));
	enum peft_dtype t = OWN;
	size_t k;

	for (k = 0; k < sizeof(table) / sizeof(table[0]); k++)
		if ((table[k].mixes & bit) && table[k].role == (int)p->role &&
		    holds(m, p, table[k].when)) {
			t = table[k].type;
			break;
		}
	t = t == OWN ? m->mix->dtype : t;
	if (bit == BIT(MXFP4_MOE) && !p->experts)
		return PEFT_Q8_0;
	if (p->role == PEFT_M_VALUE && m->experts != 8 && !(bit & FEWEST) &&
	    is_70b(m) && (t == PEFT_Q3_K || t == PEFT_Q4_K))
		return PEFT_Q5_K;
	return t;
}
