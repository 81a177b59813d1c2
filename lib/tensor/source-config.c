/* SPDX-License-Identifier: Apache-2.0 */
/* What config.json says of how weights are stored. */

#include "base/json.h"
#include "tensor/source-impl.h"

int
peft_source_read_config(struct peft_source *s, struct peft_err *err)
{
	const struct peft_side *side = peft_sides_find(&s->sides,
	    "config.json");
	struct peft_err none;
	struct peft_quantcfg c;
	const char *type = NULL;
	cJSON *j;

	if (side == NULL || s->kind == PEFT_GGUF)
		return 0;
	if (peft_quantcfg_read(&c, side->data, side->len, err) == -1)
		return peft_errprefix(err, "config.json");
	if (c.method != PEFT_QM_NONE)
		s->quant = c;
	/* who runs the model says what is wrong with it */
	if ((j = peft_json(side->data, side->len, &none)) != NULL &&
	    peft_json_str(j, "model_type", &type, &none) == 1)
		s->arch = peft_arch_of_hf(type);
	cJSON_Delete(j);
	return 0;
}
