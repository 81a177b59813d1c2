/* SPDX-License-Identifier: Apache-2.0 */
/* Completion scripts, made from the option tables. */

#include <stdio.h>
#include <string.h>

#include "base/complete.h"

/* Options whose argument is chosen from words "a|b|c". */
static bool
is_choice(const char *arg)
{
	return arg != NULL && strchr(arg, '|') != NULL;
}

static void
put_words(const char *arg)
{
	for (; *arg != '\0'; arg++)
		putchar(*arg == '|' ? ' ' : *arg);
}

static void
bash_names(const struct peft_opt *o)
{
	for (; o->name != NULL; o++) {
		if (o->ch <= 255)
			printf(" -%c", o->ch);
		printf(" --%s%s", o->name, o->arg != NULL ? "=" : "");
	}
}

static void
bash_cases(const struct peft_opt *o)
{
	for (; o->name != NULL; o++) {
		if (!is_choice(o->arg))
			continue;
		printf("\t--%s", o->name);
		if (o->ch <= 255)
			printf("|-%c", o->ch);
		printf(") COMPREPLY=($(compgen -W '");
		put_words(o->arg);
		printf("' -- \"$cur\")); return ;;\n");
	}
}

static void
bash(const struct peft_opt *own, const struct peft_opt *always)
{
	const char *name = peft_getname();

	printf("# bash completion for %s: made by `%s --completion=bash'\n",
	    name, name);
	printf("_%.*s_%s() {\n", 4, name, name + 5);
	printf("\tlocal cur=${COMP_WORDS[COMP_CWORD]} "
	    "prev=${COMP_WORDS[COMP_CWORD-1]}\n");
	/* readline splits --name=word at the = */
	printf("\tif [[ $cur == = ]]; then cur=; "
	    "elif [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi\n");
	printf("\tcase $prev in\n");
	bash_cases(own);
	bash_cases(always);
	printf("\tesac\n\tif [[ $cur == -* ]]; then\n\t\tCOMPREPLY=($(compgen "
	    "-W '");
	bash_names(own);
	bash_names(always);
	printf("' -- \"$cur\"))\n\t\t[[ ${COMPREPLY-} == *= ]] && "
	    "compopt -o nospace\n\telse\n\t\tcompopt -o filenames\n\t\t"
	    "COMPREPLY=($(compgen -f -- \"$cur\"))\n\tfi\n}\n");
	printf("complete -F _%.*s_%s %s\n", 4, name, name + 5, name);
}

static void
zsh_text(const char *s)
{
	for (; *s != '\0'; s++) {
		if (strchr("[]:'", *s) != NULL)
			putchar(*s == '\'' ? ' ' : '\\');
		if (*s != '\'')
			putchar(*s);
	}
}

static void
zsh_row(const struct peft_opt *o)
{
	printf("\t'");
	if (o->ch <= 255)
		printf("(-%c --%s)'{-%c%s,--%s%s}'", o->ch, o->name, o->ch,
		    o->arg != NULL ? "+" : "", o->name,
		    o->arg != NULL ? "=" : "");
	else
		printf("--%s%s", o->name, o->arg != NULL ? "=" : "");
	putchar('[');
	zsh_text(o->help);
	putchar(']');
	if (o->arg != NULL) {
		printf(":");
		zsh_text(o->arg);
		if (is_choice(o->arg)) {
			printf(":(");
			put_words(o->arg);
			putchar(')');
		} else
			printf(":_files");
	}
	printf("' \\\n");
}

static void
zsh(const struct peft_opt *own, const struct peft_opt *always)
{
	const char *name = peft_getname();

	printf("#compdef %s\n# zsh completion: made by `%s --completion=zsh'\n",
	    name, name);
	printf("_arguments -s \\\n");
	for (; own->name != NULL; own++)
		zsh_row(own);
	for (; always->name != NULL; always++)
		zsh_row(always);
	printf("\t'*:file:_files'\n");
}

int
peft_complete(const struct peft_opt *own, const struct peft_opt *always,
    const char *shell)
{
	if (strcmp(shell, "bash") == 0)
		bash(own, always);
	else if (strcmp(shell, "zsh") == 0)
		zsh(own, always);
	else
		return -1;
	return 0;
}
