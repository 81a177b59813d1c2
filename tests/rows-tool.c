/* SPDX-License-Identifier: Apache-2.0 */
/* usage: rows-tool FILE [COLUMNS]: the text of each record, a line each; what
 * is wrong with a record, or with the file, goes to standard error. */

#include <stdio.h>

#include "data/rows.h"

int
main(int argc, char **argv)
{
	struct peft_rows *rows;
	struct peft_err err = { 0 };
	const char *text;
	size_t len, line;
	int s;

	if (argc < 2 || argc > 3 || (rows = peft_rows_open(argv[1],
	    argv[2], &err)) == NULL)
		return 1;
	while ((s = peft_rows_next(rows, &text, &len, &line, &err)) > 0)
		if (s == 1)
			printf("%.*s\n", (int)len, text);
		else
			fprintf(stderr, "%zu: %s\n", line, err.msg);
	if (s == -1)
		fprintf(stderr, "%s\n", err.msg);
	peft_rows_close(rows);
	return s == -1 ? 2 : 0;
}
