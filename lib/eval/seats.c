/* SPDX-License-Identifier: Apache-2.0 */
/* Places for requests, and whose pages they begin with. */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "eval/decode-impl.h"
#include "math/vec.h"
#include "model/rope.h"

int
peft_seats_open(struct peft_seats *s, struct peft_net *net, size_t n,
    size_t limit, struct peft_err *err)
{
	*s = (struct peft_seats){ .n = n };
	if ((s->at = peft_calloc(n, sizeof(*s->at), err)) == NULL)
		return -1;
	return peft_seats_forget(s, net, limit, err);
}

static void
close_caches(struct peft_seats *s)
{
	size_t i;

	for (i = 0; s->at != NULL && i < s->n; i++) {
		peft_kv_close(s->at[i].kv);
		s->at[i].kv = NULL;
		s->at[i].n = 0;
	}
	peft_pages_close(s->pages);
	s->pages = NULL;
}

void
peft_seats_close(struct peft_seats *s)
{
	size_t i;

	close_caches(s);
	for (i = 0; s->at != NULL && i < s->n; i++)
		free(s->at[i].ids);
	free(s->at);
	*s = (struct peft_seats){ 0 };
}

int
peft_seats_forget(struct peft_seats *s, struct peft_net *net, size_t limit,
    struct peft_err *err)
{
	size_t page = peft_pages_bytes(net, PEFT_PAGE), i;

	close_caches(s);
	s->sites = peft_net_sites(net);
	/* angles that vary with a sequence's length are its own */
	s->share = !peft_rope_varies(peft_net_config(net), SIZE_MAX / 2);
	s->pages = peft_pages_open(net, limit / page * PEFT_PAGE, err);
	if (s->pages == NULL)
		return -1;
	s->room = s->left = peft_pages_left(s->pages);
	for (i = 0; i < s->n; i++)
		if ((s->at[i].kv = peft_kv_new(s->pages, err)) == NULL)
			return -1;
	return 0;
}

size_t
peft_seats_busy(const struct peft_seats *s)
{
	size_t i, n = 0;

	for (i = 0; i < s->n; i++)
		n += s->at[i].request != NULL;
	return n;
}

int
peft_seat_adapter(const struct peft_seat *s, size_t i, size_t *end)
{
	size_t k = 0;

	while (k + 1 < s->nstretch && s->stretch[k + 1].from <= i)
		k++;
	*end = k + 1 < s->nstretch ? s->stretch[k + 1].from : SIZE_MAX;
	return s->stretch[k].adapter;
}

/* Tokens that a request may come to, those that its adapter puts before it
 * included. */
static size_t
room_of(const struct peft_seats *s, const struct peft_request *r)
{
	int first = r->stretch[0].adapter;

	return r->n + r->max + (first < 0 ? 0 : peft_sites_virtual(s->sites,
	    first));
}

/* Tokens that two prompts begin with alike, read by the same adapters.  The
 * last of a prompt is computed for itself: what follows it is asked for. */
static size_t
common(const struct peft_seat *a, const struct peft_seat *b)
{
	size_t most = a->n - 1 < b->n ? a->n - 1 : b->n, i, end_a = 0,
	    end_b = 0;
	int in_a = 0, in_b = 0;

	for (i = 0; i < most && a->ids[i] == b->ids[i]; i++) {
		if (i >= end_a || i == 0)
			in_a = peft_seat_adapter(a, i, &end_a);
		if (i >= end_b || i == 0)
			in_b = peft_seat_adapter(b, i, &end_b);
		if (in_a != in_b)
			break;
	}
	return i / PEFT_PAGE * PEFT_PAGE;
}

bool
peft_seats_begin(struct peft_seats *s, struct peft_seat *seat)
{
	size_t i, n, have, now = 0, soon = 0;
	const struct peft_seat *best = NULL;

	if (seat->begun)
		return true;
	for (i = 0; s->share && i < s->n; i++) {
		const struct peft_seat *o = &s->at[i];

		if (o == seat || o->n == 0)
			continue;
		n = common(seat, o);
		have = peft_kv_len(o->kv);
		have = have < n ? have / PEFT_PAGE * PEFT_PAGE : n;
		if (have > now) {
			now = have;
			best = o;
		}
		if (o->request != NULL && o->begun && n > soon)
			soon = n;
	}
	if (soon > now)
		return false;
	seat->begun = true;
	if (best == NULL)
		return true;
	/* its own pages go back, and come again behind the shared ones */
	(void)peft_kv_cut(seat->kv, 0);
	s->shared += peft_kv_share(seat->kv, best->kv, now);
	return peft_kv_reserve(seat->kv, room_of(s, seat->request));
}

static int
remember(struct peft_seat *seat, const struct peft_request *r,
    struct peft_err *err)
{
	if (seat->room < r->n) {
		free(seat->ids);
		seat->room = 0;
		seat->ids = peft_calloc(r->n, sizeof(*seat->ids), err);
		if (seat->ids == NULL)
			return -1;
		seat->room = r->n;
	}
	memcpy(seat->ids, r->prompt, r->n * sizeof(*seat->ids));
	seat->n = r->n;
	memcpy(seat->stretch, r->stretch, sizeof(seat->stretch));
	seat->nstretch = r->nstretch;
	return 0;
}

/* A free place: the one that was left longest ago. */
static struct peft_seat *
free_place(struct peft_seats *s)
{
	struct peft_seat *found = NULL;
	size_t i;

	for (i = 0; i < s->n; i++)
		if (s->at[i].request == NULL && (found == NULL ||
		    s->at[i].turn < found->turn))
			found = &s->at[i];
	return found;
}

/* Pages for n tokens, if need be those that others have left behind. */
static bool
find_pages(struct peft_seats *s, struct peft_seat *seat, size_t n)
{
	size_t i;

	if (peft_kv_reserve(seat->kv, n))
		return true;
	for (i = 0; i < s->n; i++)
		if (s->at[i].request == NULL && &s->at[i] != seat) {
			(void)peft_kv_cut(s->at[i].kv, 0);
			s->at[i].n = 0;
		}
	return peft_kv_reserve(seat->kv, n);
}

int
peft_seats_take(struct peft_seats *s, struct peft_request *r,
    struct peft_err *err)
{
	size_t need = room_of(s, r), left;
	struct peft_seat *seat = free_place(s);

	if (seat == NULL)
		return 0;
	(void)peft_kv_cut(seat->kv, 0);
	seat->n = 0;
	if (!find_pages(s, seat, need)) {
		left = peft_pages_left(s->pages);
		if (peft_seats_busy(s) > 0)
			return 0;
		return peft_setfail(err, PEFT_CHECK, "a prompt of %zu tokens "
		    "and %zu to come need the keys and values of %zu; "
		    "--kv-limit has room for %zu", r->n, r->max, need, left);
	}
	left = peft_pages_left(s->pages);
	s->left = left < s->left ? left : s->left;
	if (remember(seat, r, err) == -1)
		return -1;
	seat->request = r;
	seat->begun = false;
	seat->turn = ++s->turns;
	return 1;
}

/* Tokens that were made go; a prompt's whole pages stay. */
void
peft_seats_leave(struct peft_seats *s, struct peft_seat *seat)
{
	size_t keep = s->share ? seat->n / PEFT_PAGE * PEFT_PAGE : 0;

	seat->request = NULL;
	if (peft_kv_cut(seat->kv, keep) == 0)
		seat->n = 0;
}
