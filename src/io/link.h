/* Intrusive circular lists: a link stands inside the object that it chains, so that nothing is allocated. */
#ifndef TG_IO_LINK_H
#define TG_IO_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct tg_link {
    struct tg_link *prev; /* both NULL while it stands in no list; a list's head is always linked, to itself if empty */
    struct tg_link *next;
} tg_link;

/* TG_OBJECT_OF goes from a member to the object that holds it. */
#define TG_OBJECT_OF(member_ptr, type, member) ((type *)((uintptr_t)(member_ptr)-offsetof(type, member)))

static inline void tg_link_init_head(tg_link *head)
{
    head->prev = head->next = head;
}

static inline bool tg_link_is_linked(const tg_link *link)
{
    return link->next != NULL;
}

static inline bool tg_link_is_empty(const tg_link *head)
{
    return head->next == head;
}

/* tg_link_append puts an unlinked link at the end of the list. */
static inline void tg_link_append(tg_link *head, tg_link *link)
{
    link->prev = head->prev;
    link->next = head;
    head->prev->next = link;
    head->prev = link;
}

/* tg_link_remove takes a link out of whatever list it stands in; an unlinked one stays so. */
static inline void tg_link_remove(tg_link *link)
{
    if (link->next != NULL) {
        link->prev->next = link->next;
        link->next->prev = link->prev;
        link->prev = link->next = NULL;
    }
}

/* tg_link_move_all moves a list's members, in order, to the end of another and leaves it empty. */
static inline void tg_link_move_all(tg_link *from, tg_link *to)
{
    if (!tg_link_is_empty(from)) {
        from->next->prev = to->prev;
        to->prev->next = from->next;
        from->prev->next = to;
        to->prev = from->prev;
        tg_link_init_head(from);
    }
}

#endif
