#include "support/case.h"
#include "support/child.h"
#include "support/folder.h"
#include "sys/file.h"
#include "tool/commands.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Each command, run within this process on files of a folder of its own. */

static char out_text[1 << 20], err_text[65536];

static const char schema_text[] = "openapi: 3.1.0\n"
                                  "info: {title: t, version: '1'}\n"
                                  "components:\n"
                                  "  schemas:\n"
                                  "    Person:\n"
                                  "      type: object\n"
                                  "      properties:\n"
                                  "        ssn: {type: string, x-pii: true}\n"
                                  "        vip: {type: boolean, x-pii: true}\n"
                                  "        born: {type: string, format: date, x-pii: true}\n"
                                  "        email: {type: string}\n"
                                  "        city: {type: string}\n"
                                  "        spouse: {$ref: '#/components/schemas/Person'}\n"
                                  "    Pet:\n"
                                  "      type: object\n"
                                  "      properties:\n"
                                  "        tag: {type: string, x-pii: true}\n";

static void write_file(const char *name, const char *text)
{
    unlink(tg_test_path(name));
    assert_ok(tg_file_write_new(tg_test_path(name), 0600, tg_slice_str(text)));
}

static int open_temporary(void)
{
    int fd = open(tg_test_folder(), O_TMPFILE | O_RDWR, 0600);
    assert_true(fd >= 0);
    return fd;
}

static void read_back(int fd, char *text, size_t cap)
{
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    ssize_t len = read(fd, text, cap - 1);
    assert_true(len >= 0);
    text[len] = 0;
    close(fd);
}

/* Runs `teegate ARGS...` (NULL ends them) with `in` on standard input; out_text and err_text take what it says. */
static int run(const char *in, ...)
{
    const char *argv[32] = {"teegate"};
    size_t argc = 1;
    va_list args;
    va_start(args, in);
    for (const char *each; (each = va_arg(args, const char *)) != NULL;) {
        argv[argc++] = each;
    }
    va_end(args);
    tg_console console = {.in_fd = open_temporary(), .out_fd = open_temporary(), .err_fd = open_temporary()};
    assert_ok(tg_file_write_all(console.in_fd, tg_slice_str(in)));
    assert_int_equal(lseek(console.in_fd, 0, SEEK_SET), 0);
    int status = tg_tool_main(argc, argv, &console);
    close(console.in_fd);
    read_back(console.out_fd, out_text, sizeof out_text);
    read_back(console.err_fd, err_text, sizeof err_text);
    return status;
}

static void assert_says(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("\"%s\" does not stand in:\n%s", part, text);
    }
}

static void encrypt_known_answer_comes_out_and_back(void **state)
{
    (void)state;
    const char *schema = tg_test_path("a.yaml"), *key = tg_test_path("dek");
    assert_int_equal(run("{\"ssn\": \"123-45-6789\"}", "encrypt", "-s", schema, "-k", key, NULL), 0);
    assert_string_equal(out_text, "{\"ssn\": \"v1.0qCxNnq438j8sW82.cXnsox1M-J_n381OJrp9MUSM3BYAp341UoU3\"}");
    assert_string_equal(err_text, "");
    char sealed[sizeof out_text];
    strcpy(sealed, out_text);
    assert_int_equal(run(sealed, "decrypt", "-s", schema, "-k", key, NULL), 0);
    assert_string_equal(out_text, "{\"ssn\": \"123-45-6789\"}");
    assert_int_equal(run("{\"ssn\": \"x\"}", "decrypt", "-s", schema, "-k", key, NULL), 1);
    assert_string_equal(out_text, "");
    assert_says(err_text, "teegate: /ssn: not_a_token: ");
    assert_int_equal(run("{\"ssn\": \"x\"}", "decrypt", "-s", schema, "-k", key, "--lenient", NULL), 0);
    assert_int_equal(run("{", "encrypt", "-s", schema, "-k", key, NULL), 1);
    assert_says(err_text, "bad_request");
}

static void encrypt_lines_each_by_itself_and_back(void **state)
{
    (void)state;
    const char *schema = tg_test_path("a.yaml"), *key = tg_test_path("dek");
    assert_int_equal(run("{\"ssn\":\"hello\"}\n{\"ssn\":\"\"}\n", "encrypt", "--ndjson", "-s", schema, "-k", key, NULL),
                     0);
    assert_string_equal(out_text, "{\"ssn\":\"v1.tugTagQOcSZuNg4j.ZEaG7tl5SRS6CpKlUf1elap2LBwy\"}\n"
                                  "{\"ssn\":\"v1.YyEK7iZXYmNPo9uM.F7OUSZ5NEz2_ue3QS6Sgvw\"}\n");
    char sealed[sizeof out_text];
    strcpy(sealed, out_text);
    assert_int_equal(run(sealed, "decrypt", "--ndjson", "-s", schema, "-k", key, NULL), 0);
    assert_string_equal(out_text, "{\"ssn\":\"hello\"}\n{\"ssn\":\"\"}\n");
    assert_int_equal(run("{\n{\"ssn\":\"hello\"}\n", "encrypt", "--ndjson", "-s", schema, "-k", key, NULL), 1);
    assert_says(out_text, "bad_request");
    assert_says(out_text, "ZEaG7tl5SRS6CpKlUf1elap2LBwy");
    assert_says(err_text, "1 of 2 lines are refused");
}

static void encrypt_component_and_folder_choose_the_root(void **state)
{
    (void)state;
    char schema[160];
    snprintf(schema, sizeof schema, "%s#Pet", tg_test_path("a.yaml"));
    assert_int_equal(run("{\"ssn\":\"x\",\"tag\":\"\"}", "encrypt", "-s", schema, "-k", tg_test_path("dek"), NULL), 0);
    assert_string_equal(out_text, "{\"ssn\":\"x\",\"tag\":\"v1.YyEK7iZXYmNPo9uM.F7OUSZ5NEz2_ue3QS6Sgvw\"}");
    assert_int_equal(
        run("{}", "encrypt", "-s", "a#Pet", "--schema-dir", tg_test_folder(), "-k", tg_test_path("dek"), NULL), 0);
    assert_int_equal(run("{}", "encrypt", "-s", "z", "--schema-dir", tg_test_folder(), "-k", tg_test_path("dek"), NULL),
                     2);
    assert_says(err_text, "there is no schema \"z\"");
    snprintf(schema, sizeof schema, "%s#Cat", tg_test_path("a.yaml"));
    assert_int_equal(run("{}", "encrypt", "-s", schema, "-k", tg_test_path("dek"), NULL), 2);
    assert_says(err_text, "there is no schema \"a#Cat\": the only one is a, or a#Component");
}

static void encrypt_what_is_missing_is_said(void **state)
{
    (void)state;
    assert_int_equal(run("{}", "encrypt", NULL), 2);
    assert_says(err_text, "--schema FILE[#COMPONENT] is missing");
    assert_int_equal(run("{}", "encrypt", "-s", tg_test_path("a.yaml"), NULL), 2);
    assert_says(err_text, "--dek-file FILE is missing");
    assert_int_equal(run("{}", "encrypt", "-s", tg_test_path("a.yaml"), "-k", tg_test_path("absent"), NULL), 2);
    assert_int_equal(run("{}", "encrypt", "-s", tg_test_path("absent.yaml"), "-k", tg_test_path("dek"), NULL), 2);
    assert_says(err_text, "No such file");
    write_file("note.txt", "x");
    assert_int_equal(run("{}", "encrypt", "-s", tg_test_path("note.txt"), "-k", tg_test_path("dek"), NULL), 2);
    assert_says(err_text, "ends in none of");
    write_file("broken.yaml", "openapi: [");
    assert_int_equal(run("{}", "encrypt", "-s", tg_test_path("broken.yaml"), "-k", tg_test_path("dek"), NULL), 2);
    assert_says(err_text, "broken.yaml:");
    assert_says(err_text, "no schema could be loaded");
    char longest[5000];
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    assert_int_equal(run("{}", "encrypt", "-s", longest, "-k", tg_test_path("dek"), NULL), 2);
    unlink(tg_test_path("note.txt"));
    unlink(tg_test_path("broken.yaml"));
}

static void inspect_tokens_and_others(void **state)
{
    (void)state;
    const char *hello = "v1.tugTagQOcSZuNg4j.ZEaG7tl5SRS6CpKlUf1elap2LBwy";
    assert_int_equal(run("", "token", "inspect", hello, NULL), 0);
    assert_string_equal(out_text, "version    v1\nnonce      tugTagQOcSZuNg4j (12 bytes)\nplaintext  5 bytes\n"
                                  "tag        16 bytes\ntoken      48 characters\n");
    assert_int_equal(run("", "token", "inspect", hello, "123-45-6789", NULL), 1);
    assert_null(strstr(out_text, "123-45"));
    assert_says(out_text, "text       11 characters\n");
    assert_int_equal(run("\"v1.YyEK7iZXYmNPo9uM.F7OUSZ5NEz2_ue3QS6Sgvw\"\n\nx", "token", "inspect", "--json", NULL), 1);
    assert_says(out_text, "[{\"is_token\":true,\"version\":1,\"nonce\":\"YyEK7iZXYmNPo9uM\",\"plaintext_bytes\":0,"
                          "\"tag_bytes\":16,\"token_bytes\":42},\n{\"is_token\":false,\"token_bytes\":1,\"reason\":");
    assert_int_equal(run("\n", "token", "inspect", NULL), 2);
}

static void lint_lists_paths_and_findings(void **state)
{
    (void)state;
    assert_int_equal(run("", "schema", "lint", tg_test_path("a.yaml"), NULL), 1);
    assert_says(out_text, "  /ssn  string  ");
    assert_says(out_text, "a.yaml:8\n");
    assert_says(out_text, "  /spouse/spouse  as below /spouse\n");
    assert_says(out_text, "a.yaml:11: warning: /email looks personal (email)");
    assert_says(out_text, "a.yaml:9: warning: /vip has about 2 values");
    assert_null(strstr(out_text, "note:"));
    assert_int_equal(run("", "schema", "lint", "--notes", tg_test_path("a.yaml"), NULL), 1);
    assert_says(out_text, "note: /city looks personal");
    assert_says(out_text, "note: /born a date has few values");
    assert_int_equal(run("", "schema", "lint", "--accept", "/email", "--accept", "/vip", tg_test_path("a.yaml"), NULL),
                     0);
    assert_int_equal(run("", "schema", "lint", "--json", tg_test_folder(), NULL), 1);
    assert_says(out_text, "\"num_schemas\":1,\"num_refused\":0,");
    assert_says(out_text, "{\"level\":\"warning\",\"kind\":\"small_domain\",\"path\":\"/vip\"");
    assert_says(out_text, "\"same_as\":\"/spouse\"");
}

static void lint_refused_and_unreadable_files(void **state)
{
    (void)state;
    write_file("broken.yaml", "openapi: 3.1.0\ncomponents:\n  schemas:\n    A: {x-pii: maybe}\n");
    assert_int_equal(run("", "schema", "lint", tg_test_path("broken.yaml"), NULL), 2);
    assert_says(out_text, "broken.yaml:4: refused: ");
    assert_int_equal(run("", "schema", "lint", "--json", tg_test_path("broken.yaml"), tg_test_path("a.yaml"), NULL), 2);
    assert_says(out_text, "\"refused\":[\n    {\"file\":\"broken.yaml\",\"line\":4,");
    unlink(tg_test_path("broken.yaml"));
    assert_int_equal(run("", "schema", "lint", tg_test_folder(), tg_test_path("a.yaml"), NULL), 2);
    assert_says(err_text, "is a folder");
    assert_int_equal(mkdir(tg_test_path("none"), 0700), 0);
    assert_int_equal(run("", "schema", "lint", tg_test_path("none"), NULL), 2);
    assert_says(err_text, "no OpenAPI document");
    assert_int_equal(run("", "schema", "diff", tg_test_path("a.yaml"), tg_test_path("none"), NULL), 2);
    assert_says(err_text, "holds no schema");
    rmdir(tg_test_path("none"));
}

static void diff_shows_each_kind_of_change(void **state)
{
    (void)state;
    assert_int_equal(run("", "schema", "diff", tg_test_path("a.yaml"), tg_test_path("a.yaml"), NULL), 0);
    assert_string_equal(out_text, "");
    write_file("b.yaml", "openapi: 3.1.0\ncomponents:\n  schemas:\n    Person:\n      type: object\n      properties:\n"
                         "        ssn: {type: integer, x-pii: true}\n        mail: {x-pii: true}\n");
    assert_int_equal(run("", "schema", "diff", tg_test_path("a.yaml"), tg_test_path("b.yaml"), NULL), 1);
    assert_says(out_text, "- b /vip");
    assert_says(out_text, "+ b /mail");
    assert_says(out_text, "~ b /ssn  string -> integer\n");
    assert_says(out_text, "a running enclave keeps the old graph");
    assert_int_equal(run("", "schema", "diff", "--json", tg_test_path("a.yaml"), tg_test_path("b.yaml"), NULL), 1);
    assert_says(out_text, "{\"change\":\"retyped\",\"schema\":\"b\",\"path\":\"/ssn\",\"old_types\":\"string\","
                          "\"new_types\":\"integer\"}");
    assert_int_equal(run("", "schema", "diff", tg_test_folder(), tg_test_path("b.yaml"), NULL), 1);
    assert_says(out_text, "- a (the whole schema)\n");
    assert_int_equal(run("", "schema", "diff", tg_test_path("a.yaml"), tg_test_path("absent.yaml"), NULL), 2);
    write_file("b.yaml", "openapi: [");
    assert_int_equal(run("", "schema", "diff", tg_test_path("a.yaml"), tg_test_path("b.yaml"), NULL), 2);
    assert_says(err_text, "part of it is refused");
    unlink(tg_test_path("b.yaml"));
}

static void generate_never_overwrites(void **state)
{
    (void)state;
    assert_int_equal(run("", "dek", "generate", NULL), 2);
    assert_int_equal(run("", "dek", "generate", "--out", tg_test_path("new"), NULL), 0);
    tg_buf key;
    tg_buf_init(&key, 100);
    assert_ok(tg_file_read(tg_test_path("new"), &key));
    assert_int_equal(tg_buf_len(&key), 32);
    tg_buf_done(&key);
    assert_int_equal(run("", "dek", "generate", "--out", tg_test_path("new"), NULL), 2);
    assert_says(err_text, "exists");
    unlink(tg_test_path("new"));
    assert_int_equal(run("", "dek", "generate", "--out", "/nonexistent/new", NULL), 2);
}

static void main_help_version_and_mistakes(void **state)
{
    (void)state;
    assert_int_equal(run("", "--version", NULL), 0);
    assert_string_equal(out_text, "teegate " TG_VERSION "\n");
    assert_int_equal(run("", "help", "schema", "lint", NULL), 0);
    assert_says(out_text, "usage: teegate schema lint [OPTION...] FILE...|FOLDER\n");
    assert_int_equal(run("", NULL), 2);
    assert_says(err_text, "a command is missing");
    assert_int_equal(run("", "encrpyt", NULL), 2);
    assert_says(err_text, "did you mean encrypt?\nusage: teegate COMMAND");
    static const char *const shells[] = {"bash", "zsh", "fish"};
    for (size_t i = 0; i < TG_COUNT(shells); i++) {
        assert_int_equal(run("", "completion", shells[i], NULL), 0);
        assert_says(out_text, "schema");
    }
}

static int write_to_full_device(void)
{
    const char *argv[] = {"teegate", "--version"};
    tg_console console = {.out_fd = open("/dev/full", O_WRONLY), .err_fd = open("/dev/null", O_WRONLY)};
    return tg_tool_main(2, argv, &console);
}

static void main_output_that_cannot_be_written_is_status_2(void **state)
{
    (void)state;
    assert_int_equal(tg_status_in_child(write_to_full_device), 2);
}

static void console_init_without_terminal_shows_no_colour(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    tg_console console;
    tg_console_init(&console);
    assert_int_equal(console.out_fd, STDOUT_FILENO);
    tg_buf buf;
    tg_buf_init(&buf, 100);
    assert_ok(tg_colour_append(&buf, false, TG_COLOUR_RED, "a"));
    assert_ok(tg_colour_append(&buf, true, TG_COLOUR_NONE, "b"));
    assert_ok(tg_colour_append(&buf, true, TG_COLOUR_GREEN, "c"));
    assert_slice(tg_buf_slice(&buf), "ab\033[32mc\033[0m");
    tg_buf_done(&buf);
    close(ends[0]);
    close(ends[1]);
}

static void progress_is_shown_after_a_while_and_taken_away(void **state)
{
    (void)state;
    tg_console console = {.err_fd = open_temporary(), .is_progress_shown = true};
    tg_progress progress;
    tg_progress_start(&progress, &console, "working");
    tg_progress_end(&progress); /* short work says nothing */
    tg_progress_start(&progress, &console, "working");
    usleep(600000);
    tg_progress_update(&progress, 3 << 20);
    usleep(300000);
    tg_progress_end(&progress);
    read_back(console.err_fd, err_text, sizeof err_text);
    assert_true(strncmp(err_text, "\rworking, ", 10) == 0);
    assert_says(err_text, "\rworking 3.0 MiB, ");
    assert_string_equal(err_text + strlen(err_text) - 4, "\r\033[K");
    console.is_progress_shown = false;
    tg_progress_start(&progress, &console, "working");
    tg_progress_end(&progress);
}

#ifdef TG_DEVELOPMENT
static const char fake_enclave[] = "#!/usr/bin/python3\n"
                                   "import os, signal, socket, sys\n"
                                   "if os.environ.get('SCHEMA_DIR') == 'bad': sys.exit(3)\n"
                                   "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
                                   "assert sys.argv[1:] == ['--local-mode'] and os.environ['DEK_FILE'] == 'key'\n"
                                   "host, port = os.environ['LISTEN_ADDRESS'][4:].split(':')\n"
                                   "server = socket.create_server((host, int(port)))\n"
                                   "while True: server.accept()[0].close()\n";

static int dev_ends[2]; /* what dev says goes through this pipe */
static const char *dev_schema_dir;
static char dev_port[8];

static int run_dev(void)
{
    const char *argv[] = {"teegate", "dev", "--port", dev_port, "--dek-file", "key", "--schema-dir", dev_schema_dir};
    size_t argc = dev_schema_dir != NULL ? TG_COUNT(argv) : TG_COUNT(argv) - 2;
    tg_console console = {.out_fd = dev_ends[1], .err_fd = open("/dev/null", O_WRONLY)};
    return tg_tool_main(argc, argv, &console);
}

/* Ends this process as Ctrl-C would, once the way in has been said. */
static void *end_when_ready(void *arg)
{
    char line[1024] = "";
    bool *is_right = arg;
    if (read(dev_ends[0], line, sizeof line - 1) > 0) {
        *is_right = strstr(line, "curl -k https://127.0.0.1:") != NULL && strstr(line, dev_port) != NULL;
    }
    kill(getpid(), SIGTERM);
    return NULL;
}

static int run_dev_until_ready(void)
{
    bool is_right = false;
    pthread_t thread;
    if (pipe(dev_ends) != 0 || pthread_create(&thread, NULL, end_when_ready, &is_right) != 0) {
        return 99;
    }
    int status = run_dev();
    pthread_join(thread, NULL);
    return is_right ? status : 98;
}

static void dev_runs_the_enclave_of_path_and_hands_signals_on(void **state)
{
    (void)state;
    write_file("teegate-enclave", fake_enclave);
    assert_int_equal(chmod(tg_test_path("teegate-enclave"), 0700), 0);
    char path[4096];
    snprintf(path, sizeof path, "%s:%s", tg_test_folder(), getenv("PATH"));
    setenv("PATH", path, 1);
    snprintf(dev_port, sizeof dev_port, "%d", 20000 + getpid() % 9000);
    dev_schema_dir = "bad";
    assert_int_equal(tg_status_in_child(run_dev), 2);
    dev_schema_dir = "good";
    assert_int_equal(tg_status_in_child(run_dev_until_ready), 7);
    dev_schema_dir = NULL;
    assert_int_equal(tg_status_in_child(run_dev_until_ready), 7);
    unlink(tg_test_path("teegate-enclave"));
    strcpy(dev_port, "x");
    assert_int_equal(run_dev(), 2);
}
#endif

static int start(void **state)
{
    int is_failed = tg_test_folder_set_up(state);
    write_file("a.yaml", schema_text);
    char key[33] = {0};
    memset(key, 0xAA, 32);
    write_file("dek", key);
    return is_failed;
}

/* A policy whose Decrypt asks for PCR0 of tests/vectors/nitro/doc-11.cbor, in upper case. */
static const char key_policy_text[] =
    "{\"Statement\":[{\"Sid\":\"e\",\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"arn:aws:iam::1:role/e\"},"
    "\"Action\":\"kms:Decrypt\",\"Condition\":{\"StringEquals\":{\"kms:RecipientAttestation:PCR0\":\"CBE1AFB6ED0FF89F"
    "10295AF0B802247EC5670DA8F886E71A4226373B032C322F4E42C9C98288E7211682B258684505A2\"}}}]}";
static const char refusal_text[] = "AccessDeniedException: User: arn:aws:iam::1:role/e is not authorized to perform: "
                                   "kms:Decrypt on resource: arn:k because";

static void kms_explain_names_the_condition_that_fails(void **state)
{
    (void)state;
    const char *policy = tg_test_path("policy.json"), *document = TG_TEST_VECTORS "/nitro/doc-11.cbor";
    write_file("policy.json", key_policy_text);
    write_file("refusal.txt", refusal_text);
    assert_int_equal(run("", "kms", "explain", "-p", policy, "-d", document, "-r", tg_test_path("refusal.txt"), NULL),
                     1);
    assert_says(out_text, "AccessDeniedException: KMS looked at");
    assert_says(out_text, "minutes old");
    assert_says(out_text, "FAILS  kms:RecipientAttestation:PCR0: StringEquals: the call has cbe1afb6");
    assert_says(out_text, "the same but for the letters' case");
    assert_says(out_text, "statement 1 e (Allow): it does not apply");
    assert_says(out_text, "verdict: not_allowed");
    assert_says(out_text, "case_matters: statement 1 e: ");
    assert_says(out_text, "encrypt_not_denied: kms:Encrypt is denied to nobody");
    assert_int_equal(run(key_policy_text, "kms", "explain", "-p", "-", "-d", document, "-r",
                         tg_test_path("refusal.txt"), "--context", "a=b", "--json", NULL),
                     1);
    assert_says(out_text, "\"refusal\":{\"code\":\"AccessDeniedException\"");
    assert_says(out_text, "\"verdict\":\"not_allowed\"");
    assert_says(out_text, "\"rule\":\"create_grant_not_denied\"");
}

static void kms_explain_allowed_and_guarded_is_clean(void **state)
{
    (void)state;
    write_file("policy.json", "{\"Statement\":[{\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":[\"kms:Encrypt\","
                              "\"kms:ReEncrypt*\",\"kms:CreateGrant\"]},{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":"
                              "\"arn:aws:iam::1:role/o\"},\"Action\":\"kms:DescribeKey\"}]}");
    assert_int_equal(run("", "kms", "explain", "-p", tg_test_path("policy.json"), NULL), 0);
    assert_string_equal(out_text, "the policy has the guards it needs\n");
    assert_int_equal(run("", "kms", "explain", "-p", tg_test_path("policy.json"), "--action", "kms:DescribeKey",
                         "--principal", "arn:aws:iam::1:role/o", NULL),
                     0);
    assert_says(out_text, "verdict: allowed");
    assert_int_equal(run(refusal_text, "kms", "explain", "-r", "-", NULL), 1);
    assert_says(out_text, "--policy FILE");
}

static void kms_explain_what_cannot_be_read_is_said(void **state)
{
    (void)state;
    write_file("policy.json", "{}");
    assert_int_equal(run("", "kms", "explain", NULL), 2);
    assert_says(err_text, "--policy FILE or --refusal FILE is missing");
    assert_int_equal(run("", "kms", "explain", "-p", tg_test_path("policy.json"), NULL), 2);
    assert_says(err_text, "policy.json: no key policy");
    assert_int_equal(run("", "kms", "explain", "-p", tg_test_path("absent"), NULL), 2);
    assert_int_equal(run("fine", "kms", "explain", "-r", "-", NULL), 2);
    assert_says(err_text, "no error code");
    write_file("policy.json", key_policy_text);
    assert_int_equal(run("AAAA", "kms", "explain", "-p", tg_test_path("policy.json"), "-d", "-", NULL), 2);
    assert_says(err_text, "document: ");
    assert_int_equal(run("", "kms", "explain", "-p", tg_test_path("policy.json"), "--context", "a", NULL), 2);
    assert_says(err_text, "NAME=VALUE");
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(encrypt_known_answer_comes_out_and_back),
        cmocka_unit_test(encrypt_lines_each_by_itself_and_back),
        cmocka_unit_test(encrypt_component_and_folder_choose_the_root),
        cmocka_unit_test(encrypt_what_is_missing_is_said),
        cmocka_unit_test(inspect_tokens_and_others),
        cmocka_unit_test(lint_lists_paths_and_findings),
        cmocka_unit_test(lint_refused_and_unreadable_files),
        cmocka_unit_test(diff_shows_each_kind_of_change),
        cmocka_unit_test(generate_never_overwrites),
        cmocka_unit_test(main_help_version_and_mistakes),
        cmocka_unit_test(main_output_that_cannot_be_written_is_status_2),
        cmocka_unit_test(console_init_without_terminal_shows_no_colour),
        cmocka_unit_test(kms_explain_names_the_condition_that_fails),
        cmocka_unit_test(kms_explain_allowed_and_guarded_is_clean),
        cmocka_unit_test(kms_explain_what_cannot_be_read_is_said),
        cmocka_unit_test(progress_is_shown_after_a_while_and_taken_away),
#ifdef TG_DEVELOPMENT
        cmocka_unit_test(dev_runs_the_enclave_of_path_and_hands_signals_on),
#endif
    };
    return cmocka_run_group_tests(cases, start, tg_test_folder_tear_down);
}
