/* Checks that change the process itself (limits, rights, crashes) run in a child. */
#ifndef TG_TESTS_SUPPORT_CHILD_H
#define TG_TESTS_SUPPORT_CHILD_H

/* Runs `check` in a forked child and returns what it returned (0 to 127), or 128 + the signal that ended it. */
int tg_status_in_child(int (*check)(void));

/* Gives up every capability, so that root meets the limits that others meet; it still owns its files. 0, or -1. */
int tg_drop_capabilities(void);

#endif
