/* SPDX-License-Identifier: Apache-2.0 */
/* Options' arguments: numbers, sizes, words, names; and rules of options. */

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/opt.h"

double
peft_optreal(const char *opt, const char *s, double min, double max)
{
	char *end;
	double v;

	errno = 0;
	v = strtod(s, &end);
	if (end == s || *end != '\0' || errno == ERANGE || !isfinite(v))
		peft_die(PEFT_USAGE, "%s: '%s' is not a number", opt, s);
	if (v < min || v > max)
		peft_die(PEFT_USAGE, "%s: %s is not in [%g, %g]", opt, s, min,
		    max);
	return v;
}

double
peft_optweight(const char *opt, char *s)
{
	char *eq = strrchr(s, '='), *end;
	double w;

	if (eq == NULL || eq[1] == '\0')
		return 1;
	w = strtod(eq + 1, &end);
	if (*end != '\0')
		return 1;
	if (!isfinite(w) || fabs(w) > 1e6)
		peft_die(PEFT_USAGE, "%s: '%s' is no weight", opt, eq + 1);
	*eq = '\0';
	return w;
}

void
peft_optadd(const char *opt, const char **list, size_t *n, size_t most,
    const char *s)
{
	if (*n == most)
		peft_die(PEFT_USAGE, "%s: more than %zu adapters", opt, most);
	list[(*n)++] = s;
}

int64_t
peft_optint(const char *opt, const char *s, int64_t min, int64_t max)
{
	long long v;
	char *end;

	errno = 0;
	v = strtoll(s, &end, 10);
	if (end == s || *end != '\0' || errno == ERANGE)
		peft_die(PEFT_USAGE, "%s: '%s' is not a whole number", opt, s);
	if (v < min || v > max)
		peft_die(PEFT_USAGE, "%s: %s is not in [%lld, %lld]", opt, s,
		    (long long)min, (long long)max);
	return v;
}

double
peft_mib(size_t bytes)
{
	return ceil((double)bytes / 0x1p20 * 10) / 10;
}

uint64_t
peft_optsize(const char *opt, const char *s)
{
	static const char units[] = "KMGT";
	const char *unit;
	double v;
	char *end;

	errno = 0;
	v = strtod(s, &end);
	if (end != s && *end != '\0' &&
	    (unit = strchr(units, *end & ~32)) != NULL) {
		v = ldexp(v, 10 * (int)(unit - units + 1));
		end++;
	}
	if (end == s || *end != '\0' || errno == ERANGE || !(v >= 0) ||
	    v > 0x1p62)
		peft_die(PEFT_USAGE, "%s: '%s' is not a size (like 512M or "
		    "4.6G)", opt, s);
	return (uint64_t)v;
}

void
peft_optcheck(const struct peft_optrule *rules, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (rules[i].wrong)
			peft_die(PEFT_USAGE, "%s", rules[i].why);
}

int
peft_optword(const char *opt, const char *s, const char *const *words)
{
	char list[512] = "";
	int i;

	for (i = 0; words[i] != NULL; i++) {
		if (strcmp(words[i], s) == 0)
			return i;
		snprintf(list + strlen(list), sizeof(list) - strlen(list),
		    "%s%s", i > 0 ? ", " : "", words[i]);
	}
	peft_die(PEFT_USAGE, "%s: '%s' is not one of %s", opt, s, list);
}

int
peft_split_name(const char *spec, char **name, const char **path,
    struct peft_err *err)
{
	size_t n = strcspn(spec, "=/"), end, begin;

	if (n > 0 && spec[n] == '=') {
		*path = spec + n + 1;
		begin = 0;
		end = n;
	} else {
		*path = spec;
		for (end = strlen(spec); end > 1 && spec[end - 1] == '/';)
			end--;
		for (begin = end; begin > 0 && spec[begin - 1] != '/';)
			begin--;
	}
	if ((*name = peft_calloc(end - begin + 1, 1, err)) == NULL)
		return -1;
	memcpy(*name, spec + begin, end - begin);
	return 0;
}
