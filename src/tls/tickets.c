#include "tls/tickets.h"

#include "base/refs.h"
#include "sys/clock.h"
#include "sys/secret.h"
#include "tls/engine.h"
#include "tls/openssl.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>

/* One key: its name, which travels in the ticket; the cipher's key; the MAC's key. */
enum { NAME_BYTES = 16, CIPHER_KEY_BYTES = 32, MAC_KEY_BYTES = 32, IV_BYTES = 16 };
enum { KEY_BYTES = NAME_BYTES + CIPHER_KEY_BYTES + MAC_KEY_BYTES };

struct tg_tls_tickets {
    tg_refs refs;
    uint64_t period_ms;
    EVP_CIPHER *cipher;
    pthread_rwlock_t lock; /* of what follows: held for microseconds in a handshake that takes hundreds */
    tg_secret *current;
    tg_secret *previous; /* NULL before the first rotation, and where it is too old */
    uint64_t rotated_ms;
};

/* What stands in a ticket beside the session: when the whole handshake was that it descends from, by the monotonic
 * clock, which the ticket does not outlive. */
typedef struct ticket_note {
    uint64_t authenticated_ms;
} ticket_note;

tg_result tg_tls_tickets_new(uint64_t period_ms, tg_tls_tickets **out_tickets)
{
    if (period_ms == 0) {
        return tg_fail(TG_ERR_RANGE);
    }
    tg_tls_start();
    tg_tls_tickets *tickets = calloc(1, sizeof *tickets);
    if (tickets == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    if (pthread_rwlock_init(&tickets->lock, NULL) != 0) {
        free(tickets);
        return tg_fail(TG_ERR_MEMORY);
    }
    tg_refs_init(&tickets->refs);
    tickets->period_ms = period_ms;
    tickets->rotated_ms = tg_clock_monotonic_ms();
    tickets->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    tg_result result =
        tickets->cipher == NULL ? tg_fail(TG_ERR_MEMORY) : tg_secret_random(KEY_BYTES, &tickets->current);
    if (!tg_is_ok(result)) {
        tg_tls_tickets_unref(tickets);
        return result;
    }
    *out_tickets = tickets;
    return tg_ok();
}

static void put_in_front(tg_tls_tickets *tickets, tg_secret *key, bool is_previous_good)
{
    tg_secret_free(tickets->previous);
    tickets->previous = NULL;
    if (is_previous_good) {
        tickets->previous = tickets->current;
    } else {
        tg_secret_free(tickets->current);
    }
    tickets->current = key;
    tickets->rotated_ms = tg_clock_monotonic_ms();
}

tg_result tg_tls_tickets_rotate(tg_tls_tickets *tickets)
{
    tg_secret *key;
    TG_TRY(tg_secret_random(KEY_BYTES, &key));
    pthread_rwlock_wrlock(&tickets->lock);
    put_in_front(tickets, key, true);
    pthread_rwlock_unlock(&tickets->lock);
    return tg_ok();
}

static bool is_due(const tg_tls_tickets *tickets, uint64_t periods)
{
    return tg_clock_monotonic_ms() - tickets->rotated_ms >= tickets->period_ms * periods;
}

/* Takes the lock for reading, with keys that are young enough; false, and no lock, where there are none. */
static bool lock_fresh(tg_tls_tickets *tickets)
{
    pthread_rwlock_rdlock(&tickets->lock);
    if (!is_due(tickets, 1)) {
        return true;
    }
    pthread_rwlock_unlock(&tickets->lock);
    tg_secret *key;
    if (!tg_is_ok(tg_secret_random(KEY_BYTES, &key))) {
        return false;
    }
    pthread_rwlock_wrlock(&tickets->lock);
    if (is_due(tickets, 1)) {
        put_in_front(tickets, key, !is_due(tickets, 2));
    } else {
        tg_secret_free(key); /* another worker was faster */
    }
    pthread_rwlock_unlock(&tickets->lock);
    pthread_rwlock_rdlock(&tickets->lock);
    return true;
}

static bool set_mac_key(EVP_MAC_CTX *mac, const uint8_t *key)
{
    /* OSSL_PARAM has no const members; OpenSSL only reads them here. */
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)key, MAC_KEY_BYTES),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)(uintptr_t) "SHA256", 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_MAC_CTX_set_params(mac, params) == 1;
}

static int seal(const tg_tls_tickets *tickets, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                EVP_MAC_CTX *mac)
{
    const uint8_t *key = tg_secret_bytes(tickets->current);
    if (RAND_bytes(iv, IV_BYTES) != 1 ||
        EVP_EncryptInit_ex2(cipher, tickets->cipher, key + NAME_BYTES, iv, NULL) != 1 ||
        !set_mac_key(mac, key + NAME_BYTES + CIPHER_KEY_BYTES)) {
        return -1;
    }
    memcpy(name, key, NAME_BYTES);
    return 1;
}

static int open_ticket(const tg_tls_tickets *tickets, const SSL *ssl, const unsigned char *name,
                       const unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    const tg_secret *keys[] = {tickets->current, tickets->previous};
    for (size_t i = 0; i < TG_COUNT(keys); i++) {
        if (keys[i] == NULL || memcmp(name, tg_secret_bytes(keys[i]), NAME_BYTES) != 0) {
            continue;
        }
        const uint8_t *key = tg_secret_bytes(keys[i]);
        if (!set_mac_key(mac, key + NAME_BYTES + CIPHER_KEY_BYTES) ||
            EVP_DecryptInit_ex2(cipher, tickets->cipher, key + NAME_BYTES, iv, NULL) != 1) {
            return -1;
        }
        /* 2: a new ticket goes out; by RFC 8446 appendix C.4 a client of TLS 1.3 uses each once. */
        return i > 0 || SSL_version(ssl) == TLS1_3_VERSION ? 2 : 1;
    }
    return 0; /* the handshake goes on without it */
}

static int on_ticket_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
                         int is_sealing)
{
    const tg_tls_context *context = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    tg_tls_tickets *tickets = context->tickets;
    if (!lock_fresh(tickets)) {
        return 0;
    }
    int answer = is_sealing ? seal(tickets, name, iv, cipher, mac) : open_ticket(tickets, ssl, name, iv, cipher, mac);
    pthread_rwlock_unlock(&tickets->lock);
    return answer;
}

static bool read_note(SSL_SESSION *session, ticket_note *out_note)
{
    void *bytes = NULL;
    size_t len = 0;
    if (SSL_SESSION_get0_ticket_appdata(session, &bytes, &len) != 1 || len != sizeof *out_note) {
        return false;
    }
    memcpy(out_note, bytes, len);
    return true;
}

static int on_ticket_made(SSL *ssl, void *owner)
{
    (void)owner;
    SSL_SESSION *session = SSL_get_session(ssl);
    ticket_note note;
    if (!SSL_session_reused(ssl) || !read_note(session, &note)) {
        note.authenticated_ms = tg_clock_monotonic_ms();
    }
    return SSL_SESSION_set1_ticket_appdata(session, &note, sizeof note);
}

/* A session stands for a handshake only as long as that handshake would still succeed. */
static bool is_still_good(SSL_SESSION *session)
{
    ticket_note note;
    const X509 *certificate = SSL_SESSION_get0_peer(session);
    if (!read_note(session, &note) ||
        tg_clock_monotonic_ms() - note.authenticated_ms > (uint64_t)TG_MAX_SESSION_AGE_S * 1000) {
        return false;
    }
    return certificate == NULL ||
           tg_tls_time_unix_s(X509_get0_notAfter(certificate)) >= (int64_t)(tg_clock_unix_ms() / 1000);
}

static SSL_TICKET_RETURN on_ticket_opened(SSL *ssl, SSL_SESSION *session, const unsigned char *name, size_t name_len,
                                          SSL_TICKET_STATUS status, void *owner)
{
    (void)ssl;
    (void)name;
    (void)name_len;
    (void)owner;
    bool is_open = status == SSL_TICKET_SUCCESS || status == SSL_TICKET_SUCCESS_RENEW;
    if (!is_open || !is_still_good(session)) {
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    }
    return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

tg_result tg_tls_tickets_install(tg_tls_tickets *tickets, SSL_CTX *ssl_ctx)
{
    bool is_set = SSL_CTX_set_tlsext_ticket_key_evp_cb(ssl_ctx, on_ticket_key) == 1 &&
                  SSL_CTX_set_session_ticket_cb(ssl_ctx, on_ticket_made, on_ticket_opened, NULL) == 1;
    (void)SSL_CTX_set_timeout(ssl_ctx, (long)((tickets->period_ms + 999) / 1000)); /* before the key is gone */
    return is_set ? tg_ok() : tg_fail(TG_ERR_LIBRARY);
}

tg_tls_tickets *tg_tls_tickets_ref(tg_tls_tickets *tickets)
{
    tg_refs_take(&tickets->refs);
    return tickets;
}

void tg_tls_tickets_unref(tg_tls_tickets *tickets)
{
    if (tickets == NULL || !tg_refs_drop(&tickets->refs)) {
        return;
    }
    tg_secret_free(tickets->current);
    tg_secret_free(tickets->previous);
    EVP_CIPHER_free(tickets->cipher);
    pthread_rwlock_destroy(&tickets->lock);
    free(tickets);
}
