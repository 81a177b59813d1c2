/* SPDX-License-Identifier: Apache-2.0 */
/* From stored weights to panels, through f32 where there is no direct way. */

#include <stdint.h>

#include "quant/expand.h"
#include "quant/way.h"

enum {
	STRIP = PEFT_MAXBLOCK,	/* columns of a row that are decoded at a time:
				 * a multiple of every block */
	CHUNK = 512,
	WHOLE = 640		/* the rows that a tile of f32 takes stay in
				 * the first cache */
};

/* What a thread decodes into: 32 rows of some panels; for int8, which must
 * know the largest value of a part before it begins, that. */
struct peft_expander
peft_expander_of(const struct peft_cpu *cpu, enum peft_compute compute)
{
	struct peft_expander e = { .f32 = peft_cpu_panel_f32(cpu),
	    .decoders = peft_way_of(cpu)->decoders,
	    .size = sizeof(float), .chunk = CHUNK, .whole = WHOLE,
	    .step = PEFT_KSTEP, .part = WHOLE,
	    .room = PEFT_PANEL * PEFT_PANEL * PEFT_ABREAST };
	const struct peft_panel_bf16 *bf16 = peft_cpu_panel_bf16(cpu);

	if (compute == PEFT_COMPUTE_INT8) {
		e.int8 = peft_cpu_panel_int8(cpu);
		e.round = peft_cpu_round(cpu);
		e.size = e.int8->size;
		e.step = PEFT_INT8_STEP;
		e.part = PEFT_INT8_DEEP;
		e.tail = PEFT_INT8_TAIL;
		e.room = PEFT_INT8_DEEP * PEFT_PANEL * PEFT_ABREAST;
	} else if (compute == PEFT_COMPUTE_BF16) {
		e.bf16 = bf16;
		e.trim = e.bf16 == NULL;
		if (e.bf16 != NULL && e.bf16 != &peft_panel_bf16_ref)
			e.halves = peft_halves_avx512bf16;
		e.size = e.trim ? sizeof(float) : sizeof(uint16_t);
	}
	return e;
}

static void
pack_rows(const struct peft_expander *e, const float *src, size_t ld,
    size_t n, size_t k, void *panel, size_t at)
{
	if (e->bf16 != NULL)
		e->bf16->rows(src, ld, n, k, (uint16_t *)panel +
		    at * PEFT_PANEL);
	else
		e->f32->rows(src, ld, n, k, (float *)panel + at * PEFT_PANEL);
}

/* n rows by nc columns as f32, rounded if the panels are to be; f32 itself
 * only then. */
static void
decode(const struct peft_expander *e, const struct peft_weight *w, size_t ldw,
    size_t r, size_t n, size_t c, size_t nc, float *dst)
{
	const float *src;
	size_t i;

	for (i = 0; i < n; i++, dst += nc) {
		src = dst;
		if (w->dtype == PEFT_F32)
			src = (const float *)w->data + (r + i) * ldw + c;
		else
			peft_decode_part_by(e->decoders, w, r + i, c, nc, dst);
		if (e->trim)
			e->f32->trim(dst, src, nc);
	}
}

/* The way from a type straight to bf16; NULL: there is none, or not for
 * blocks that cut groups of 32. */
static peft_halves_fn *
halves_of(const struct peft_expander *e, const struct peft_weight *w)
{
	if (e->halves == NULL || w->cols % PEFT_KSTEP != 0 ||
	    w->scales.blocksize % PEFT_KSTEP != 0)
		return NULL;
	return e->halves[w->dtype];
}

/* n rows by nc columns that way. */
static const uint16_t *
halve(peft_halves_fn *halves, const struct peft_weight *w, size_t r, size_t n,
    size_t c, size_t nc, float *room)
{
	uint16_t *dst = (uint16_t *)(void *)room;
	size_t i;

	for (i = 0; i < n; i++)
		halves(w, (r + i) * w->cols + c, nc, dst + i * nc);
	return dst;
}

/* int8: where the values lie, or all of them decoded. */
static const float *
whole(const struct peft_expander *e, const struct peft_weight *w, size_t *ldw,
    size_t r, size_t n, size_t c, size_t nc, float *room)
{
	if (w->dtype == PEFT_F32)
		return (const float *)w->data + r * *ldw + c;
	decode(e, w, *ldw, r, n, c, nc, room);
	*ldw = nc;
	return room;
}

/* From a part of a panel to the next, in bytes. */
static size_t
part_size(const struct peft_expander *e)
{
	return (e->part + e->tail) * PEFT_PANEL * e->size;
}

static void
expand_rows_int8(const struct peft_expander *e, const struct peft_weight *w,
    size_t ldw, size_t r, size_t n, size_t c, size_t k, char *panel,
    float *room)
{
	const float *src;
	size_t at, m, ld;

	for (at = 0; at < k; at += m, panel += part_size(e)) {
		m = k - at < e->part ? k - at : e->part;
		ld = ldw;
		src = whole(e, w, &ld, r, n, c + at, m, room);
		e->int8->rows(src, ld, n, m, panel);
	}
}

void
peft_expand_rows(const struct peft_expander *e, const struct peft_weight *w,
    size_t ldw, size_t r, size_t n, size_t c, size_t k, void *panel,
    float *room)
{
	peft_halves_fn *halves = halves_of(e, w);
	size_t at, m;

	if (e->int8 != NULL) {
		expand_rows_int8(e, w, ldw, r, n, c, k, panel, room);
		return;
	}
	if (w->dtype == PEFT_F32 && !e->trim) {
		pack_rows(e, (const float *)w->data + r * ldw + c,
		    ldw, n, k, panel, 0);
		return;
	}
	if (w->dtype == PEFT_BF16 && e->bf16 != NULL) {
		e->bf16->rows16((const uint16_t *)w->data + r * w->cols + c,
		    w->cols, n, k, panel);
		return;
	}
	if (w->dtype == PEFT_BF16 && e->bf16 == NULL) {
		e->f32->rows16((const uint16_t *)w->data + r * w->cols + c,
		    w->cols, n, k, panel);
		return;
	}
	for (at = 0; at < k; at += m) {
		m = k - at < STRIP ? k - at : STRIP;
		if (halves != NULL) {
			e->bf16->rows16(halve(halves, w, r, n, c + at, m,
			    room), m, n, m, (uint16_t *)panel + at *
			    PEFT_PANEL);
			continue;
		}
		decode(e, w, ldw, r, n, c + at, m, room);
		pack_rows(e, room, m, n, m, panel, at);
	}
}

static void
expand_cols_int8(const struct peft_expander *e, const struct peft_weight *w,
    size_t ldw, size_t r, size_t k, size_t c, size_t n, char *panels,
    size_t ld, float *room)
{
	const float *src;
	size_t at, m, j, ldsrc;

	for (at = 0; at < k; at += m, panels += part_size(e)) {
		m = k - at < e->part ? k - at : e->part;
		ldsrc = ldw;
		src = whole(e, w, &ldsrc, r + at, m, c, n, room);
		for (j = 0; j < n; j += PEFT_PANEL)
			e->int8->cols(src + j, ldsrc, m, n - j < PEFT_PANEL ?
			    n - j : PEFT_PANEL, panels + j / PEFT_PANEL * ld *
			    e->size);
	}
}

/* k <= 32 rows by n <= 32 columns, of f32 or (halves) of bf16. */
static void
pack_panel(const struct peft_expander *e, const void *src, bool halves,
    size_t ld, size_t k, size_t n, void *panel)
{
	if (halves && e->bf16 != NULL)
		e->bf16->cols16(src, ld, k, n, panel);
	else if (halves)
		e->f32->cols16(src, ld, k, n, panel);
	else if (e->bf16 != NULL)
		e->bf16->cols(src, ld, k, n, panel);
	else
		e->f32->cols(src, ld, k, n, panel);
}

/* The same of n columns into panels, from their row `at' on. */
static void
pack_cols(const struct peft_expander *e, const void *src, bool halves,
    size_t ld, size_t k, size_t n, void *panels, size_t ldp, size_t at)
{
	size_t size = halves ? sizeof(uint16_t) : sizeof(float), j;

	for (j = 0; j < n; j += PEFT_PANEL)
		pack_panel(e, (const char *)src + j * size, halves, ld, k,
		    peft_least(PEFT_PANEL, n - j), (char *)panels +
		    (j / PEFT_PANEL * ldp + at * PEFT_PANEL) * e->size);
}

void
peft_expand_cols(const struct peft_expander *e, const struct peft_weight *w,
    size_t ldw, size_t r, size_t k, size_t c, size_t n, void *panels,
    size_t ld, float *room)
{
	peft_halves_fn *halves = halves_of(e, w);
	size_t at, m;

	if (e->int8 != NULL) {
		expand_cols_int8(e, w, ldw, r, k, c, n, panels, ld, room);
		return;
	}
	for (at = 0; at < k; at += m) {
		m = k - at < PEFT_PANEL ? k - at : PEFT_PANEL;
		if (w->dtype == PEFT_BF16)
			pack_cols(e, (const uint16_t *)w->data + (r + at) *
			    w->cols + c, true, w->cols, m, n, panels, ld, at);
		else if (halves != NULL)
			pack_cols(e, halve(halves, w, r + at, m, c, n, room),
			    true, n, m, n, panels, ld, at);
		else if (w->dtype == PEFT_F32 && !e->trim)
			pack_cols(e, (const float *)w->data + (r + at) * ldw +
			    c, false, ldw, m, n, panels, ld, at);
		else {
			decode(e, w, ldw, r + at, m, c, n, room);
			pack_cols(e, room, false, n, m, n, panels, ld, at);
		}
	}
}
