/* SPDX-License-Identifier: Apache-2.0 */
/* peak FILE COMMAND ...: run it, and write a line to FILE: its wall seconds,
 * its processor seconds, its peak resident memory in MiB. */

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/progress.h"

static double
seconds(struct timeval t)
{
	return (double)t.tv_sec + 1e-6 * (double)t.tv_usec;
}

int
main(int argc, char **argv)
{
	double start = peft_now();
	struct rusage u;
	int status;
	FILE *f;
	pid_t pid;

	if (argc < 3) {
		fputs("usage: peak FILE COMMAND ...\n", stderr);
		return 1;
	}
	if ((pid = fork()) == 0) {
		execvp(argv[2], argv + 2);
		perror(argv[2]);
		_exit(127);
	}
	if (pid == -1 || wait4(pid, &status, 0, &u) == -1 ||
	    (f = fopen(argv[1], "w")) == NULL) {
		perror("peak");
		return 2;
	}
	fprintf(f, "%.2f %.2f %.1f\n", peft_now() - start,
	    seconds(u.ru_utime) + seconds(u.ru_stime),
	    (double)u.ru_maxrss / 1024);
	if (fclose(f) != 0)
		return 2;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 2;
}
