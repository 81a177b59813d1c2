/* SPDX-License-Identifier: Apache-2.0 */
/* Importance matrices, in both forms: what is taken is finite, and fits into
 * what was given. */

#include <math.h>

#include "input.h"
#include "quant/imatrix.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct peft_imatrix m;
	struct peft_err err = { 0 };
	size_t i, k, sum = 0;

	if (peft_imatrix_parse(&m, data, size, &err) == -1) {
		FUZZ_CLAIM(err.msg[0] != '\0');
		return 0;
	}
	FUZZ_CLAIM(m.n > 0);
	for (i = 0; i < m.n; i++) {
		FUZZ_CLAIM(m.at[i].name[0] != '\0' && m.at[i].n > 0);
		for (k = 0; k < m.at[i].n; k++)
			FUZZ_CLAIM(m.at[i].mean[k] >= 0 &&
			    isfinite(m.at[i].mean[k]));
		sum += m.at[i].n;
	}
	FUZZ_CLAIM(sum <= size / sizeof(float));
	peft_imatrix_free(&m);
	return 0;
}
