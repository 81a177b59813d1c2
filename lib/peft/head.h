/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_PEFT_HEAD_H
#define PEFT_PEFT_HEAD_H

#include "data/labels.h"
#include "model/config.h"
#include "tensor/source.h"

/*
 * Heads for classes that adapters bring (task types SEQ_CLS and TOKEN_CLS),
 * known before a model is opened, which must have room for them.
 */

/* What an adapter says of its task: *head, with task CAUSAL_LM if it has no
 * classes.  *labels (freed by the caller, also after an error) has the names
 * of the classes, or none where nobody named them: PEFT itself does not. */
int	peft_head_of_adapter(const struct peft_source *,
	    struct peft_headopt *head, struct peft_labels *, struct peft_err *)
	    PEFT_MUSTCHECK;
/* The names in the model's config.json, or LABEL_0, ...; nothing if it has
 * no classes. */
int	peft_head_of_model(const struct peft_source *,
	    const struct peft_config *, struct peft_labels *,
	    struct peft_err *) PEFT_MUSTCHECK;
/* What an adapter does not say, the model does. */
int	peft_head_names(struct peft_labels *, const struct peft_source *model,
	    const struct peft_config *, struct peft_err *) PEFT_MUSTCHECK;
/* *all becomes a head that serves both adapters, or an error (PEFT_CHECK)
 * that says why there is none; start with task AUTO. */
int	peft_head_join(struct peft_headopt *all, const struct peft_headopt *,
	    const char *name, struct peft_err *) PEFT_MUSTCHECK;

/* Into the config of an adapter that is to be trained: task_type, and the
 * head's names in modules_to_save, as PEFT puts them there. */
void	peft_head_ask(cJSON *config, enum peft_task);
/* config.json of a model that has this head: architectures, the names of the
 * classes.  Appended to out. */
int	peft_head_config(const struct peft_side *config,
	    const struct peft_labels *, struct peft_buf *out,
	    struct peft_err *) PEFT_MUSTCHECK;

#endif
