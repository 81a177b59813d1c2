/* SPDX-License-Identifier: Apache-2.0 */
/* Parts that an adapter has beside its method's: whole copies of modules
 * (modules_to_save), and rows of the embedding (trainable_token_indices). */

#include <string.h>

#include "base/buf.h"
#include "peft/bias.h"
#include "peft/target.h"
#include "peft/tied.h"
#include "peft/tokens.h"

/* PEFT's rule for modules_to_save: the path ends so. */
static bool
ends_in(const char *path, const char *end)
{
	size_t n = strlen(path), k = strlen(end);

	return n >= k && strcmp(path + n - k, end) == 0;
}

/* Heads for classes, by the names that families have for them: PEFT puts all
 * of them into the list of an adapter for such a task. */
static const char *const head_names[] = { "classifier", "score", NULL };

static bool
is_head_name(const struct peft_sites *sites, const char *name)
{
	size_t i;

	for (i = 0; head_names[i] != NULL; i++)
		if (strcmp(head_names[i], name) == 0)
			return sites->config != NULL &&
			    peft_task_classes(sites->config->task);
	return false;
}

/* What is saved whole is not targeted. */
static void
leave_out(struct peft_choice *chosen, size_t *n, const struct peft_site *s)
{
	size_t i, k = 0;

	for (i = 0; i < *n; i++)
		if (chosen[i].site != s)
			chosen[k++] = chosen[i];
	*n = k;
}

static int
add_full(struct peft_adapter *a, const struct peft_sites *sites,
    struct peft_choice *chosen, size_t *n, struct peft_err *err)
{
	const cJSON *list = peft_json_get(a->config, "modules_to_save"), *e;
	size_t i, k;

	if (list != NULL && !cJSON_IsNull(list) && !cJSON_IsArray(list))
		return peft_seterr(err, "modules_to_save is no list");
	cJSON_ArrayForEach(e, list) {
		bool hit = false;

		if (!cJSON_IsString(e))
			return peft_seterr(err, "modules_to_save holds "
			    "something that is no name");
		if (a->method->hub && !is_head_name(sites, e->valuestring))
			return peft_seterr(err, "modules_to_save: beside "
			    "adapters of this format there is a head for "
			    "classes or nothing, not '%s'", e->valuestring);
		for (i = 0; i < sites->n; i++) {
			const struct peft_site *s = &sites->at[i];

			if (!ends_in(s->path, e->valuestring))
				continue;
			hit = true;
			leave_out(chosen, n, s);
			for (k = 0; k < *n && chosen[k].site != s; k++)
				;
			chosen[*n] = (struct peft_choice){ s, &peft_full,
			    NULL, false };
			*n += k == *n;
		}
		if (!hit && !is_head_name(sites, e->valuestring))
			return peft_seterr(err, "modules_to_save: '%s' matches "
			    "no module of this model", e->valuestring);
	}
	return 0;
}

/* Tokens of the module of that name, or of the embedding (NULL). */
static int
add_tokens_of(struct peft_adapter *a, const struct peft_sites *sites,
    const cJSON *list, const char *name, struct peft_choice *chosen, size_t *n,
    struct peft_err *err)
{
	struct peft_token_ids *t = peft_token_ids_parse(list,
	    "trainable_token_indices", err);
	size_t i;

	if (t == NULL)
		return -1;
	t->next = a->extra;
	a->extra = t;
	for (i = 0; i < sites->n; i++) {
		const struct peft_site *s = &sites->at[i];

		if (name == NULL ? s->kind == PEFT_EMBEDDING :
		    (1 << s->kind & peft_tokens_part.kinds) != 0 &&
		    ends_in(s->path, name)) {
			chosen[(*n)++] = (struct peft_choice){ s,
			    &peft_tokens_part, t, false };
			return 0;
		}
	}
	return peft_seterr(err, "trainable_token_indices: '%s' is no "
	    "embedding or head of this model", name != NULL ? name :
	    "embed_tokens");
}

/* Of the rows from chosen[first] on, those of an embedding that is the head are
 * the head's as well; unless it has others, which it cannot have if they are
 * to stay one.  The same ids for both are PEFT's way to say that, too. */
static int
tie_tokens(const struct peft_adapter *a, struct peft_choice *chosen,
    size_t first, size_t *n, struct peft_err *err)
{
	const struct peft_token_ids *ids[2];
	size_t at[2] = { SIZE_MAX, SIZE_MAX }, i;
	bool tie = false;

	for (i = first; i < *n; i++)
		if (chosen[i].site->kind == PEFT_EMBEDDING)
			at[0] = i;
		else if (chosen[i].site->weight == SIZE_MAX)
			at[1] = i;
	if (at[0] != SIZE_MAX)
		chosen[at[0]].both = at[1] == SIZE_MAX;
	if (at[0] == SIZE_MAX || at[1] == SIZE_MAX)
		return 0;
	ids[0] = chosen[at[0]].settings;
	ids[1] = chosen[at[1]].settings;
	if (ids[0]->n == ids[1]->n && memcmp(ids[0]->id, ids[1]->id,
	    ids[0]->n * sizeof(ids[0]->id[0])) == 0) {
		chosen[at[0]].both = true;
		chosen[at[1]] = chosen[--*n];
		return 0;
	}
	if (peft_json_bool(a->config, "ensure_weight_tying", &tie, err) == -1)
		return -1;
	return !tie ? 0 : peft_seterr(err, "trainable_token_indices: "
	    "ensure_weight_tying, and other tokens of the head than of the "
	    "embedding");
}

static int
add_tokens(struct peft_adapter *a, const struct peft_sites *sites,
    struct peft_choice *chosen, size_t *n, struct peft_err *err)
{
	const cJSON *t = peft_json_get(a->config, "trainable_token_indices");
	const cJSON *e;
	size_t first = *n;
	int r = 0;

	if (t == NULL || cJSON_IsNull(t))
		return 0;
	if (!cJSON_IsObject(t))
		r = add_tokens_of(a, sites, t, NULL, chosen, n, err);
	else
		cJSON_ArrayForEach(e, t)
			if (r == 0)
				r = add_tokens_of(a, sites, e, e->string,
				    chosen, n, err);
	return r == -1 ? -1 : tie_tokens(a, chosen, first, n, err);
}

int
peft_extras(struct peft_adapter *a, const struct peft_sites *sites,
    struct peft_choice *chosen, size_t *n, struct peft_err *err)
{
	size_t before = *n, i;
	int r = add_full(a, sites, chosen, n, err);

	if (r == 0)
		r = peft_tied_choose(a, sites, chosen, n, err);
	while (before > 0 && (before > *n ||
	    chosen[before - 1].method != a->method))
		before--;
	a->nsites = before;
	for (i = 0; i < *n && chosen[i].method == &peft_full; i++)
		;
	if (r == 0 && i == *n && a->method->kinds != 0 &&
	    !a->method->hub)
		return peft_seterr(err, "modules_to_save leaves nothing to "
		    "target");
	if (r == 0)
		r = peft_bias_add(a, sites, chosen, n, err);
	return r == -1 ? -1 : add_tokens(a, sites, chosen, n, err);
}

int
peft_target_none(const cJSON *t, struct peft_err *err)
{
	struct peft_buf b = { 0 };

	if (t != NULL)
		peft_json_print(&b, t, 0, false);
	peft_setfail(err, PEFT_CHECK, "the config targets no module of this "
	    "model%s%.200s", b.data == NULL ? "" : ": target_modules is ",
	    b.data == NULL ? "" : b.data);
	peft_buf_free(&b);
	return -1;
}
