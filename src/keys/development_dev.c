#include "keys/development_dev.h"

#include "keys/file_source.h"
#include "sys/clock.h"
#include "sys/file.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

tg_result tg_key_random_dev(tg_key_ring **out_ring)
{
    tg_ring_entry entry = {.id = TG_LIT("development"), .state = TG_KEY_CURRENT};
    TG_TRY(tg_secret_random(TG_DEK_BYTES, &entry.key));
    tg_result made = tg_key_ring_new(&entry, 1, tg_clock_unix_ms(), out_ring, NULL);
    tg_secret_free(entry.key);
    return made;
}

static tg_result make_file(const char *path)
{
    tg_secret *key = NULL;
    TG_TRY(tg_secret_random(TG_DEK_BYTES, &key));
    tg_result made = tg_file_write_new(path, 0600, tg_slice_of(tg_secret_bytes(key), TG_DEK_BYTES));
    tg_secret_free(key);
    return made.code == TG_ERR_EXISTS ? tg_ok() : made; /* another process was faster: its key serves */
}

tg_result tg_key_kept_dev(const char *folder, tg_key_ring **out_ring, tg_detail *out_detail)
{
    char path[PATH_MAX];
    if ((size_t)snprintf(path, sizeof path, "%s/dek", folder) >= sizeof path) {
        tg_detail_set_reason(out_detail, "the folder's path is too long");
        return tg_fail(TG_ERR_LIMIT);
    }
    if (access(path, F_OK) != 0) {
        tg_result made = make_file(path);
        if (!tg_is_ok(made)) {
            tg_detail_set_place(out_detail, tg_slice_str(path), 0, (tg_slice){NULL, 0});
            tg_detail_set_reason(out_detail, "the development key cannot be kept there");
            tg_detail_set_remedy(out_detail, "make the folder, writable for this user");
            return made;
        }
    }
    return tg_key_file_read(path, out_ring, out_detail);
}
