#include "crypto/init.h"

#include "crypto/gcrypt_result.h"
#include "crypto/hmac.h"
#include "crypto/openssl_heap.h"
#include "crypto/siv.h"
#include "sys/log.h"
#include "sys/secret.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <unistd.h>

/* A cipher takes at most 2.6 KiB of locked memory, a MAC state 1.2 KiB (measured with libgcrypt 1.10.1); two rings
 * of 8. */
enum { WORKER_BYTES = 49152, MAX_WORKERS = 1024 };

/* Only the format is logged: it is libgcrypt's own literal, while the arguments might be anything. */
static void log_library_line(void *owner, int level, const char *format, va_list args)
{
    (void)owner;
    (void)level;
    (void)args;
    tg_log(TG_LOG_DEBUG, "crypto", "libgcrypt", TG_F_STR("text", format));
}

/* libgcrypt goes on with a pool that it could not lock, and says so by this error; for keys that is a failure. */
static tg_result lock_memory(size_t num_workers)
{
    if (num_workers > MAX_WORKERS) {
        return tg_fail(TG_ERR_RANGE);
    }
    gcry_set_log_handler(log_library_line, NULL);
    gcry_error_t error = gcry_control(GCRYCTL_INIT_SECMEM, (unsigned)((num_workers + 1) * WORKER_BYTES), 0);
    return error == 0 ? tg_ok() : tg_fail_os(ENOMEM);
}

/* A cipher's key schedule begins with the key itself: whoever dumps the process must not find it. The pool is one
 * mapping, and what is taken first lies at its beginning. */
static tg_result keep_from_dumps(size_t num_workers)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *first = gcry_malloc_secure(1);
    if (first == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    uint8_t *pool = (uint8_t *)first - (uintptr_t)first % page;
    int status = madvise(pool, (num_workers + 1) * WORKER_BYTES, MADV_DONTDUMP);
    int error = errno;
    gcry_free(first);
    return status == 0 ? tg_ok() : tg_fail_os(error);
}

/* RFC 8452 appendix C.2, the case with 8 bytes of plaintext and none of AAD: several at once and one beside them, for
 * implementations may have a way for each. */
static tg_result check_siv(void)
{
    enum { COPIES = 9 };
    static const uint8_t nonce[TG_SIV_NONCE_BYTES] = {3};
    static const uint8_t plaintext[8] = {1};
    static const uint8_t expected[] = {0xc2, 0xef, 0x32, 0x8e, 0x5c, 0x71, 0xc8, 0x3b, 0x84, 0x31, 0x22, 0x13,
                                       0x0f, 0x73, 0x64, 0xb7, 0x61, 0xe0, 0xb9, 0x74, 0x27, 0xe3, 0xdf, 0x28};
    uint8_t sealed[COPIES][sizeof expected] = {{0}};
    tg_secret *key;
    TG_TRY(tg_secret_new(TG_SIV_KEY_BYTES, &key));
    tg_secret_fill(key)[0] = 1;
    tg_siv *siv;
    tg_result result = tg_siv_new(key, &siv);
    tg_secret_free(key);
    TG_TRY(result);
    tg_siv_job jobs[COPIES];
    for (size_t i = 0; i < COPIES; i++) {
        jobs[i] = (tg_siv_job){nonce, {NULL, 0}, tg_slice_of(plaintext, sizeof plaintext), sealed[i]};
    }
    result = tg_siv_seal(siv, jobs, COPIES);
    tg_siv_free(siv);
    TG_TRY(result);
    for (size_t i = 0; i < COPIES; i++) {
        TG_TRY(memcmp(sealed[i], expected, sizeof expected) == 0 ? tg_ok() : tg_fail(TG_ERR_LIBRARY));
    }
    return tg_ok();
}

/* RFC 4231 §4.3 (test case 2). */
static tg_result check_hmac(void)
{
    static const uint8_t expected[TG_HMAC_BYTES] = {0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e, 0x6a, 0x04, 0x24,
                                                    0x26, 0x08, 0x95, 0x75, 0xc7, 0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27,
                                                    0x39, 0x83, 0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43};
    uint8_t mac[TG_HMAC_BYTES];
    tg_hmac *hmac;
    TG_TRY(tg_hmac_new(TG_LIT("Jefe"), &hmac));
    tg_slice message = TG_LIT("what do ya want for nothing?");
    tg_hmac_compute(hmac, &message, 1, mac);
    tg_hmac_free(hmac);
    return memcmp(mac, expected, sizeof expected) == 0 ? tg_ok() : tg_fail(TG_ERR_LIBRARY);
}

tg_result tg_crypto_init(size_t num_workers)
{
    if (gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P) != 0) {
        return tg_ok();
    }
    (void)tg_openssl_heap_wipe(); /* too late where a test has used OpenSSL before; no program has */
    if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1) { /* nobody's openssl.cnf has a say */
        return tg_fail(TG_ERR_LIBRARY);
    }
    if (gcry_check_version("1.10.0") == NULL) {
        return tg_fail(TG_ERR_UNSUPPORTED);
    }
    TG_TRY(lock_memory(num_workers));
    TG_TRY(tg_gcrypt_result(gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0)));
    TG_TRY(keep_from_dumps(num_workers));
    TG_TRY(check_siv());
    return check_hmac();
}
