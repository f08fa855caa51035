#include "tool/attest_verify.h"
#include "tool/dek_aws_command.h"

#include <jansson.h>

enum { MAX_OUTPUT_BYTES = 65536 };

/* `DEK_FINGERPRINTS=A,B`: as the setting is written. */
static tg_result append_fingerprints(tg_slice manifest, tg_buf *out)
{
    size_t i = 0;
    json_t *dek = NULL;
    json_t *tree = json_loadb((const char *)manifest.ptr, manifest.len, 0, NULL);
    tg_result put = tg_buf_append_str(out, "DEK_FINGERPRINTS=");
    json_array_foreach(json_object_get(tree, "deks"), i, dek)
    {
        const char *fingerprint = json_string_value(json_object_get(dek, "fingerprint"));
        put =
            tg_is_ok(put) ? tg_buf_printf(out, "%s%s", i > 0 ? "," : "", fingerprint != NULL ? fingerprint : "") : put;
    }
    bool is_any = json_array_size(json_object_get(tree, "deks")) > 0;
    json_decref(tree);
    TG_TRY(put);
    return is_any ? tg_buf_append_byte(out, '\n') : tg_fail(TG_ERR_NOT_FOUND);
}

static int run(const tg_invocation *invocation, tg_console *console)
{
    tg_attest_answer answer;
    tg_buf out;
    tg_buf_init(&out, MAX_OUTPUT_BYTES);
    int status = tg_attest_load(invocation, invocation->arguments[0], console, &answer);
    if (status == TG_EXIT_OK) {
        status = tg_attest_demand(invocation, &answer, false, console);
    }
    if (status == TG_EXIT_OK) {
        tg_result put = append_fingerprints(tg_buf_slice(&answer.manifest), &out);
        status = tg_is_ok(put) ? tg_console_write(console, tg_buf_slice(&out))
                               : tg_console_fail_text(console, "no data key is in force there");
    }
    tg_buf_done(&out);
    tg_attest_answer_done(&answer);
    return status;
}

static const tg_option options[] = {TG_ATTEST_OPTIONS, TG_ATTEST_FILE_OPTIONS, TG_FETCH_OPTIONS};

const tg_command tg_dek_pin_command = {
    .name = "pin",
    .summary = "Say which data keys a verified enclave has, to pin them.",
    .description =
        "Verifies as `teegate attest verify` does, with the same options, and prints DEK_FINGERPRINTS for the next\n"
        "image: it then takes no other key, whoever put it into the secret.",
    .arguments = "URL|FILE",
    .min_arguments = 1,
    .max_arguments = 1,
    .completes = TG_COMPLETES_FILES,
    .options = options,
    .num_options = TG_COUNT(options),
    .examples = "  teegate dek pin https://tee-k.example.org --policy policy.json",
    .run = run,
};
