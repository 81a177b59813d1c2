/* SPDX-License-Identifier: Apache-2.0 */
/* Is a model whole, and only that? */

#include "model/check.h"
#include "model/config.h"
#include "model/site.h"

int
peft_model_check(const struct peft_source *src, struct peft_err *err)
{
	const struct peft_side *side = peft_source_side(src, "config.json");
	struct peft_err unused;
	struct peft_config c;
	struct peft_sites sites;

	if (side == NULL || peft_source_is_adapter(src))
		return 0;
	if (peft_config_sane(side, err) == -1)
		return peft_errprefix(err, "%s", peft_source_label(src));
	if (peft_config_read(&c, src, &unused) == -1 || c.headless)
		return 0;
	if (peft_sites_open(&sites, &c, src, err) == -1)
		return -1;
	peft_sites_close(&sites);
	return 0;
}
