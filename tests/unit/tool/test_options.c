#include "support/case.h"
#include "tool/completion.h"
#include "tool/options.h"
#include "tool/usage.h"

#include <stdlib.h>

static int run_nothing(const tg_invocation *invocation, tg_console *console)
{
    (void)invocation;
    (void)console;
    return 0;
}

static const tg_option paint_options[] = {
    {.name = "colour",
     .letter = 'c',
     .argument = "COLOUR",
     .words = "red green",
     .completes = TG_COMPLETES_WORDS,
     .help = "which colour"},
    {.name = "coats", .argument = "NUMBER", .is_repeatable = true, .help = "how many"},
    {.name = "dry", .help = "don't paint"},
    {.name = "a-very-long-option-name", .argument = "VALUE", .completes = TG_COMPLETES_FOLDERS, .help = "long"},
};
static const tg_command paint_command = {.name = "paint",
                                         .summary = "Paint things.",
                                         .description = "All of them.",
                                         .arguments = "THING...",
                                         .min_arguments = 1,
                                         .max_arguments = 2,
                                         .completes = TG_COMPLETES_FILES,
                                         .options = paint_options,
                                         .num_options = TG_COUNT(paint_options),
                                         .examples = "  house paint wall",
                                         .run = run_nothing};
static const tg_command which_command = {.name = "which",
                                         .summary = "Choose.",
                                         .arguments = "this|that",
                                         .words = "this that",
                                         .completes = TG_COMPLETES_WORDS,
                                         .min_arguments = 1,
                                         .max_arguments = 1,
                                         .run = run_nothing};
static const tg_command *const room_commands[] = {&paint_command, &which_command};
static const tg_command room_command = {
    .name = "room", .summary = "Rooms.", .commands = room_commands, .num_commands = TG_COUNT(room_commands)};
static const tg_command *const house_commands[] = {&room_command};
static const tg_option house_options[] = {{.name = "version", .letter = 'V', .help = "show it"}};
static const tg_command house = {.name = "house",
                                 .summary = "A house.",
                                 .options = house_options,
                                 .num_options = 1,
                                 .commands = house_commands,
                                 .num_commands = 1};

static tg_invocation it;
static tg_detail fault;

/* Parses `house` and the words of the text. */
static tg_result parse(const char *words)
{
    static char copy[4096];
    static const char *argv[256];
    size_t argc = 0;
    strcpy(copy, words);
    argv[argc++] = "house";
    for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " ")) {
        argv[argc++] = word;
    }
    tg_detail_clear(&fault);
    return tg_options_parse(&house, argc, argv, &it, &fault);
}

static void parse_options_may_stand_among_arguments(void **state)
{
    (void)state;
    assert_ok(parse("room paint wall --colour red door --dry"));
    assert_ptr_equal(tg_invocation_command(&it), &paint_command);
    assert_int_equal(it.depth, 3);
    assert_int_equal(it.num_arguments, 2);
    assert_string_equal(it.arguments[0], "wall");
    assert_string_equal(it.arguments[1], "door");
    assert_string_equal(tg_invocation_value(&it, "colour"), "red");
    assert_true(tg_invocation_has(&it, "dry"));
    assert_false(tg_invocation_has(&it, "coats"));
    assert_null(tg_invocation_value(&it, "coats"));
}

static void parse_each_spelling_of_a_value_is_the_same(void **state)
{
    (void)state;
    static const char *const spellings[] = {"room paint x --colour=green", "room paint x --colour green",
                                            "room paint -c green x"};
    for (size_t i = 0; i < TG_COUNT(spellings); i++) {
        assert_ok(parse(spellings[i]));
        assert_string_equal(tg_invocation_value(&it, "colour"), "green");
    }
    assert_ok(parse("room paint x --coats="));
    assert_string_equal(tg_invocation_value(&it, "coats"), "");
    assert_ok(parse("room paint x --coats=a=b"));
    assert_string_equal(tg_invocation_value(&it, "coats"), "a=b");
    assert_ok(parse("room paint x --coats --dry"));
    assert_string_equal(tg_invocation_value(&it, "coats"), "--dry");
}

static void parse_repeatable_option_keeps_all_values(void **state)
{
    (void)state;
    assert_ok(parse("room paint x --coats 1 --coats 2"));
    assert_string_equal(tg_invocation_value(&it, "coats"), "2");
    assert_string_equal(tg_invocation_value_at(&it, "coats", 0), "1");
    assert_string_equal(tg_invocation_value_at(&it, "coats", 1), "2");
    assert_null(tg_invocation_value_at(&it, "coats", 2));
    assert_code(parse("room paint x --dry --dry"), TG_ERR_SYNTAX);
    assert_string_equal(fault.reason, "--dry is given twice");
}

static void parse_behind_two_dashes_all_is_arguments(void **state)
{
    (void)state;
    assert_ok(parse("room paint -- --dry --"));
    assert_int_equal(it.num_arguments, 2);
    assert_string_equal(it.arguments[0], "--dry");
    assert_string_equal(it.arguments[1], "--");
    assert_ok(parse("room paint -"));
    assert_string_equal(it.arguments[0], "-");
}

static void parse_unknown_name_suggests_the_nearest(void **state)
{
    (void)state;
    assert_code(parse("room paint x --color red"), TG_ERR_SYNTAX);
    assert_string_equal(fault.reason, "there is no option --color");
    assert_string_equal(fault.remedy, "did you mean --colour?");
    assert_code(parse("room paint x --zebra"), TG_ERR_SYNTAX);
    assert_string_equal(fault.remedy, "--help lists the options");
    assert_code(parse("room pant x"), TG_ERR_SYNTAX);
    assert_string_equal(fault.remedy, "did you mean paint?");
    assert_code(parse("cellar"), TG_ERR_SYNTAX);
    assert_string_equal(fault.remedy, "--help lists the commands");
    assert_code(parse("room paint x -z"), TG_ERR_SYNTAX);
    assert_code(parse("room paint x -dry"), TG_ERR_SYNTAX);
    assert_string_equal(fault.reason, "there is no option -dry");
}

static void parse_values_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    assert_code(parse("room paint x --dry=1"), TG_ERR_SYNTAX);
    assert_string_equal(fault.reason, "--dry takes no value");
    assert_code(parse("room paint x --colour"), TG_ERR_SYNTAX);
    assert_string_equal(fault.remedy, "write --colour COLOUR");
    assert_code(parse("room paint x --colour blue"), TG_ERR_SYNTAX);
    assert_string_equal(fault.remedy, "it takes one of: red green");
    assert_code(parse("room which other"), TG_ERR_SYNTAX);
    assert_ok(parse("room which that"));
}

static void parse_wrong_number_of_arguments_is_refused_at_both_ends(void **state)
{
    (void)state;
    assert_code(parse("room paint"), TG_ERR_SYNTAX);
    assert_string_equal(fault.reason, "an argument is missing: THING...");
    assert_ok(parse("room paint a b"));
    assert_code(parse("room paint a b c"), TG_ERR_SYNTAX);
}

static void parse_most_options_pass_one_more_does_not(void **state)
{
    (void)state;
    char words[4096] = "room paint x";
    for (int i = 0; i < TG_MAX_GIVEN_OPTIONS; i++) {
        strcat(words, " --coats 1");
    }
    assert_ok(parse(words));
    strcat(words, " --coats 1");
    assert_code(parse(words), TG_ERR_SYNTAX);
}

static void parse_help_needs_nothing_else(void **state)
{
    (void)state;
    assert_ok(parse("room paint --help"));
    assert_true(it.is_help);
    assert_ok(parse("-h"));
    assert_ptr_equal(tg_invocation_command(&it), &house);
    assert_ok(parse(""));
    assert_false(it.is_help);
    const char *none = NULL;
    assert_ok(tg_options_parse(&house, 0, &none, &it, &fault));
}

static tg_buf text;

static const char *text_end(void)
{
    assert_ok(tg_buf_append_byte(&text, 0));
    return (const char *)tg_buf_slice(&text).ptr;
}

static void usage_shows_what_the_table_holds(void **state)
{
    (void)state;
    tg_buf_init(&text, 65536);
    assert_ok(parse("room paint --help"));
    assert_ok(tg_usage_append(&it, &text));
    assert_slice(tg_buf_slice(&text), "usage: house room paint [OPTION...] THING...\n\nPaint things.\n\nAll of them.\n"
                                      "\nOptions:\n"
                                      "  -c, --colour COLOUR       which colour\n"
                                      "      --coats NUMBER        how many\n"
                                      "      --dry                 don't paint\n"
                                      "      --a-very-long-option-name VALUE\n"
                                      "                            long\n"
                                      "  -h, --help                show this and end\n"
                                      "\nExamples:\n  house paint wall\n");
    tg_buf_clear(&text);
    assert_ok(parse("room"));
    assert_ok(tg_usage_append(&it, &text));
    assert_slice(tg_buf_slice(&text), "usage: house room COMMAND\n\nRooms.\n\nCommands:\n"
                                      "  paint                     Paint things.\n"
                                      "  which                     Choose.\n"
                                      "\nOptions:\n  -h, --help                show this and end\n");
    tg_buf_done(&text);
}

static void completion_bash_holds_every_command_and_option(void **state)
{
    (void)state;
    tg_buf_init(&text, 65536);
    assert_ok(tg_completion_append_bash(&house, &text));
    const char *script = text_end();
    assert_non_null(strstr(script, "/room/paint) at=$at/$word ;;"));
    assert_non_null(strstr(script, "'/room/paint --colour') kind=words words='red green' ;;"));
    assert_non_null(strstr(script, "'/room/paint --a-very-long-option-name') kind=folders ;;"));
    assert_non_null(strstr(script, "'/room/paint') options='--help --colour --coats --dry --a-very-long-option-name' "
                                   "kind=files ;;"));
    assert_non_null(strstr(script, "'') options='--help --version' kind=words words='room' ;;"));
    assert_non_null(strstr(script, "complete -F _house house\n"));
    tg_buf_done(&text);
}

static void completion_zsh_and_fish_quote_help(void **state)
{
    (void)state;
    tg_buf_init(&text, 65536);
    assert_ok(tg_completion_append_zsh(&house, &text));
    assert_true(tg_slice_starts(tg_buf_slice(&text), TG_LIT("#compdef house\n")));
    tg_buf_clear(&text);
    assert_ok(tg_completion_append_fish(&house, &text));
    const char *script = text_end();
    assert_non_null(strstr(script, "complete -c house -n '__fish_seen_subcommand_from paint; and "
                                   "__fish_seen_subcommand_from room' -l dry -d 'don'\\''t paint'\n"));
    assert_non_null(
        strstr(script, "complete -c house -n 'not __fish_seen_subcommand_from room' -f -a room -d 'Rooms.'"));
    assert_non_null(strstr(script, "-f -a 'this that'"));
    tg_buf_done(&text);
}

static void usage_and_completion_without_space_fail(void **state)
{
    (void)state;
    assert_ok(parse("room paint --help"));
    for (size_t max = 0; max < 300; max += 7) {
        tg_buf_init(&text, max);
        assert_code(tg_usage_append(&it, &text), TG_ERR_LIMIT);
        tg_buf_done(&text);
        tg_buf_init(&text, max);
        assert_code(tg_completion_append_bash(&house, &text), TG_ERR_LIMIT);
        tg_buf_done(&text);
        tg_buf_init(&text, max);
        assert_code(tg_completion_append_fish(&house, &text), TG_ERR_LIMIT);
        tg_buf_done(&text);
    }
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(parse_options_may_stand_among_arguments),
        cmocka_unit_test(parse_each_spelling_of_a_value_is_the_same),
        cmocka_unit_test(parse_repeatable_option_keeps_all_values),
        cmocka_unit_test(parse_behind_two_dashes_all_is_arguments),
        cmocka_unit_test(parse_unknown_name_suggests_the_nearest),
        cmocka_unit_test(parse_values_that_do_not_fit_are_refused),
        cmocka_unit_test(parse_wrong_number_of_arguments_is_refused_at_both_ends),
        cmocka_unit_test(parse_most_options_pass_one_more_does_not),
        cmocka_unit_test(parse_help_needs_nothing_else),
        cmocka_unit_test(usage_shows_what_the_table_holds),
        cmocka_unit_test(completion_bash_holds_every_command_and_option),
        cmocka_unit_test(completion_zsh_and_fish_quote_help),
        cmocka_unit_test(usage_and_completion_without_space_fail),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
