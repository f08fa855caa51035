#include "enclave/command_line.h"
#include "support/case.h"

static tg_enclave_command command;
static tg_detail detail;

/* The command line `teegate-enclave WORDS...`; NULL ends the words. */
static tg_result parse(const char *const *words)
{
    char text[8][64];
    char *argv[8];
    int argc = 1;
    argv[0] = strcpy(text[0], "teegate-enclave");
    for (; words[argc - 1] != NULL; argc++) {
        argv[argc] = strcpy(text[argc], words[argc - 1]);
    }
    static char kept[64]; /* the command points into argv */
    command = (tg_enclave_command){.action = TG_ENCLAVE_HELP, .config_path = "untouched"};
    tg_detail_clear(&detail);
    tg_result result = tg_enclave_command_parse(argc, argv, &command, &detail);
    if (command.config_path != NULL) {
        command.config_path = strcpy(kept, command.config_path);
    }
    return result;
}

#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL})

static void parse_no_argument_serves(void **state)
{
    (void)state;
    assert_ok(parse((const char *const[]){NULL}));
    assert_int_equal(command.action, TG_ENCLAVE_SERVE);
    assert_null(command.config_path);
    assert_false(command.is_local_mode);
}

static void parse_each_action_is_known(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        tg_enclave_action action;
    } known[] = {{"--check-config", TG_ENCLAVE_CHECK_CONFIG},
                 {"--print-config", TG_ENCLAVE_PRINT_CONFIG},
                 {"--print-config=json", TG_ENCLAVE_PRINT_CONFIG_JSON},
                 {"--help", TG_ENCLAVE_HELP},
                 {"-h", TG_ENCLAVE_HELP},
                 {"--version", TG_ENCLAVE_VERSION}};
    for (size_t i = 0; i < TG_COUNT(known); i++) {
        assert_ok(PARSE(known[i].word));
        assert_int_equal(command.action, known[i].action);
    }
}

static void parse_config_takes_its_path_both_ways(void **state)
{
    (void)state;
    assert_ok(PARSE("--config", "/etc/x.json", "--local-mode"));
    assert_string_equal(command.config_path, "/etc/x.json");
    assert_true(command.is_local_mode);
    assert_ok(PARSE("--config=/etc/y.json", "--check-config"));
    assert_string_equal(command.config_path, "/etc/y.json");
    assert_int_equal(command.action, TG_ENCLAVE_CHECK_CONFIG);
}

static void parse_fault_names_the_argument_and_leaves_the_command(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        const char *reason;
    } wrong[] = {{"--config", "needs the path of a file"},
                 {"--conf", "is no option of teegate-enclave"},
                 {"--print-config=yaml", "is no option of teegate-enclave"},
                 {"serve", "is no option of teegate-enclave"},
                 {"", "is no option of teegate-enclave"}};
    for (size_t i = 0; i < TG_COUNT(wrong); i++) {
        assert_code(PARSE("--local-mode", wrong[i].word), TG_ERR_SYNTAX);
        assert_string_equal(detail.field, wrong[i].word);
        assert_string_equal(detail.reason, wrong[i].reason);
        assert_string_not_equal(detail.remedy, "");
        assert_int_equal(command.action, TG_ENCLAVE_HELP);
        assert_string_equal(command.config_path, "untouched");
    }
}

static void help_names_every_option_and_setting(void **state)
{
    (void)state;
    static const char *const parts[] = {"--config PATH", "--check-config", "--print-config[=json]",
                                        "--local-mode",  "--version",      "-h, --help",
                                        "Exit status:",  "SCHEMA_DIR",     "MAX_INFLIGHT_BYTES"};
    tg_buf buf;
    tg_buf_init(&buf, 65536);
    assert_ok(tg_enclave_help_append(&buf));
    assert_ok(tg_buf_append_byte(&buf, 0));
    for (size_t i = 0; i < TG_COUNT(parts); i++) {
        assert_non_null(strstr((const char *)tg_buf_slice(&buf).ptr, parts[i]));
    }
    tg_buf_done(&buf);
    tg_buf_init(&buf, 100);
    assert_code(tg_enclave_help_append(&buf), TG_ERR_LIMIT);
    tg_buf_done(&buf);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(parse_no_argument_serves),
        cmocka_unit_test(parse_each_action_is_known),
        cmocka_unit_test(parse_config_takes_its_path_both_ways),
        cmocka_unit_test(parse_fault_names_the_argument_and_leaves_the_command),
        cmocka_unit_test(help_names_every_option_and_setting),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
