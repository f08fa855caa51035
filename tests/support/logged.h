/* What the code under test logs, as text. */
#ifndef TG_TESTS_SUPPORT_LOGGED_H
#define TG_TESTS_SUPPORT_LOGGED_H

/* From here on lines of every level come to this test instead of stderr; as set-up and tear-down of a group or case. */
int tg_test_log_set_up(void **state);
int tg_test_log_tear_down(void **state);

/* All lines since the set-up, or since tg_test_log_forget; the text holds until the next call. Any thread may log. */
const char *tg_test_log(void);
void tg_test_log_forget(void);

/* Whether a line holds `part`; waits up to some seconds for it, where a thread logs. */
int tg_test_log_says(const char *part);

#endif
