#include "crypto/init.h"
#include "fields/ndjson.h"
#include "keys/file_source.h"
#include "sys/file.h"
#include "tool/commands.h"
#include "tool/schema_input.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* encrypt and decrypt: one document from standard input to standard output, whole or not at all; or with --ndjson one
 * line after the other. */

#define MAX_DOCUMENT_BYTES ((size_t)1 << 30)
#define MAX_ARENA_BYTES    ((size_t)4 << 30)
enum { STEP_BYTES = 1 << 20, PIECE_BYTES = 1 << 16, MAX_LINE_BYTES = 1 << 26 };

#define SCHEMA_OPTIONS                                                                                                 \
    {.name = "schema",                                                                                                 \
     .letter = 's',                                                                                                    \
     .argument = "FILE[#COMPONENT]",                                                                                   \
     .completes = TG_COMPLETES_FILES,                                                                                  \
     .help = "the OpenAPI file; with --schema-dir a name below it"},                                                   \
        {.name = "schema-dir",                                                                                         \
         .argument = "FOLDER",                                                                                         \
         .completes = TG_COMPLETES_FOLDERS,                                                                            \
         .help = "where --schema is looked up (needed where files refer to "                                           \
                 "others)"},                                                                                           \
        {.name = "dek-file",                                                                                           \
         .letter = 'k',                                                                                                \
         .argument = "FILE",                                                                                           \
         .completes = TG_COMPLETES_FILES,                                                                              \
         .help = "the data key: 32 bytes, or their base64"},                                                           \
    {                                                                                                                  \
        .name = "ndjson", .help = "a document a line; one that is refused becomes {\"error\":...} in its place"        \
    }

static const tg_option encrypt_options[] = {SCHEMA_OPTIONS};
static const tg_option decrypt_options[] = {
    SCHEMA_OPTIONS, {.name = "lenient", .help = "let values pass that are no tokens, instead of refusing"}};

/* FILE#COMPONENT is cut at the last `#`, unless a file of the whole name
 * exists. */
static const char *cut_component(char *path)
{
    struct stat status;
    char *mark = strrchr(path, '#');
    if (mark == NULL || stat(path, &status) == 0) {
        return NULL;
    }
    *mark = 0;
    return mark + 1;
}

static int load_root(const tg_invocation *invocation, tg_schema_input *input, tg_pii_root *out_root,
                     tg_console *console)
{
    const char *schema = tg_invocation_value(invocation, "schema");
    const char *folder = tg_invocation_value(invocation, "schema-dir");
    if (schema == NULL) {
        return tg_console_fail_text(console, "--schema FILE[#COMPONENT] is missing");
    }
    char path[4096];
    if ((size_t)snprintf(path, sizeof path, "%s", schema) >= sizeof path) {
        return tg_console_fail_text(console, "--schema is longer than a path may be");
    }
    const char *component = folder == NULL ? cut_component(path) : NULL;
    const char *const loaded = folder != NULL ? folder : path;
    int status = tg_schema_input_load(input, &loaded, 1, false, console);
    if (status == TG_EXIT_OK) {
        status = tg_schema_input_find(input, folder != NULL ? schema : NULL, component, out_root, console);
        if (status != TG_EXIT_OK) {
            tg_schema_input_say_faults(input, console);
        }
    }
    return status;
}

static int load_keys(const tg_invocation *invocation, tg_field_keys **out_keys, tg_console *console)
{
    const char *path = tg_invocation_value(invocation, "dek-file");
    if (path == NULL) {
        return tg_console_fail_text(console, "--dek-file FILE is missing (`teegate dek generate` makes one)");
    }
    tg_result result = tg_crypto_init(1);
    if (!tg_is_ok(result)) {
        return tg_console_fail_result(console, "the ciphers cannot be used", result);
    }
    tg_key_ring *ring = NULL;
    tg_detail detail = {0};
    if (!tg_is_ok(tg_key_file_read(path, &ring, &detail))) {
        return tg_console_fail(console, &detail);
    }
    const tg_ring_entry *entry = tg_key_ring_at(ring, 0);
    const tg_field_key key = {entry->id, entry->key, true};
    result = tg_field_keys_new(&key, 1, out_keys);
    tg_key_ring_unref(ring);
    return tg_is_ok(result) ? TG_EXIT_OK : tg_console_fail_result(console, "the data key cannot be used", result);
}

static void show_read(size_t num_bytes, void *owner)
{
    tg_progress_update(owner, num_bytes);
}

static int read_document(tg_buf *body, tg_console *console)
{
    tg_progress progress;
    tg_progress_start(&progress, console, "reading");
    tg_result result = tg_file_read_fd(console->in_fd, body, show_read, &progress);
    tg_progress_end(&progress);
    if (result.code == TG_ERR_LIMIT) {
        return tg_console_fail_text(console, "the document is longer than %zu bytes", MAX_DOCUMENT_BYTES);
    }
    return tg_is_ok(result) ? TG_EXIT_OK : tg_console_fail_result(console, "standard input cannot be read", result);
}

/* Member names of the pointer are the document's: the detail escapes them. */
static int say_refused(const tg_fault *fault, tg_console *console)
{
    tg_detail detail = {0};
    if (fault->has_pointer) {
        tg_detail_set_place(&detail, (tg_slice){NULL, 0}, 0,
                            fault->pointer[0] != 0 ? tg_slice_str(fault->pointer) : TG_LIT("(the whole document)"));
    }
    tg_detail_set_reason(&detail, "%s: %s (byte %zu)", tg_fault_name(fault->kind), fault->message, fault->offset);
    tg_console_fail(console, &detail);
    return TG_EXIT_FINDINGS;
}

static tg_result rewrite_all(tg_rewrite *rewrite, tg_field_keys *keys, tg_buf *out, tg_progress *progress)
{
    uint64_t done = 0;
    tg_result result;
    while ((result = tg_rewrite_plan(rewrite, STEP_BYTES)).code == TG_ERR_AGAIN) {
        tg_progress_update(progress, done += STEP_BYTES / 2); /* each byte is looked at twice */
    }
    TG_TRY(result);
    while ((result = tg_rewrite_apply(rewrite, keys, STEP_BYTES, out)).code == TG_ERR_AGAIN) {
        tg_progress_update(progress, done += STEP_BYTES / 2);
    }
    return result;
}

static int rewrite_document(const tg_rewrite_options *options, tg_field_keys *keys, tg_slice body, tg_buf *out,
                            tg_console *console)
{
    tg_arena arena;
    tg_arena_init(&arena, MAX_ARENA_BYTES, true);
    tg_rewrite *rewrite = NULL;
    tg_result result = tg_rewrite_new(&arena, options, body, &rewrite);
    int status;
    if (tg_is_ok(result)) {
        tg_progress progress;
        tg_progress_start(&progress, console, options->mode == TG_REWRITE_ENCRYPT ? "encrypting" : "decrypting");
        result = rewrite_all(rewrite, keys, out, &progress);
        tg_progress_end(&progress);
        const tg_fault *fault = tg_rewrite_fault(rewrite);
        status = tg_is_ok(result) ? TG_EXIT_OK
                 : fault->kind == TG_FAULT_NONE
                     ? tg_console_fail_result(console, "the document cannot be rewritten", result)
                     : say_refused(fault, console);
    } else {
        status = tg_console_fail_result(console, "the document cannot be rewritten", result);
    }
    tg_arena_done(&arena);
    return status;
}

static int rewrite_input(const tg_rewrite_options *options, tg_field_keys *keys, tg_console *console)
{
    tg_buf body, out;
    tg_buf_init_wiped(&body, MAX_DOCUMENT_BYTES);
    tg_buf_init_wiped(&out, SIZE_MAX / 2);
    int status = read_document(&body, console);
    if (status == TG_EXIT_OK) {
        status = rewrite_document(options, keys, tg_buf_slice(&body), &out, console);
    }
    if (status == TG_EXIT_OK) {
        status = tg_console_write(console, tg_buf_slice(&out));
    }
    tg_buf_done(&body);
    tg_buf_done(&out);
    return status;
}

static int say_refused_lines(const tg_ndjson *ndjson, tg_console *console)
{
    if (ndjson->num_refused == 0) {
        return TG_EXIT_OK;
    }
    (void)tg_console_fail_text(console, "%" PRIu64 " of %" PRIu64 " lines are refused", ndjson->num_refused,
                               ndjson->num_lines);
    return TG_EXIT_FINDINGS;
}

/* Rewrites what has been fed, and writes what comes of it. */
static int write_lines(tg_ndjson *ndjson, tg_field_keys *keys, tg_buf *out, tg_console *console)
{
    tg_result result;
    do {
        result = tg_ndjson_step(ndjson, keys, SIZE_MAX, out);
        if (!tg_is_ok(result) && result.code != TG_ERR_AGAIN) {
            return tg_console_fail_result(console, "the lines cannot be rewritten", result);
        }
        int status = tg_console_write(console, tg_buf_slice(out));
        if (status != TG_EXIT_OK) {
            return status;
        }
        tg_buf_clear(out);
    } while (!tg_is_ok(result));
    return TG_EXIT_OK;
}

/* Reads a piece, rewrites its lines and writes them before the next is read: memory holds a piece and a line. */
static int rewrite_lines(tg_ndjson *ndjson, tg_field_keys *keys, tg_buf *piece, tg_buf *out, tg_console *console)
{
    uint8_t *at;
    tg_result result = tg_buf_reserve(piece, PIECE_BYTES, &at);
    if (!tg_is_ok(result)) {
        return tg_console_fail_result(console, "the lines cannot be rewritten", result);
    }
    for (;;) {
        ssize_t len = read(console->in_fd, at, PIECE_BYTES);
        if (len < 0 && errno == EINTR) {
            continue;
        }
        if (len < 0) {
            return tg_console_fail_result(console, "standard input cannot be read", tg_fail_os(errno));
        }
        if (len > 0) {
            tg_ndjson_feed(ndjson, tg_slice_of(at, (size_t)len));
        } else {
            tg_ndjson_end(ndjson);
        }
        int status = write_lines(ndjson, keys, out, console);
        if (status != TG_EXIT_OK || len == 0) {
            return status != TG_EXIT_OK ? status : say_refused_lines(ndjson, console);
        }
    }
}

static int rewrite_stream(const tg_rewrite_options *options, tg_field_keys *keys, tg_console *console)
{
    tg_ndjson ndjson;
    tg_buf piece, out;
    tg_ndjson_init(&ndjson, &(tg_ndjson_options){.rewrite = *options, .max_line_bytes = MAX_LINE_BYTES});
    tg_buf_init_wiped(&piece, PIECE_BYTES);
    tg_buf_init_wiped(&out, SIZE_MAX / 2);
    int status = rewrite_lines(&ndjson, keys, &piece, &out, console);
    tg_ndjson_done(&ndjson);
    tg_buf_done(&piece);
    tg_buf_done(&out);
    return status;
}

static int run(const tg_invocation *invocation, tg_console *console)
{
    bool is_decrypt = tg_invocation_command(invocation) == &tg_decrypt_command;
    tg_rewrite_options options = {.mode = is_decrypt ? TG_REWRITE_DECRYPT : TG_REWRITE_ENCRYPT,
                                  .is_lenient = tg_invocation_has(invocation, "lenient"),
                                  .max_fields = SIZE_MAX};
    tg_schema_input input = {.set = NULL};
    tg_field_keys *keys = NULL;
    int status = load_root(invocation, &input, &options.root, console);
    if (status == TG_EXIT_OK) {
        status = load_keys(invocation, &keys, console);
    }
    if (status == TG_EXIT_OK) {
        status = tg_invocation_has(invocation, "ndjson") ? rewrite_stream(&options, keys, console)
                                                         : rewrite_input(&options, keys, console);
    }
    tg_field_keys_free(keys);
    tg_schema_input_done(&input);
    return status;
}

const tg_command tg_encrypt_command = {
    .name = "encrypt",
    .summary = "Seal the personal values of a JSON document.",
    .description = "Reads one JSON document from standard input and writes it "
                   "with a token in place of each value at an\n"
                   "x-pii place of the schema; every other byte stays. Nothing "
                   "is written unless all of it succeeds.\n"
                   "Exit status 1: the document is refused; with --ndjson, some line is: the others are written.",
    .options = encrypt_options,
    .num_options = TG_COUNT(encrypt_options),
    .examples = "  teegate encrypt -s payments.yaml -k dev.dek < payment.json\n"
                "  teegate encrypt --schema-dir schemas -s "
                "'bank/transfers#Party' -k dev.dek < party.json\n"
                "  teegate encrypt --ndjson -s payments.yaml -k dev.dek < rows.ndjson > sealed.ndjson",
    .run = run,
};

const tg_command tg_decrypt_command = {
    .name = "decrypt",
    .summary = "Open the tokens of a JSON document.",
    .description = "Reads one JSON document from standard input and writes it with each "
                   "token at an x-pii place of the schema\n"
                   "replaced by what it was made of; every other byte stays. Nothing is "
                   "written unless all of it succeeds.\n"
                   "Exit status 1: the document, or one of its tokens, is refused; with --ndjson, some line is: the "
                   "others are written.",
    .options = decrypt_options,
    .num_options = TG_COUNT(decrypt_options),
    .examples = "  teegate decrypt -s payments.yaml -k dev.dek < sealed.json",
    .run = run,
};
