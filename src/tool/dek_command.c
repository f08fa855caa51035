#include "sys/file.h"
#include "sys/secret.h"
#include "tool/commands.h"
#include "tool/dek_aws_command.h"

enum { DEK_BYTES = 32 };

static const tg_option generate_options[] = {{
    .name = "out",
    .letter = 'o',
    .argument = "FILE",
    .completes = TG_COMPLETES_FILES,
    .help = "the file to make (mode 0600); it must not exist",
}};

static int generate(const tg_invocation *invocation, tg_console *console)
{
    const char *path = tg_invocation_value(invocation, "out");
    if (path == NULL) {
        return tg_console_fail_text(console, "--out FILE is missing: a key is not written to a terminal or a pipe");
    }
    tg_secret *key;
    tg_result result = tg_secret_random(DEK_BYTES, &key);
    if (!tg_is_ok(result)) {
        return tg_console_fail_result(console, "no key could be made", result);
    }
    result = tg_file_write_new(path, 0600, tg_slice_of(tg_secret_bytes(key), tg_secret_len(key)));
    tg_secret_free(key);
    if (result.code == TG_ERR_EXISTS) {
        return tg_console_fail_text(console, "%.150s exists: an old key is never overwritten", path);
    }
    return tg_is_ok(result) ? TG_EXIT_OK : tg_console_fail_result(console, path, result);
}

static const tg_command generate_command = {
    .name = "generate",
    .summary = "Make a file of 32 random bytes.",
    .description = "For local mode and tests. In production the key comes from KMS to an attested enclave, and no\n"
                   "person or disk ever holds it.",
    .options = generate_options,
    .num_options = TG_COUNT(generate_options),
    .examples = "  teegate dek generate --out dev.dek",
    .run = generate,
};

static const tg_command *const commands[] = {&generate_command, &tg_dek_create_command, &tg_dek_rotate_command,
                                             &tg_dek_pin_command};

const tg_command tg_dek_command = {
    .name = "dek",
    .summary = "Make data keys: by KMS for enclaves, or a file for development.",
    .commands = commands,
    .num_commands = TG_COUNT(commands),
};
