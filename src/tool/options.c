#include "tool/options.h"

#include "base/distance.h"
#include "base/num.h"

static const tg_option help_option = {.name = "help", .letter = 'h', .help = "show this and end"};

const tg_command *tg_invocation_command(const tg_invocation *invocation)
{
    return invocation->commands[invocation->depth - 1];
}

bool tg_words_have(const char *words, tg_slice text)
{
    for (tg_slice rest = tg_slice_str(words); rest.ptr != NULL;) {
        if (tg_slice_equal(tg_slice_split(&rest, ' '), text)) {
            return true;
        }
    }
    return false;
}

static const tg_option *find_option(const tg_command *command, tg_slice name)
{
    for (size_t i = 0; i < command->num_options; i++) {
        if (tg_slice_equal(name, tg_slice_str(command->options[i].name))) {
            return &command->options[i];
        }
    }
    return tg_slice_equal(name, TG_LIT("help")) ? &help_option : NULL;
}

static const tg_option *find_letter(const tg_command *command, char letter)
{
    for (size_t i = 0; i < command->num_options; i++) {
        if (command->options[i].letter == letter && letter != 0) {
            return &command->options[i];
        }
    }
    return letter == 'h' ? &help_option : NULL;
}

static const tg_command *find_command(const tg_command *parent, tg_slice name)
{
    for (size_t i = 0; i < parent->num_commands; i++) {
        if (tg_slice_equal(name, tg_slice_str(parent->commands[i]->name))) {
            return parent->commands[i];
        }
    }
    return NULL;
}

typedef struct nearest {
    tg_slice word;
    const char *name;
    size_t distance;
} nearest;

static void consider(nearest *best, const char *candidate)
{
    size_t distance = tg_text_distance(best->word, tg_slice_str(candidate));
    if (distance < best->distance && tg_text_is_near(best->word, tg_slice_str(candidate))) {
        best->distance = distance;
        best->name = candidate;
    }
}

static tg_result refuse_option(const tg_command *command, tg_slice name, tg_detail *fault)
{
    nearest best = {name, NULL, SIZE_MAX};
    for (size_t i = 0; i < command->num_options; i++) {
        consider(&best, command->options[i].name);
    }
    tg_detail_set_reason(fault, "there is no option --%.*s", (int)tg_size_min(name.len, 64), (const char *)name.ptr);
    if (best.name != NULL) {
        tg_detail_set_remedy(fault, "did you mean --%s?", best.name);
    } else {
        tg_detail_set_remedy(fault, "--help lists the options");
    }
    return tg_fail(TG_ERR_SYNTAX);
}

static tg_result refuse_command(const tg_command *parent, tg_slice name, tg_detail *fault)
{
    nearest best = {name, NULL, SIZE_MAX};
    for (size_t i = 0; i < parent->num_commands; i++) {
        consider(&best, parent->commands[i]->name);
    }
    tg_detail_set_reason(fault, "there is no command \"%.*s\"", (int)tg_size_min(name.len, 64), (const char *)name.ptr);
    if (best.name != NULL) {
        tg_detail_set_remedy(fault, "did you mean %s?", best.name);
    } else {
        tg_detail_set_remedy(fault, "--help lists the commands");
    }
    return tg_fail(TG_ERR_SYNTAX);
}

static tg_result give(tg_invocation *invocation, const tg_option *option, const char *value, tg_detail *fault)
{
    if (option == &help_option) {
        invocation->is_help = true;
        return tg_ok();
    }
    if (!option->is_repeatable && tg_invocation_has(invocation, option->name)) {
        tg_detail_set_reason(fault, "--%s is given twice", option->name);
        return tg_fail(TG_ERR_SYNTAX);
    }
    if (value != NULL && option->completes == TG_COMPLETES_WORDS &&
        !tg_words_have(option->words, tg_slice_str(value))) {
        tg_detail_set_reason(fault, "--%s does not take \"%.64s\"", option->name, value);
        tg_detail_set_remedy(fault, "it takes one of: %s", option->words);
        return tg_fail(TG_ERR_SYNTAX);
    }
    if (invocation->num_given == TG_MAX_GIVEN_OPTIONS) {
        tg_detail_set_reason(fault, "there are more than %d options", TG_MAX_GIVEN_OPTIONS);
        return tg_fail(TG_ERR_SYNTAX);
    }
    invocation->given[invocation->num_given++] = (struct tg_given_option){option, value};
    return tg_ok();
}

/* option = "--" name [ "=" value ] / "-" letter; *next is the index behind what was taken. */
static tg_result parse_option(const tg_command *command, size_t argc, const char **argv, size_t *next,
                              tg_invocation *invocation, tg_detail *fault)
{
    const char *text = argv[(*next)++];
    const tg_option *option;
    const char *value = NULL;
    if (text[1] == '-') {
        tg_slice body = tg_slice_str(text + 2);
        tg_slice name = tg_slice_first(body, tg_slice_find(body, '='));
        value = name.len < body.len ? text + 2 + name.len + 1 : NULL;
        option = find_option(command, name);
        if (option == NULL) {
            return refuse_option(command, name, fault);
        }
    } else {
        option = text[2] == 0 ? find_letter(command, text[1]) : NULL;
        if (option == NULL) {
            tg_detail_set_reason(fault, "there is no option %.64s", text);
            tg_detail_set_remedy(fault, "long options begin with two dashes; --help lists them");
            return tg_fail(TG_ERR_SYNTAX);
        }
    }
    if (option->argument == NULL && value != NULL) {
        tg_detail_set_reason(fault, "--%s takes no value", option->name);
        return tg_fail(TG_ERR_SYNTAX);
    }
    if (option->argument != NULL && value == NULL) {
        if (*next == argc) {
            tg_detail_set_reason(fault, "--%s needs a value", option->name);
            tg_detail_set_remedy(fault, "write --%s %s", option->name, option->argument);
            return tg_fail(TG_ERR_SYNTAX);
        }
        value = argv[(*next)++];
    }
    return give(invocation, option, value, fault);
}

static tg_result check_arguments(const tg_invocation *invocation, tg_detail *fault)
{
    const tg_command *command = tg_invocation_command(invocation);
    if (invocation->is_help || command->num_commands > 0) {
        return tg_ok();
    }
    if (invocation->num_arguments > command->max_arguments) {
        tg_detail_set_reason(fault, "\"%.64s\" is one argument too many",
                             invocation->arguments[command->max_arguments]);
    } else if (invocation->num_arguments < command->min_arguments) {
        tg_detail_set_reason(fault, "an argument is missing: %s", command->arguments);
    } else {
        for (size_t i = 0; command->words != NULL && i < invocation->num_arguments; i++) {
            if (!tg_words_have(command->words, tg_slice_str(invocation->arguments[i]))) {
                tg_detail_set_reason(fault, "\"%.64s\" is not one of: %s", invocation->arguments[i], command->words);
                return tg_fail(TG_ERR_SYNTAX);
            }
        }
        return tg_ok();
    }
    tg_detail_set_remedy(fault, "--help shows the usage");
    return tg_fail(TG_ERR_SYNTAX);
}

tg_result tg_options_parse(const tg_command *program, size_t argc, const char **argv, tg_invocation *out_invocation,
                           tg_detail *fault)
{
    tg_invocation it = {.commands = {program}, .depth = 1, .arguments = argv};
    bool is_rest = false;
    for (size_t next = argc > 0 ? 1 : 0; next < argc;) {
        const char *text = argv[next];
        const tg_command *command = tg_invocation_command(&it);
        if (!is_rest && strcmp(text, "--") == 0) {
            is_rest = true;
            next++;
        } else if (!is_rest && text[0] == '-' && text[1] != 0) {
            TG_TRY(parse_option(command, argc, argv, &next, &it, fault));
        } else if (command->num_commands > 0) {
            const tg_command *chosen = find_command(command, tg_slice_str(text));
            if (chosen == NULL || it.depth == TG_MAX_COMMAND_DEPTH) {
                return refuse_command(command, tg_slice_str(text), fault);
            }
            it.commands[it.depth++] = chosen;
            next++;
        } else {
            argv[it.num_arguments++] = text;
            next++;
        }
    }
    TG_TRY(check_arguments(&it, fault));
    *out_invocation = it;
    return tg_ok();
}

bool tg_invocation_has(const tg_invocation *invocation, const char *name)
{
    for (size_t i = 0; i < invocation->num_given; i++) {
        if (strcmp(invocation->given[i].option->name, name) == 0) {
            return true;
        }
    }
    return false;
}

const char *tg_invocation_value(const tg_invocation *invocation, const char *name)
{
    const char *value = NULL;
    for (size_t i = 0; i < invocation->num_given; i++) {
        if (strcmp(invocation->given[i].option->name, name) == 0) {
            value = invocation->given[i].value;
        }
    }
    return value;
}

const char *tg_invocation_value_at(const tg_invocation *invocation, const char *name, size_t index)
{
    for (size_t i = 0; i < invocation->num_given; i++) {
        if (strcmp(invocation->given[i].option->name, name) == 0 && index-- == 0) {
            return invocation->given[i].value;
        }
    }
    return NULL;
}
