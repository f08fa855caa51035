/* teegate: the operator's and the client's tool. */
#include "sys/harden.h"
#include "tool/commands.h"

#include <stdlib.h>

int main(int argc, char **argv)
{
    tg_console console;
    tg_detail fault = {0};
    tg_console_init(&console);
    if (!tg_is_ok(tg_harden_process(&fault))) {
        return tg_console_fail(&console, &fault);
    }
    size_t num_words = (size_t)argc;
    const char **words = calloc(num_words + 1, sizeof *words);
    if (words == NULL) {
        return tg_console_fail_result(&console, "the command line", tg_fail(TG_ERR_MEMORY));
    }
    for (size_t i = 0; i < num_words; i++) {
        words[i] = argv[i];
    }
    int status = tg_tool_main(num_words, words, &console);
    free(words);
    return status;
}
