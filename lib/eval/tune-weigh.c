/* SPDX-License-Identifier: Apache-2.0 */
/* Importance matrices for a conversion. */

#include "eval/tune.h"

/* Importances into the plan, and which matrices have none.  (Of embeddings
 * and heads llama.cpp makes none as a rule.) */
int
peft_tune_weigh(const char *path, bool quiet, const struct peft_source *src,
    struct peft_imatrix *m, struct peft_spec *specs, size_t n,
    struct peft_err *err)
{
	const char *lacking = NULL;
	size_t nlacking = 0;

	if (path == NULL)
		return peft_imatrix_needed(src, specs, n, err);
	if (peft_imatrix_load(m, path, err) == -1)
		return -1;
	if (peft_imatrix_apply(m, src, specs, n, &lacking, &nlacking,
	    err) == -1)
		return peft_errprefix(err, "%s", path);
	if (peft_imatrix_needed(src, specs, n, err) == -1)
		return -1;
	if (nlacking > 0 && !quiet)
		peft_warn("%zu matrices are not in %s (%s%s): all their "
		    "columns count the same", nlacking, path, lacking,
		    nlacking > 1 ? ", ..." : "");
	return 0;
}
