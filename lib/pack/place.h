/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_PACK_PLACE_H
#define PEFT_PACK_PLACE_H

#include <stddef.h>

#include "base/err.h"

/* A folder that is being filled from a pack, under another name until all of
 * it is right.  Nothing in it is followed: no link is made, none exists. */
struct peft_place {
	const char	*path;		/* what it will be called */
	char		*temp;		/* NULL: there is none */
	int		 fd;
};

/* path must not exist, or be an empty folder, and stays as it is. */
int	peft_place_open(struct peft_place *, const char *path,
	    struct peft_err *) PEFT_MUSTCHECK;
/* Is there room for so many bytes? */
int	peft_place_room(const struct peft_place *, size_t nbytes,
	    struct peft_err *) PEFT_MUSTCHECK;
/* A new file (peft_pack_name_ok), with the folders it is in: a descriptor,
 * or -1. */
int	peft_place_file(const struct peft_place *, const char *name,
	    struct peft_err *) PEFT_MUSTCHECK;
int	peft_place_write(const struct peft_place *, int fd, const char *name,
	    const char *, size_t, struct peft_err *) PEFT_MUSTCHECK;
/* Give it its name. */
int	peft_place_commit(struct peft_place *, struct peft_err *)
	    PEFT_MUSTCHECK;
/* Remove what has not got its name; after commit nothing. */
void	peft_place_close(struct peft_place *);

#endif
