/* SPDX-License-Identifier: Apache-2.0 */
/* Continuing prompts that are there already. */

#include "eval/decode.h"

/* A list as a source of requests. */
struct list {
	struct peft_request	*at;
	size_t			 n;
};

static int
list_next(void *ctx, bool idle, struct peft_request **r, bool *changed,
    struct peft_err *err)
{
	struct list *l = ctx;

	(void)idle;
	(void)changed;
	(void)err;
	if (l->n == 0)
		return PEFT_NO_MORE;
	*r = l->at++;
	l->n--;
	return PEFT_REQUEST;
}

static int
list_done(void *ctx, struct peft_request *r, struct peft_err *err)
{
	(void)ctx;
	(void)r;
	(void)err;
	return 0;
}

/* Bytes of the longest request, times how many there are at once. */
int
peft_decode_requests(struct peft_net *net, const struct peft_sampling *s,
    struct peft_request *r, size_t n, size_t width, struct peft_err *err)
{
	struct list l = { r, n };
	const struct peft_clerk clerk = { .ctx = &l, .next = list_next,
	    .done = list_done };
	struct peft_decodeopt opt = { .sampling = *s, .width = width < n ?
	    width : n };
	size_t i, most = 0, extra = peft_sites_virtual(peft_net_sites(net),
	    -1);

	for (i = 0; i < n; i++)
		most = r[i].n + r[i].max > most ? r[i].n + r[i].max : most;
	opt.limit = opt.width * peft_pages_bytes(net, most + extra);
	return n == 0 ? 0 : peft_go_on(net, &opt, &clerk, err);
}
