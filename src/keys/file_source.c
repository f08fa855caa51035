#include "keys/file_source.h"

#include "base/encode.h"
#include "sys/clock.h"
#include "sys/file.h"

#include <errno.h>

enum { BASE64_LEN = 44, MAX_FILE_BYTES = BASE64_LEN + 2 };

static tg_result refuse(tg_detail *detail, const char *path, tg_result why, const char *reason, const char *remedy)
{
    tg_detail_set_place(detail, tg_slice_str(path), 0, tg_slice_of(NULL, 0));
    tg_detail_set_reason(detail, "%s", reason);
    tg_detail_set_remedy(detail, "%s", remedy);
    return why;
}

static tg_result decode(tg_slice content, uint8_t key[TG_DEK_BYTES])
{
    if (content.len == TG_DEK_BYTES) {
        memcpy(key, content.ptr, TG_DEK_BYTES);
        return tg_ok();
    }
    tg_slice text = tg_slice_trim(content, "\r\n");
    uint8_t decoded[BASE64_LEN];
    size_t len = 0;
    if (text.len != BASE64_LEN || !tg_is_ok(tg_base64_decode(TG_BASE64_PADDED, text, decoded, &len)) ||
        len != TG_DEK_BYTES) {
        tg_wipe(decoded, sizeof decoded);
        return tg_fail(TG_ERR_SYNTAX);
    }
    memcpy(key, decoded, TG_DEK_BYTES);
    tg_wipe(decoded, sizeof decoded);
    return tg_ok();
}

static tg_result ring_of(tg_slice content, tg_key_ring **out_ring, tg_detail *detail)
{
    tg_ring_entry entry = {.id = TG_LIT("file"), .state = TG_KEY_CURRENT};
    TG_TRY(tg_secret_new(TG_DEK_BYTES, &entry.key));
    tg_result made = decode(content, tg_secret_fill(entry.key));
    if (tg_is_ok(made)) {
        made = tg_key_ring_new(&entry, 1, tg_clock_unix_ms(), out_ring, detail);
    }
    tg_secret_free(entry.key);
    return made;
}

tg_result tg_key_file_read(const char *path, tg_key_ring **out_ring, tg_detail *out_detail)
{
    static const char remedy[] = "make one with `teegate dek generate --out FILE`";
    tg_buf content;
    tg_buf_init_wiped(&content, MAX_FILE_BYTES);
    tg_result done = tg_file_read_regular(path, &content);
    if (tg_is_ok(done)) {
        done = ring_of(tg_buf_slice(&content), out_ring, out_detail);
    }
    tg_buf_done(&content);
    if (done.os_error == ENOENT) {
        return refuse(out_detail, path, tg_fail(TG_ERR_NOT_FOUND), "no such file", remedy);
    }
    if (done.code == TG_ERR_UNSUPPORTED) {
        return refuse(out_detail, path, done, "not a regular file", "name a file of 32 bytes");
    }
    if (done.code == TG_ERR_SYNTAX || done.code == TG_ERR_LIMIT) {
        return refuse(out_detail, path, tg_fail(TG_ERR_SYNTAX), "holds neither 32 bytes nor the base64 of 32 bytes",
                      remedy);
    }
    if (!tg_is_ok(done)) {
        return refuse(out_detail, path, done, "cannot be read into locked memory",
                      "let this user read it, and raise RLIMIT_MEMLOCK (ulimit -l)");
    }
    return done;
}
