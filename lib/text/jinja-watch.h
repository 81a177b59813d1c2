/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TEXT_JINJA_WATCH_H
#define PEFT_TEXT_JINJA_WATCH_H

#include "text/jinja.h"

/*
 * What the first messages of a chat alone would give, found out while the
 * whole chat is rendered.
 *
 * The list of messages and add_generation_prompt are watched: `need' is how
 * many messages there must be so that all that was done so far would have
 * been done alike with no more than these.  Where a turn of the loop over the
 * messages ends and enough are at hand, the rest of the template is run on
 * the side, with the list cut off there, and then undone.  If the turn itself
 * asked for more (loop.last), it is run once more on the side as well.
 *
 * Values are never changed once they are made, but for namespaces: these have
 * a log.  A watched value may be walked over at the top of the template,
 * indexed, cut from the front and given another name; whoever else evaluates
 * one, asks for all of it.
 */
struct jj_undo {
	struct jj_dict	*dict;
	struct jj_dict	 other;		/* as it was; undone: as it became */
	size_t		 at;		/* of the value, if it was there */
	struct jj_value	 value;
};

struct jj_watch {
	struct peft_prefix	*want;
	size_t			 n, next;	/* those before next are done */
	const struct jj_value	*items;		/* all messages */
	size_t			 need;
	bool			 on;		/* not while on the side */
	struct jj_text		 side;
	struct peft_err		 side_err;	/* which nobody reads */
	struct jj_undo		*log;
	size_t			 nlog, cap;
	/* where the turn of the loop began */
	struct jj_loop		 loop;
	size_t			 need_then, out_then;
};

/* Depth of the statements at the top of a template. */
enum { PEFT_JJ_TOP = 2 };

/* All of a value is asked for, if it is watched; so many of a list's items;
 * the item of an index. */
void	peft_jj_look(struct jj_render *, const struct jj_value *);
void	peft_jj_look_to(struct jj_render *, const struct jj_value *list,
	    size_t n);
void	peft_jj_look_at(struct jj_render *, const struct jj_value *list,
	    const struct jj_value *key);
/* list[i:] of a watched list is watched: true and it is in *out. */
bool	peft_jj_watched_rest(struct jj_render *, const struct jj_value *list,
	    const struct jj_value bounds[3], struct jj_value *out);
/* A namespace is about to be changed. */
int	peft_jj_log(struct jj_render *, struct jj_dict *,
	    const struct jj_value *key) PEFT_MUSTCHECK;

/* Of the loop over the messages, around each turn. */
void	peft_jj_turn_begins(struct jj_render *, const struct jj_loop *);
void	peft_jj_turn_ended(struct jj_render *, const struct jj_node *,
	    const struct jj_loop *);
/* At the end: which of those wanted the whole, whole[from..), begins with. */
void	peft_jj_settle(struct jj_watch *, size_t from,
	    const struct peft_buf *whole);

/* template-eval.c: as peft_jj_eval, for those who can handle a watched
 * value; template-exec.c: one turn of a loop. */
int	peft_jj_eval_watched(struct jj_render *, const struct jj_node *,
	    struct jj_value *out);
int	peft_jj_turn(struct jj_render *, const struct jj_node *,
	    const struct jj_value *loop);

#endif
