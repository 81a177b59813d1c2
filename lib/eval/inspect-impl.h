/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_EVAL_INSPECT_IMPL_H
#define PEFT_EVAL_INSPECT_IMPL_H

#include "base/json.h"
#include "eval/inspect.h"
#include "tensor/source.h"

/* What the files of peft-inspect share: each adds its part to a report. */

/* A number with six digits, as a table has it; what is not finite is null. */
void	peft_inspect_real(cJSON *, const char *key, double);

/* inspect-model.c: config, rope, heads, tokenizer, template, bits. */
int	peft_inspect_config(cJSON *, const struct peft_source *,
	    struct peft_err *) PEFT_MUSTCHECK;
int	peft_inspect_tokenizer(cJSON *, const struct peft_source *,
	    struct peft_err *) PEFT_MUSTCHECK;
int	peft_inspect_bits(cJSON *, const struct peft_source *,
	    struct peft_err *) PEFT_MUSTCHECK;

/* inspect-scan.c: statistics for the report's "tensors", which are in the
 * order of the source; the number of values that are not finite. */
int	peft_inspect_scan(cJSON *, struct peft_source *, int threads,
	    size_t *bad, struct peft_err *) PEFT_MUSTCHECK;

/* inspect-shards.c: how a folder's index and its files agree; the number of
 * things that are wrong. */
int	peft_inspect_shards(cJSON *, const char *folder, size_t *bad,
	    struct peft_err *) PEFT_MUSTCHECK;

/* inspect-adapter.c: norms and ranks of what an adapter adds. */
int	peft_inspect_adapter(cJSON *, struct peft_source *, struct peft_err *)
	    PEFT_MUSTCHECK;

/* inspect-table.c: the report as a table; both say the same. */
void	peft_inspect_table(struct peft_buf *, const cJSON *);

/* inspect-quant.c: "quantization", if some weights have scales: the method,
 * and of each kind of quantised weight the bits, what has a scale of its
 * own, and how many there are. */
void	peft_inspect_quant(cJSON *report, const struct peft_source *);

#endif
