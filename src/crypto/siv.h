/* AES-256-GCM-SIV (RFC 8452), behind a table of functions so that implementations can stand side by side. */
#ifndef TG_CRYPTO_SIV_H
#define TG_CRYPTO_SIV_H

#include "base/result.h"
#include "base/slice.h"
#include "sys/secret.h"

enum { TG_SIV_KEY_BYTES = 32, TG_SIV_NONCE_BYTES = 12, TG_SIV_TAG_BYTES = 16 };
#define TG_SIV_MAX_BYTES (UINT64_C(1) << 36) /* of a plaintext, and of an AAD (RFC 8452 §6) */

/* One value to seal. `out` takes plaintext.len + TG_SIV_TAG_BYTES bytes, ciphertext and then tag; it may begin where
 * the plaintext begins (in place) and overlaps nothing else. */
typedef struct tg_siv_job {
    const uint8_t *nonce; /* TG_SIV_NONCE_BYTES */
    tg_slice aad;
    tg_slice plaintext;
    uint8_t *out;
} tg_siv_job;

/* One value to open, which was sealed with one of several AADs. */
typedef struct tg_siv_sealed {
    const uint8_t *nonce; /* TG_SIV_NONCE_BYTES */
    const tg_slice *aads;
    size_t num_aads; /* at least 1 */
    tg_slice bytes;  /* ciphertext and then tag */
} tg_siv_sealed;

typedef struct tg_siv tg_siv;

/* What an implementation provides; the functions below say what each does, and check the lengths. Nothing of keys or
 * plaintext is left on the stack. */
typedef struct tg_siv_ops {
    const char *name;
    tg_result (*create)(const tg_secret *key, tg_siv **out_siv);
    tg_result (*seal)(tg_siv *siv, const tg_siv_job *jobs, size_t num_jobs);
    tg_result (*open)(tg_siv *siv, const tg_siv_sealed *sealed, uint8_t *out, size_t *out_which);
    void (*destroy)(tg_siv *siv);
} tg_siv_ops;

/* An implementation's state begins with this. */
struct tg_siv {
    const tg_siv_ops *ops;
};

extern const tg_siv_ops tg_siv_gcrypt; /* everywhere */
extern const tg_siv_ops tg_siv_aesni;  /* x86-64, level avx2 */
extern const tg_siv_ops tg_siv_vaes;   /* x86-64, level avx512: several short values at once */

/* tg_siv_chosen is the implementation that tg_siv_new uses: the fastest of the processor's level (base/cpu.h). */
const tg_siv_ops *tg_siv_chosen(void);

/* tg_siv_new makes a cipher of one key. tg_siv_new_by does so with the implementation named.
 * key   TG_SIV_KEY_BYTES long; not kept: the cipher holds its own copy in locked memory, wiped when it is freed
 * err   TG_ERR_RANGE: another key length; TG_ERR_MEMORY: locked memory is used up; TG_ERR_UNSUPPORTED
 * thread  a cipher has state and belongs to one thread at a time
 */
TG_MUST_USE tg_result tg_siv_new(const tg_secret *key, tg_siv **out_siv);
TG_MUST_USE tg_result tg_siv_new_by(const tg_siv_ops *ops, const tg_secret *key, tg_siv **out_siv);
void tg_siv_free(tg_siv *siv);

/* tg_siv_seal seals num_jobs values, each with its own nonce and AAD; several at once where the implementation can.
 * err   TG_ERR_RANGE: one is longer than TG_SIV_MAX_BYTES, and nothing was sealed; TG_ERR_LIBRARY: the outputs hold
 *       nothing of use
 */
TG_MUST_USE tg_result tg_siv_seal(tg_siv *siv, const tg_siv_job *jobs, size_t num_jobs);

/* tg_siv_open_any checks the tag with each AAD in turn and decrypts.
 * out     sealed->bytes.len - TG_SIV_TAG_BYTES bytes, not overlapping what is read. Zeroed where no tag verifies
 * out_which  the number of the AAD with which it verified
 * err     TG_ERR_AUTH: it verifies with none; TG_ERR_TRUNCATED: shorter than a tag; TG_ERR_RANGE: longer than
 *         TG_SIV_MAX_BYTES and a tag, or an AAD is longer than the former; TG_ERR_LIBRARY
 */
TG_FOREIGN TG_MUST_USE tg_result tg_siv_open_any(tg_siv *siv, const tg_siv_sealed *sealed, uint8_t *out,
                                                 size_t *out_which);

/* tg_siv_open does so with one AAD.
 * nonce   TG_SIV_NONCE_BYTES
 * sealed  ciphertext and then tag
 * out     as above, but it may begin where `sealed` begins
 * err     as above
 */
TG_FOREIGN TG_MUST_USE static inline tg_result tg_siv_open(tg_siv *siv, const uint8_t *nonce, tg_slice aad,
                                                           tg_slice sealed, uint8_t *out)
{
    size_t which;
    tg_siv_sealed one = {nonce, &aad, 1, sealed};
    return tg_siv_open_any(siv, &one, out, &which);
}

#endif
