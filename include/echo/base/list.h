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

/* Moves it behind @at, which is a head or in a list, from another list if need be. */
static inline void list_put(struct list *at, struct list *link)
{
	list_remove(link);
	link->prev = at;
	link->next = at->next;
	at->next->prev = link;
	at->next = link;
}

/* Moves it to the end, or to the beginning, of a list. */
static inline void list_append(struct list *head, struct list *link)
{
	if (head->prev != link)
		list_put(head->prev, link);
}

static inline void list_prepend(struct list *head, struct list *link)
{
	list_put(head, link);
}

/* The oldest and the newest link; of an empty list its head. */
static inline struct list *list_first(const struct list *head)
{
	return head->next;
}

static inline struct list *list_last(const struct list *head)
{
	return head->prev;
}

#endif
