/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Adapters as other tools keep them (one file: tensors, or a bundle of them
 * and a config; or GGUF), over a small llama that is nothing but its modules.
 * What can be opened is saved in each layout that has a place for it, and
 * what was saved has the same values.
 */

#include "input.h"
#include "model/family.h"
#include "peft/layout.h"

enum { NSITE = 10, HIDDEN = 8, KEYS = 4, INNER = 12, VOCAB = 6 };

#define LAYER(n) "model.layers." #n "."
#define LINEAR(n, name, slot_, in_, out_) { .path = LAYER(n) name,	\
	.stem = "layers." #n "." name, .kind = PEFT_LINEAR, .layer = n,	\
	.slot = slot_, .in = in_, .out = out_ }

static const struct peft_site sites_of_model[NSITE] = {
	{ .path = "model.embed_tokens", .stem = "embed_tokens",
	    .kind = PEFT_EMBEDDING, .layer = -1, .in = VOCAB, .out = HIDDEN },
	LINEAR(0, "self_attn.q_proj", PEFT_Q, HIDDEN, HIDDEN),
	LINEAR(0, "self_attn.k_proj", PEFT_K, HIDDEN, KEYS),
	LINEAR(0, "self_attn.v_proj", PEFT_V, HIDDEN, KEYS),
	LINEAR(0, "self_attn.o_proj", PEFT_O, HIDDEN, HIDDEN),
	LINEAR(1, "self_attn.q_proj", PEFT_Q, HIDDEN, HIDDEN),
	LINEAR(1, "mlp.up_proj", PEFT_UP, HIDDEN, INNER),
	LINEAR(1, "mlp.down_proj", PEFT_DOWN, INNER, HIDDEN),
	{ .path = "model.norm", .stem = "norm", .kind = PEFT_NORM,
	    .layer = -1, .in = HIDDEN, .out = HIDDEN },
	{ .path = "lm_head", .stem = "lm_head", .kind = PEFT_HEAD,
	    .layer = -1, .in = HIDDEN, .out = VOCAB },
};

static const char config_of_model[] = "{\"model_type\":\"llama\","
	"\"hidden_size\":8,\"intermediate_size\":12,\"vocab_size\":6,"
	"\"num_hidden_layers\":2,\"num_attention_heads\":2,"
	"\"num_key_value_heads\":1,\"head_dim\":4,\"hidden_act\":\"silu\","
	"\"max_position_embeddings\":64,\"rms_norm_eps\":1e-6,"
	"\"tie_word_embeddings\":false,\"rope_theta\":1e4}";

/* A model, to which an adapter can be attached. */
struct model {
	struct peft_config	config;
	struct peft_site	at[NSITE];
	struct peft_sites	sites;
};

static void
make_model(struct model *m)
{
	const struct peft_side side = { .name = "config.json",
	    .data = config_of_model, .len = sizeof(config_of_model) - 1 };
	struct peft_err err = { 0 };

	FUZZ_CLAIM(peft_config_parse(&m->config, &side, NULL, &err) == 0);
	memcpy(m->at, sites_of_model, sizeof(m->at));
	m->sites = (struct peft_sites){ .at = m->at, .n = NSITE,
	    .config = &m->config };
}

struct opened {
	struct model		 m;
	struct peft_source	*source;
	struct peft_adapter	*a;
};

/* False: it is no adapter, of this model. */
static bool
open_adapter(struct opened *o, const char *path)
{
	struct peft_err err = { 0 };

	make_model(&o->m);
	o->a = NULL;
	if ((o->source = peft_source_open(path, &err)) != NULL)
		o->a = peft_adapter_open(o->source, &o->m.sites, &err);
	FUZZ_CLAIM(o->a != NULL || err.msg[0] != '\0');
	return o->a != NULL;
}

static void
close_adapter(struct opened *o)
{
	peft_adapter_close(o->a);
	peft_source_close(o->source);
}

/* In the adapters library's layout the method, and names, are its own. */
static void
same_values(struct peft_adapter *a, struct peft_adapter *b)
{
	bool named = strcmp(peft_adapter_type(a), peft_adapter_type(b)) == 0;
	struct peft_param *p, *q;
	size_t n, m, i;

	p = peft_adapter_params(a, &n);
	q = peft_adapter_params(b, &m);
	FUZZ_CLAIM(n == m);
	for (i = 0; i < n; i++)
		FUZZ_CLAIM((!named || strcmp(p[i].name, q[i].name) == 0) &&
		    p[i].n == q[i].n && memcmp(p[i].value, q[i].value,
		    p[i].n * sizeof(float)) == 0);
}

/* A layout is a folder or a file. */
static void
there_and_back(struct opened *o, const struct peft_layout *l,
    const char *folder, size_t number)
{
	static const char *const tails[] = { "/", ".safetensors", ".gguf" };
	struct peft_err err = { 0 };
	struct opened back;
	char path[512];
	size_t i = 0;

	do
		snprintf(path, sizeof(path), "%s/%zu%s", folder, number,
		    tails[i]);
	while (peft_layout_path(l, path, &err) == -1 && ++i < 3);
	FUZZ_CLAIM(i < 3);
	if (peft_layout_save(l, o->a, &o->m.sites, path, false, NULL,
	    &err) == -1) {
		FUZZ_CLAIM(err.msg[0] != '\0' && access(path, F_OK) == -1);
		return;
	}
	FUZZ_CLAIM(open_adapter(&back, path));
	same_values(o->a, back.a);
	close_adapter(&back);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_path file = fuzz_file(data, size);
	const struct peft_layout *l;
	struct fuzz_folder folder;
	const char *about, *name;
	struct opened o;
	size_t i;

	if (open_adapter(&o, file.path) && peft_adapter_layout(o.a) != NULL) {
		folder = fuzz_folder();
		for (i = 0; (name = peft_layout_at(i, &about)) != NULL; i++)
			if ((l = peft_layout_of_name(name)) != NULL)
				there_and_back(&o, l, folder.path, i);
		fuzz_remove(&folder);
	}
	close_adapter(&o);
	fuzz_close(&file);
	return 0;
}
