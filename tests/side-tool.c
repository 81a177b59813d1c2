/* SPDX-License-Identifier: Apache-2.0 */
/* A side file of a source: side-tool SOURCE NAME.  1 if there is none. */

#include <stdio.h>

#include "tensor/source.h"

int
main(int argc, char **argv)
{
	struct peft_err err = { 0 };
	struct peft_source *s;
	const struct peft_side *side;
	const char *why;
	size_t n;

	if (argc != 3)
		return 1;
	if ((s = peft_source_open_sides(argv[1], &err)) == NULL ||
	    peft_source_sides(s, &side, &n, &err) == -1) {
		fprintf(stderr, "%s\n", err.msg);
		return 2;
	}
	side = peft_source_side(s, argv[2]);
	why = peft_source_meta(s, "peft.no_tokenizer");
	if (side != NULL)
		fwrite(side->data, 1, side->len, stdout);
	else
		fprintf(stderr, "no %s: %s\n", argv[2], why == NULL ? "" :
		    why);
	peft_source_close(s);
	return side == NULL;
}
