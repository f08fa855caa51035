/* Where a command reads and writes: descriptors, colour only on a terminal, progress only on a terminal. */
#ifndef TG_TOOL_CONSOLE_H
#define TG_TOOL_CONSOLE_H

#include "base/buf.h"
#include "base/detail.h"

#include <pthread.h>
#include <stdatomic.h>

/* Exit statuses of every command. */
enum {
    TG_EXIT_OK = 0,
    TG_EXIT_FINDINGS =
        1,             /* the work was done and something was found: a refused document, a lint finding, a difference */
    TG_EXIT_CANNOT = 2 /* usage, a file, a key or a schema that cannot be loaded, output that cannot be written */
};

struct tg_console {
    int in_fd;
    int out_fd;
    int err_fd;
    bool is_out_coloured;
    bool is_err_coloured;
    bool is_progress_shown;
};
typedef struct tg_console tg_console;

/* tg_console_init takes the standard descriptors. Colour needs a terminal, no NO_COLOR and a TERM other than dumb;
 * progress needs a terminal.
 */
void tg_console_init(tg_console *console);

/* tg_console_write writes to standard output, tg_console_say to standard error; both whole.
 * out   TG_EXIT_OK, or TG_EXIT_CANNOT where that failed (said on standard error)
 */
TG_MUST_USE int tg_console_write(tg_console *console, tg_slice bytes);
void tg_console_say(tg_console *console, tg_slice bytes);

/* tg_console_fail says `teegate: <detail>` on standard error and gives TG_EXIT_CANNOT. */
int tg_console_fail(tg_console *console, const tg_detail *detail);
int tg_console_fail_text(tg_console *console, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* tg_console_fail_result is for what has no better words: memory, a library. */
int tg_console_fail_result(tg_console *console, const char *what, tg_result result);

typedef enum tg_colour { TG_COLOUR_NONE, TG_COLOUR_RED, TG_COLOUR_YELLOW, TG_COLOUR_GREEN, TG_COLOUR_DIM } tg_colour;
/* tg_colour_append writes `text`, in the colour where is_coloured. */
TG_MUST_USE tg_result tg_colour_append(tg_buf *buf, bool is_coloured, tg_colour colour, const char *text);

/* What a long piece of work tells a person: shown after half a second, on a line of its own that goes away at the
 * end, by a thread of its own. Without a terminal nothing is started. */
typedef struct tg_progress {
    tg_console *console;
    const char *label; /* `compiling`, static storage */
    _Atomic uint64_t num_bytes;
    uint64_t started_ms;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool is_ended;
    bool is_running;
} tg_progress;

/* tg_progress_start begins to show; tg_progress_update says how many bytes are done (any thread; while it is 0 the time
 * is shown instead); tg_progress_end takes the line away, and must follow.
 */
void tg_progress_start(tg_progress *progress, tg_console *console, const char *label);
void tg_progress_update(tg_progress *progress, uint64_t num_bytes);
void tg_progress_end(tg_progress *progress);

#endif
