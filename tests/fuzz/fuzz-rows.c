/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inputs of records: JSON lines, lists, tables, or what looks like one.  The
 * first line, up to "=== columns ===", may say what the columns are.  Records
 * are within the input, in the order of their lines, and what a table makes
 * is JSON unless a list in it was not.
 */

#include "data/feed.h"
#include "data/shape.h"
#include "input.h"

static void
check(const struct peft_row *row, size_t *line)
{
	struct peft_err err = { 0 };
	cJSON *j, *own;

	FUZZ_CLAIM(row->line >= *line && row->label != NULL);
	*line = row->line;
	j = peft_json(row->text, row->len, &err);
	if (j == NULL)
		FUZZ_CLAIM(err.msg[0] != '\0');
	else if (peft_shape_simple(j, false, &own, &err) == 0) {
		FUZZ_CLAIM(peft_shape_name(peft_shape_of(j)) != NULL);
		cJSON_Delete(own);
	} else
		FUZZ_CLAIM(err.msg[0] != '\0');
	cJSON_Delete(j);
}

static void
read_all(const char *path, const char *columns)
{
	struct peft_source_of from = { path, 1 };
	struct peft_feedopt opt = { .from = &from, .n = 1,
	    .columns = columns };
	struct peft_err err = { 0 };
	struct peft_feed *f = peft_feed_open(&opt, &err);
	struct peft_row row;
	size_t line = 0;
	int s;

	FUZZ_CLAIM(f != NULL);
	while ((s = peft_feed_next(f, &row, &err)) > 0) {
		if (s == 1)
			check(&row, &line);
		else
			FUZZ_CLAIM(err.msg[0] != '\0');
		err.msg[0] = '\0';
	}
	FUZZ_CLAIM(s == 0 || err.msg[0] != '\0');
	peft_feed_close(f);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_parts p = fuzz_split(data, size, "=== columns ===\n");
	struct fuzz_path file = p.second == NULL ? fuzz_file(data, size) :
	    fuzz_file(p.second, p.nsecond);
	char *columns = p.second == NULL ? NULL : strndup(p.first, p.nfirst);

	read_all(file.path, columns);
	free(columns);
	fuzz_close(&file);
	return 0;
}
