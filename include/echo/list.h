/* SPDX-License-Identifier: MIT
 * list: an intrusive doubly linked list: what is in it holds the link, so that putting in, taking
 * out from anywhere and moving need no memory and no search.
 */
#ifndef ECHO_LIST_H
#define ECHO_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* The head of a list, or a link in one. Zeroed: a link in no list. */
struct list {
	struct list *next, *prev;
};

static inline void list_init(struct list *head)
{
	head->next = head->prev = head;
}

static inline bool list_empty(const struct list *head)
{
	return head->next == head;
}

/* Whether this link is in a list. */
static inline bool list_linked(const struct list *link)
{
	return link->next != NULL;
}

/* Takes it out; a link in no list stays so. */
static inline void list_remove(struct list *link)
{
	if (!list_linked(link))
		return;
	link->next->prev = link->prev;
	link->prev->next = link->next;
	link->next = link->prev = NULL;
}

/* Moves it to the end of the list, from another one if need be. */
static inline void list_append(struct list *head, struct list *link)
{
	list_remove(link);
	link->prev = head->prev;
	link->next = head;
	head->prev->next = link;
	head->prev = link;
}

/* The oldest link; the list must not be empty. */
static inline struct list *list_first(const struct list *head)
{
	return head->next;
}

#endif
