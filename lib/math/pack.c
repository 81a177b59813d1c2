/* SPDX-License-Identifier: Apache-2.0 */
/* Products within a task: panels of f32 or bf16 alike. */

#include <string.h>

#include "math/pack.h"

struct peft_packer
peft_packer_of(const struct peft_cpu *cpu)
{
	struct peft_packer p = { .f32 = peft_cpu_panel_f32(cpu),
	    .size = sizeof(float) };

	if (peft_cpu_computes_dense(cpu) == PEFT_COMPUTE_BF16)
		p.bf16 = peft_cpu_panel_bf16(cpu);
	if (p.bf16 != NULL)
		p.size = sizeof(uint16_t);
	return p;
}

void *
peft_pack_at(const struct peft_packer *p, const void *base, size_t i)
{
	return (char *)(uintptr_t)base + i * p->size;
}

/* One panel of m columns, by the kernel for rows or that for columns. */
static void
pack(const struct peft_packer *p, bool cols, const float *src, size_t lds,
    size_t m, size_t k, void *panel)
{
	float *to = panel;

	if (p->bf16 != NULL && cols)
		p->bf16->cols(src, lds, k, m, panel);
	else if (p->bf16 != NULL)
		p->bf16->rows(src, lds, m, k, panel);
	else if (cols)
		p->f32->cols(src, lds, k, m, to);
	else
		p->f32->rows(src, lds, m, k, to);
	if (p->bf16 == NULL)
		memset(to + k * PEFT_PANEL, 0, (peft_pack_up(k) - k) *
		    PEFT_PANEL * sizeof(*to));
}

void
peft_pack_rows(const struct peft_packer *p, const float *src, size_t lds,
    size_t n, size_t k, void *panels, size_t ld)
{
	size_t j;

	for (j = 0; j < n; j += PEFT_PANEL)
		pack(p, false, src + j * lds, lds, peft_least(n - j,
		    PEFT_PANEL), k, peft_pack_at(p, panels, j / PEFT_PANEL *
		    ld));
}

void
peft_pack_cols(const struct peft_packer *p, const float *src, size_t lds,
    size_t k, size_t n, void *panels, size_t ld)
{
	size_t j;

	for (j = 0; j < n; j += PEFT_PANEL)
		pack(p, true, src + j, lds, peft_least(n - j, PEFT_PANEL), k,
		    peft_pack_at(p, panels, j / PEFT_PANEL * ld));
}

const void *
peft_pack_left(const struct peft_packer *p, const float *src, size_t m,
    size_t k, void *room, size_t *ld)
{
	uint16_t *to = room;
	size_t up = peft_pack_up(k), i;

	if (p->bf16 == NULL)
		return src;
	for (i = 0; i < m; i++)
		p->bf16->round(to + i * up, src + i * *ld, k);
	*ld = up;
	return room;
}

/* Panels of rows are transposed rows. */
void
peft_pack_turned(const struct peft_packer *p, const float *src, size_t lds,
    size_t m, size_t k, void *room, size_t ld, float *copy)
{
	float *turned = copy;
	size_t i, d;

	if (p->bf16 != NULL)
		turned += k * PEFT_PANEL;
	for (i = 0; i < m; i += PEFT_PANEL) {
		p->f32->rows(src + i * lds, lds, peft_least(m - i,
		    PEFT_PANEL), k, copy);
		if (p->bf16 != NULL)
			p->bf16->round((uint16_t *)(void *)turned, copy,
			    k * PEFT_PANEL);
		for (d = 0; d < k; d++)
			memcpy(peft_pack_at(p, room, d * ld + i),
			    peft_pack_at(p, turned, d * PEFT_PANEL),
			    PEFT_PANEL * p->size);
	}
}

void
peft_pack_multiply(const struct peft_packer *p, const struct peft_block *b)
{
	struct peft_block deep = *b;

	if (b->m == 0 || b->n == 0)
		return;
	if (p->bf16 == NULL) {
		p->f32->block(b);
		return;
	}
	deep.k = peft_pack_up(b->k);
	p->bf16->block(&deep);
}
