/* The command line as tables: commands, their options and arguments. Parsing, --help and shell completion all read
 * the same table, so that none of them can tell of an option that another does not know. */
#ifndef TG_TOOL_OPTIONS_H
#define TG_TOOL_OPTIONS_H

#include "base/detail.h"

/* What a shell completes an argument with. */
typedef enum tg_completes {
    TG_COMPLETES_NOTHING,
    TG_COMPLETES_FILES,
    TG_COMPLETES_FOLDERS,
    TG_COMPLETES_WORDS /* those of `words` */
} tg_completes;

typedef struct tg_option {
    const char *name;     /* long, without the dashes */
    const char *argument; /* `FILE` in the usage; NULL for a flag */
    const char *help;
    const char *words; /* separated by blanks, for TG_COMPLETES_WORDS: only these are taken */
    tg_completes completes;
    char letter; /* the short form; 0 where none */
    bool is_repeatable;
} tg_option;

typedef struct tg_console tg_console;
typedef struct tg_invocation tg_invocation;
typedef struct tg_command tg_command;

struct tg_command {
    const char *name;
    const char *summary;     /* one line */
    const char *description; /* lines below the synopsis; NULL */
    const char *arguments;   /* `FILE...`; NULL where it takes none */
    const char *words;       /* as an option's, for the arguments */
    const char *examples;    /* lines; NULL */
    const tg_option *options;
    const tg_command *const *commands; /* subcommands; where there are any, run is NULL */
    size_t num_options;
    size_t num_commands;
    size_t min_arguments;
    size_t max_arguments;
    tg_completes completes; /* of the arguments */
    int (*run)(const tg_invocation *invocation, tg_console *console);
};

enum { TG_MAX_GIVEN_OPTIONS = 64, TG_MAX_COMMAND_DEPTH = 4 };

struct tg_invocation {
    const tg_command *commands[TG_MAX_COMMAND_DEPTH]; /* [0] is the program itself */
    size_t depth;                                     /* at least 1 */
    struct tg_given_option {
        const tg_option *option;
        const char *value; /* NULL for a flag */
    } given[TG_MAX_GIVEN_OPTIONS];
    size_t num_given;
    const char **arguments; /* within the argv that was parsed */
    size_t num_arguments;
    bool is_help; /* --help or -h was given: whatever else is missing does not count */
};

/* tg_options_parse reads argv[1..] against the table whose root is `program`. Options may stand among arguments;
 * `--name=value` and `--name value` are the same; behind `--` all is arguments; `-` is an argument.
 * in    argv   its order is changed: arguments are moved together
 * err   TG_ERR_SYNTAX; *fault says what is wrong and, for an unknown name, the nearest known one
 */
TG_MUST_USE tg_result tg_options_parse(const tg_command *program, size_t argc, const char **argv,
                                       tg_invocation *out_invocation, tg_detail *fault);

const tg_command *tg_invocation_command(const tg_invocation *invocation);
/* The getters take an option's long name, which must stand in the command's table. */
bool tg_invocation_has(const tg_invocation *invocation, const char *name);
/* tg_invocation_value gives the (last) value, NULL where the option was not given. */
const char *tg_invocation_value(const tg_invocation *invocation, const char *name);
/* tg_invocation_value_at gives the value of the option's `index`th occurrence, NULL past the last. */
const char *tg_invocation_value_at(const tg_invocation *invocation, const char *name, size_t index);

/* Whether `text` is one of the blank-separated `words`. */
bool tg_words_have(const char *words, tg_slice text);

#endif
