/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prompt tuning (Lester et al. 2021): trained rows of the embedding stand
 * before each sequence.  They begin random, as rows of the vocabulary, or as
 * a text.
 */

#include <string.h>

#include "peft/virtual.h"

struct prompt {
	int	start;		/* enum peft_prompt_start */
};

static const char *const starts[] = { "RANDOM", "SAMPLE_VOCAB", "TEXT", NULL };

#define AT(field)	offsetof(struct prompt, field)
static const struct peft_setting keys[] = {
	PEFT_SET_VIRTUAL, PEFT_SET_LATER("modules_to_save", "null"),
	PEFT_SET_WORD("prompt_tuning_init", "\"RANDOM\"", peft_set_word,
	    AT(start), starts),
	PEFT_SET_LATER("prompt_tuning_init_text", "null"),
	PEFT_SET_LATER("tokenizer_name_or_path", "null"),
	PEFT_SET_LATER("tokenizer_kwargs", "null"), PEFT_SET_END
};

static int
common(const void *settings, struct peft_module *m, struct peft_shape *out,
    struct peft_err *err)
{
	(void)settings;
	return peft_virtual_common(m, false, out, err);
}

static void
init(const void *settings, const struct peft_module *m, int part,
    struct peft_rng rng, float *value, size_t n)
{
	(void)settings;
	(void)m;
	(void)part;
	peft_init_normal(rng, value, n, 1);
}

/* The ids that a text was made into, again and again up to the number. */
static int
next_id(enum peft_prompt_start how, const struct peft_module *m, size_t i,
    size_t *id, struct peft_err *err)
{
	const cJSON *ids = peft_json_get(m->adapter->config, PEFT_INIT_IDS);
	const struct peft_config *c = m->adapter->model;
	const cJSON *e;

	if (how == PEFT_PROMPT_VOCAB) {
		*id = (size_t)peft_rng_below(peft_rng_key(m->adapter->seed,
		    "vocabulary"), 0, i, c->vocab);
		return 0;
	}
	if (cJSON_GetArraySize(ids) == 0)
		return peft_seterr(err, "prompt_tuning_init TEXT needs "
		    "prompt_tuning_init_text and the model's tokenizer");
	e = cJSON_GetArrayItem(ids, (int)(i %
	    (size_t)cJSON_GetArraySize(ids)));
	*id = (size_t)e->valuedouble;
	return *id < c->vocab ? 0 : peft_seterr(err, "token %zu of the text "
	    "is not in the vocabulary of %zu", *id, c->vocab);
}

int
peft_prompt_start(struct peft_module *m, enum peft_prompt_start how,
    struct peft_err *err)
{
	size_t D = m->own[PEFT_VIRTUAL_WIDTH], i, id = 0;
	struct peft_module embed = *m;
	struct peft_rows rows;
	float scale = 1;

	if (how == PEFT_PROMPT_RANDOM)
		return 0;
	embed.site = m->adapter->embedding;
	/* where the embedding module scales its rows, PEFT copies these */
	if (m->adapter->model->t.embed_sqrt)
		scale = (float)m->adapter->model->t.embed_scale;
	if (peft_module_base(&embed, &rows, err) == -1)
		return -1;
	for (i = 0; i < m->own[PEFT_VIRTUAL_N]; i++)
		if (next_id(how, m, i, &id, err) == -1 ||
		    rows.get(rows.ctx, id, 1, m->param[PEFT_PROMPT]->value +
		    i * D, err) == -1)
			return -1;
	for (i = 0; i < m->param[PEFT_PROMPT]->n; i++)
		m->param[PEFT_PROMPT]->value[i] *= scale;
	cJSON_DeleteItemFromObjectCaseSensitive(m->adapter->config,
	    PEFT_INIT_IDS);
	return 0;
}

static int
start(struct peft_module *m, struct peft_err *err)
{
	const struct prompt *p = m->settings;

	return peft_prompt_start(m, (enum peft_prompt_start)p->start,
	    err);
}

const struct peft_method peft_prompt_tuning = {
	.type = "PROMPT_TUNING", .name = "prompt-tuning",
	.keys = keys, .size = sizeof(struct prompt),
	.common = common, .init = init, .start = start,
	.prepare = peft_virtual_plain_prepare,
	.attach = peft_virtual_plain_attach,
};
