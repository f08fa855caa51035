/* HMAC-SHA256 (RFC 2104, FIPS 180-4) with the key's state kept, so that a message costs its own blocks only; behind a
 * table of functions so that implementations can stand side by side. */
#ifndef TG_CRYPTO_HMAC_H
#define TG_CRYPTO_HMAC_H

#include "base/result.h"
#include "base/slice.h"

enum { TG_HMAC_BYTES = 32 };

typedef struct tg_hmac tg_hmac;

/* One message: the MAC is of the prefix and then the text. */
typedef struct tg_hmac_job {
    tg_slice prefix;
    tg_slice text;
    uint8_t *out_mac; /* TG_HMAC_BYTES */
} tg_hmac_job;

/* What an implementation provides; the functions below say what each does. */
typedef struct tg_hmac_ops {
    const char *name;
    tg_result (*create)(tg_slice key, tg_hmac **out_hmac);
    void (*compute)(tg_hmac *hmac, const tg_slice *parts, size_t num_parts, uint8_t out_mac[TG_HMAC_BYTES]);
    void (*compute_many)(tg_hmac *hmac, const tg_hmac_job *jobs, size_t num_jobs);
    void (*destroy)(tg_hmac *hmac);
} tg_hmac_ops;

/* An implementation's state begins with this. */
struct tg_hmac {
    const tg_hmac_ops *ops;
};

extern const tg_hmac_ops tg_hmac_gcrypt; /* everywhere */
extern const tg_hmac_ops tg_hmac_sha;    /* x86-64 with SHA instructions */

/* tg_hmac_chosen is the implementation that tg_hmac_new uses: the fastest of this processor (base/cpu.h). */
const tg_hmac_ops *tg_hmac_chosen(void);

/* tg_hmac_new makes the MAC of one key. tg_hmac_new_by does so with the implementation named.
 * key   of any length, empty too; not kept: the state stands in locked memory and is wiped when freed
 * err   TG_ERR_MEMORY
 * thread  it has state and belongs to one thread at a time
 */
TG_MUST_USE tg_result tg_hmac_new(tg_slice key, tg_hmac **out_hmac);
TG_MUST_USE tg_result tg_hmac_new_by(const tg_hmac_ops *ops, tg_slice key, tg_hmac **out_hmac);
void tg_hmac_free(tg_hmac *hmac);

/* tg_hmac_compute writes the MAC of the parts, one behind the other; out_mac may be one of them. It cannot fail. */
static inline void tg_hmac_compute(tg_hmac *hmac, const tg_slice *parts, size_t num_parts,
                                   uint8_t out_mac[TG_HMAC_BYTES])
{
    hmac->ops->compute(hmac, parts, num_parts, out_mac);
}

/* tg_hmac_compute_many writes the MACs of several messages, two at once where the implementation can; no out_mac
 * overlaps a message. It cannot fail. */
static inline void tg_hmac_compute_many(tg_hmac *hmac, const tg_hmac_job *jobs, size_t num_jobs)
{
    hmac->ops->compute_many(hmac, jobs, num_jobs);
}

#endif
