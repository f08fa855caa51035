#include "keys/random_source_dev.h"

#include "sys/clock.h"

tg_result tg_key_random_dev(tg_key_ring **out_ring)
{
    tg_ring_entry entry = {.id = TG_LIT("development"), .state = TG_KEY_CURRENT};
    TG_TRY(tg_secret_random(TG_DEK_BYTES, &entry.key));
    tg_result made = tg_key_ring_new(&entry, 1, tg_clock_unix_ms(), out_ring, NULL);
    tg_secret_free(entry.key);
    return made;
}
