// room: crypto
/* Every implementation that this machine can use seals and opens alike. The input: a byte that says how many messages,
 * their lengths, then the bytes of key, nonces, AAD and plaintexts, which begin anew where they end. */
#include "base/cpu.h"
#include "base/reader.h"
#include "crypto/init.h"
#include "crypto/siv.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_MESSAGES = 18, MAX_LEN = 1100 };

static void need(bool is_true)
{
    if (!is_true) {
        abort();
    }
}

typedef struct message {
    uint8_t nonce[TG_SIV_NONCE_BYTES];
    uint8_t *aad, *text, *ours, *theirs, *opened; /* each in a block of its own, so that a sanitizer sees its ends */
    size_t aad_len, len;
} message;

static uint8_t *take(tg_slice source, size_t *at, size_t len)
{
    uint8_t *bytes = malloc(len + 1);
    need(bytes != NULL);
    uint8_t *exact = realloc(bytes, len > 0 ? len : 1);
    need(exact != NULL);
    for (size_t i = 0; i < len; i++) {
        exact[i] = source.len > 0 ? source.ptr[(*at)++ % source.len] : (uint8_t)i;
    }
    return exact;
}

static size_t read_messages(tg_reader *reader, message *messages, uint8_t key[TG_SIV_KEY_BYTES])
{
    size_t num = 1 + tg_reader_u8(reader) % MAX_MESSAGES;
    for (size_t i = 0; i < num; i++) {
        messages[i].len = tg_reader_u16(reader) % MAX_LEN;
        messages[i].aad_len = tg_reader_u8(reader);
    }
    tg_slice rest = reader->rest;
    size_t at = 0;
    uint8_t *bytes = take(rest, &at, TG_SIV_KEY_BYTES);
    memcpy(key, bytes, TG_SIV_KEY_BYTES);
    free(bytes);
    for (size_t i = 0; i < num; i++) {
        message *m = &messages[i];
        bytes = take(rest, &at, TG_SIV_NONCE_BYTES);
        memcpy(m->nonce, bytes, TG_SIV_NONCE_BYTES);
        free(bytes);
        m->aad = take(rest, &at, m->aad_len);
        m->text = take(rest, &at, m->len);
        m->ours = calloc(1, m->len + TG_SIV_TAG_BYTES);
        m->theirs = calloc(1, m->len + TG_SIV_TAG_BYTES);
        m->opened = malloc(m->len > 0 ? m->len : 1);
        need(m->ours != NULL && m->theirs != NULL && m->opened != NULL);
    }
    return num;
}

static void seal(tg_siv *siv, const message *messages, size_t num, bool is_ours)
{
    tg_siv_job jobs[MAX_MESSAGES];
    for (size_t i = 0; i < num; i++) {
        const message *m = &messages[i];
        jobs[i] = (tg_siv_job){m->nonce, tg_slice_of(m->aad, m->aad_len), tg_slice_of(m->text, m->len),
                               is_ours ? m->ours : m->theirs};
    }
    need(tg_is_ok(tg_siv_seal(siv, jobs, num)));
}

static void compare(tg_siv *ours, message *messages, size_t num)
{
    seal(ours, messages, num, true);
    for (size_t i = 0; i < num; i++) {
        message *m = &messages[i];
        tg_slice sealed = tg_slice_of(m->theirs, m->len + TG_SIV_TAG_BYTES), aad = tg_slice_of(m->aad, m->aad_len);
        need(memcmp(m->ours, m->theirs, sealed.len) == 0);
        const tg_slice aads[] = {tg_slice_of(m->text, m->len), aad};
        tg_siv_sealed foreign = {m->nonce, aads, TG_COUNT(aads), sealed};
        size_t which;
        need(tg_is_ok(tg_siv_open_any(ours, &foreign, m->opened, &which)));
        need(which == 1 || tg_slice_equal(aads[0], aads[1]));
        need(m->len == 0 || memcmp(m->opened, m->text, m->len) == 0);
        size_t bit = (size_t)(m->nonce[0] | m->nonce[1] << 8) % (8 * sealed.len);
        m->ours[bit / 8] = (uint8_t)(m->ours[bit / 8] ^ 1u << bit % 8);
        need(tg_siv_open(ours, m->nonce, aad, tg_slice_of(m->ours, sealed.len), m->opened).code == TG_ERR_AUTH);
        for (size_t j = 0; j < m->len; j++) {
            need(m->opened[j] == 0);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const tg_siv_ops *const others[] = {
        &tg_siv_gcrypt,
#if TG_CPU_X86
        &tg_siv_aesni,
        &tg_siv_vaes
#endif
    };
    need(tg_is_ok(tg_crypto_init(1)));
    message messages[MAX_MESSAGES];
    tg_reader reader = tg_reader_of(tg_slice_of(data, size));
    tg_secret *key;
    tg_siv *siv;
    need(tg_is_ok(tg_secret_new(TG_SIV_KEY_BYTES, &key)));
    size_t num = read_messages(&reader, messages, tg_secret_fill(key));
    need(tg_is_ok(tg_siv_new_by(&tg_siv_gcrypt, key, &siv)));
    seal(siv, messages, num, false);
    tg_siv_free(siv);
    for (size_t i = 1; i < TG_COUNT(others) && i <= (size_t)tg_cpu_get_level(); i++) {
        need(tg_is_ok(tg_siv_new_by(others[i], key, &siv)));
        compare(siv, messages, num);
        tg_siv_free(siv);
    }
    for (size_t i = 0; i < num; i++) {
        free(messages[i].aad);
        free(messages[i].text);
        free(messages[i].ours);
        free(messages[i].theirs);
        free(messages[i].opened);
    }
    tg_secret_free(key);
    return 0;
}
