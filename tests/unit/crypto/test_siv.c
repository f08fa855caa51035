#include "support/case.h"

#include "base/cpu.h"
#include "base/encode.h"
#include "crypto/init.h"
#include "crypto/siv.h"
#include "support/fenced.h"
#include "support/stack_left.h"

#include <stdlib.h>

enum { MAX_VECTOR_BYTES = 256 };

typedef struct vector {
    uint8_t key[MAX_VECTOR_BYTES], nonce[MAX_VECTOR_BYTES], aad[MAX_VECTOR_BYTES], sealed[MAX_VECTOR_BYTES];
    uint8_t plaintext[MAX_VECTOR_BYTES], tag[MAX_VECTOR_BYTES];
    size_t key_len, nonce_len, aad_len, sealed_len, plaintext_len, tag_len;
} vector;

/* Each case is run with each implementation that this machine can use. */
static const tg_siv_ops *tested;

static tg_siv *new_cipher(uint8_t fill)
{
    uint8_t bytes[TG_SIV_KEY_BYTES];
    memset(bytes, fill, sizeof bytes);
    tg_secret *key;
    tg_siv *siv;
    assert_ok(tg_secret_copy(tg_slice_of(bytes, sizeof bytes), &key));
    assert_ok(tg_siv_new_by(tested, key, &siv));
    tg_secret_free(key);
    return siv;
}

static bool read_field(tg_slice line, tg_slice name, uint8_t *out, size_t *out_len)
{
    if (!tg_slice_starts(line, name)) {
        return false;
    }
    tg_slice hex = tg_slice_trim(tg_slice_from(line, name.len), " \r");
    assert_true(hex.len / 2 <= MAX_VECTOR_BYTES);
    assert_ok(tg_hex_decode(hex, out));
    *out_len = hex.len / 2;
    return true;
}

static void check_vector(const vector *v)
{
    tg_secret *key;
    tg_siv *siv = NULL;
    assert_ok(tg_secret_copy(tg_slice_of(v->key, v->key_len), &key));
    tg_result made = tg_siv_new_by(tested, key, &siv);
    tg_secret_free(key);
    if (v->key_len != TG_SIV_KEY_BYTES) {
        assert_code(made, TG_ERR_RANGE);
        assert_null(siv);
        return;
    }
    assert_ok(made);
    assert_int_equal(v->nonce_len, TG_SIV_NONCE_BYTES);
    uint8_t expected[2 * MAX_VECTOR_BYTES], out[2 * MAX_VECTOR_BYTES];
    size_t sealed_len = v->sealed_len + v->tag_len;
    memcpy(expected, v->sealed, v->sealed_len);
    memcpy(expected + v->sealed_len, v->tag, v->tag_len);
    tg_slice aad = tg_slice_of(v->aad, v->aad_len);
    tg_siv_job job = {v->nonce, aad, tg_slice_of(v->plaintext, v->plaintext_len), out};
    assert_ok(tg_siv_seal(siv, &job, 1));
    assert_memory_equal(out, expected, sealed_len);
    uint8_t opened[MAX_VECTOR_BYTES];
    assert_ok(tg_siv_open(siv, v->nonce, aad, tg_slice_of(expected, sealed_len), opened));
    assert_memory_equal(opened, v->plaintext, v->plaintext_len);
    tg_siv_free(siv);
}

static void seal_rfc8452_vectors_agree(void **state)
{
    (void)state;
    tg_slice file = tg_read_vector("aes_gcm_siv/evpciph_aes_gcm_siv.txt");
    tg_slice rest = file;
    size_t num_256 = 0, num_128 = 0;
    vector v = {0};
    while (rest.ptr != NULL) {
        tg_slice line = tg_slice_split(&rest, '\n');
        if (tg_slice_starts(line, TG_LIT("Cipher = "))) {
            v = (vector){0};
        }
        (void)(read_field(line, TG_LIT("Key ="), v.key, &v.key_len) ||
               read_field(line, TG_LIT("IV ="), v.nonce, &v.nonce_len) ||
               read_field(line, TG_LIT("AAD ="), v.aad, &v.aad_len) ||
               read_field(line, TG_LIT("Tag ="), v.tag, &v.tag_len) ||
               read_field(line, TG_LIT("Plaintext ="), v.plaintext, &v.plaintext_len));
        if (read_field(line, TG_LIT("Ciphertext ="), v.sealed, &v.sealed_len)) {
            check_vector(&v);
            num_256 += v.key_len == 32;
            num_128 += v.key_len == 16;
        }
    }
    assert_int_equal(num_256, 26);
    assert_int_equal(num_128, 24);
    char *text = (char *)(uintptr_t)file.ptr;
    free(text);
}

static void seal_several_gives_each_its_own(void **state)
{
    (void)state;
    tg_siv *siv = new_cipher(0x11);
    uint8_t nonces[9][TG_SIV_NONCE_BYTES] = {{0}};
    uint8_t plaintexts[9][40], many[9][56], one[56];
    tg_siv_job jobs[9];
    for (size_t i = 0; i < 9; i++) {
        nonces[i][0] = (uint8_t)i;
        memset(plaintexts[i], (int)(i * 3), sizeof plaintexts[i]);
        jobs[i] = (tg_siv_job){nonces[i], tg_slice_of("json", i % 2 * 4), tg_slice_of(plaintexts[i], i * 5), many[i]};
    }
    assert_ok(tg_siv_seal(siv, jobs, 9));
    for (size_t i = 0; i < 9; i++) {
        tg_siv_job job = jobs[i];
        job.out = one;
        assert_ok(tg_siv_seal(siv, &job, 1));
        assert_memory_equal(one, many[i], i * 5 + TG_SIV_TAG_BYTES);
    }
    assert_ok(tg_siv_seal(siv, jobs, 0));
    tg_siv_free(siv);
}

static void seal_in_place_gives_the_same(void **state)
{
    (void)state;
    tg_siv *siv = new_cipher(0x22);
    uint8_t nonce[TG_SIV_NONCE_BYTES] = {7};
    for (size_t len = 0; len < 70; len++) {
        uint8_t plaintext[80], apart[96], same[96];
        memset(plaintext, 0x5a, sizeof plaintext);
        memcpy(same, plaintext, len);
        tg_siv_job job = {nonce, TG_LIT("a"), tg_slice_of(plaintext, len), apart};
        assert_ok(tg_siv_seal(siv, &job, 1));
        job = (tg_siv_job){nonce, TG_LIT("a"), tg_slice_of(same, len), same};
        assert_ok(tg_siv_seal(siv, &job, 1));
        assert_memory_equal(same, apart, len + TG_SIV_TAG_BYTES);
        assert_ok(tg_siv_open(siv, nonce, TG_LIT("a"), tg_slice_of(same, len + TG_SIV_TAG_BYTES), same));
        assert_memory_equal(same, plaintext, len);
    }
    tg_siv_free(siv);
}

static void open_any_bit_changed_is_refused_and_zeroed(void **state)
{
    (void)state;
    tg_siv *siv = new_cipher(0x33);
    uint8_t nonce[TG_SIV_NONCE_BYTES] = {1}, sealed[5 + TG_SIV_TAG_BYTES], out[5];
    tg_siv_job job = {nonce, TG_LIT("json"), TG_LIT("12345"), sealed};
    assert_ok(tg_siv_seal(siv, &job, 1));
    for (size_t bit = 0; bit < 8 * sizeof sealed; bit++) {
        sealed[bit / 8] = (uint8_t)(sealed[bit / 8] ^ 1u << bit % 8);
        memset(out, 0xee, sizeof out);
        assert_code(tg_siv_open(siv, nonce, TG_LIT("json"), tg_slice_of(sealed, sizeof sealed), out), TG_ERR_AUTH);
        assert_memory_equal(out, "\0\0\0\0\0", 5);
        sealed[bit / 8] = (uint8_t)(sealed[bit / 8] ^ 1u << bit % 8);
    }
    assert_code(tg_siv_open(siv, nonce, TG_LIT(""), tg_slice_of(sealed, sizeof sealed), out), TG_ERR_AUTH);
    nonce[11] ^= 1;
    assert_code(tg_siv_open(siv, nonce, TG_LIT("json"), tg_slice_of(sealed, sizeof sealed), out), TG_ERR_AUTH);
    nonce[11] ^= 1;
    assert_ok(tg_siv_open(siv, nonce, TG_LIT("json"), tg_slice_of(sealed, sizeof sealed), out));
    assert_memory_equal(out, "12345", 5);
    tg_siv_free(siv);
}

static void open_any_second_aad_is_found(void **state)
{
    (void)state;
    tg_siv *siv = new_cipher(0x34);
    const tg_slice aads[] = {TG_LIT(""), TG_LIT("json"), TG_LIT("a longer one than a block")};
    uint8_t nonce[TG_SIV_NONCE_BYTES] = {1}, sealed[300 + TG_SIV_TAG_BYTES], out[300], text[300];
    memset(text, 0x61, sizeof text);
    for (size_t len = 0; len <= sizeof text; len += 12) {
        for (size_t i = 0; i < TG_COUNT(aads); i++) {
            size_t which = 99;
            tg_siv_job job = {nonce, aads[i], tg_slice_of(text, len), sealed};
            assert_ok(tg_siv_seal(siv, &job, 1));
            tg_siv_sealed foreign = {nonce, aads, TG_COUNT(aads), tg_slice_of(sealed, len + TG_SIV_TAG_BYTES)};
            assert_ok(tg_siv_open_any(siv, &foreign, out, &which));
            assert_int_equal(which, i);
            assert_memory_equal(out, text, len);
            foreign.num_aads = i;
            assert_code(i > 0 ? tg_siv_open_any(siv, &foreign, out, &which) : tg_fail(TG_ERR_AUTH), TG_ERR_AUTH);
            assert_true(i == 0 || len == 0 || out[len - 1] == 0);
        }
    }
    tg_siv_free(siv);
}

static void open_shorter_than_a_tag_is_truncated(void **state)
{
    (void)state;
    tg_siv *siv = new_cipher(0x44);
    uint8_t nonce[TG_SIV_NONCE_BYTES] = {0}, sealed[TG_SIV_TAG_BYTES] = {0}, out[1];
    for (size_t len = 0; len < TG_SIV_TAG_BYTES; len++) {
        assert_code(tg_siv_open(siv, nonce, TG_LIT(""), tg_slice_of(sealed, len), out), TG_ERR_TRUNCATED);
    }
    assert_code(tg_siv_open(siv, nonce, TG_LIT(""), tg_slice_of(sealed, sizeof sealed), out), TG_ERR_AUTH);
    tg_siv_free(siv);
}

static void new_locked_memory_used_up_is_refused(void **state)
{
    (void)state;
    enum { MANY = 4096 };
    static tg_siv *made[MANY];
    tg_secret *key;
    assert_ok(tg_secret_new(TG_SIV_KEY_BYTES, &key));
    size_t num_made = 0;
    tg_result result = tg_ok();
    while (num_made < MANY && tg_is_ok(result = tg_siv_new_by(tested, key, &made[num_made]))) {
        num_made++;
    }
    assert_code(result, TG_ERR_MEMORY);
    assert_true(num_made >= 16);
    for (size_t i = 0; i < num_made; i++) {
        tg_siv_free(made[i]);
    }
    assert_ok(tg_siv_new_by(tested, key, &made[0]));
    tg_siv_free(made[0]);
    tg_siv_free(NULL);
    tg_secret_free(key);
}

static void init_repeated_is_fine(void **state)
{
    (void)state;
    assert_ok(tg_crypto_init(1));
}

static void chosen_by_level_is_the_one_for_it(void **state)
{
    (void)state;
    tg_cpu_level before = tg_cpu_get_level();
    tg_cpu_limit(TG_CPU_PORTABLE);
    assert_string_equal(tg_siv_chosen()->name, "libgcrypt");
    tg_cpu_limit(before);
    const char *const expected[] = {
        [TG_CPU_PORTABLE] = "libgcrypt", [TG_CPU_AVX2] = "AES-NI", [TG_CPU_AVX512] = "VAES"};
    assert_string_equal(tg_siv_chosen()->name, expected[before]);
}

/* Bytes that repeat with each run. */
static uint64_t next_random(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random;
}

static void fill_random(uint64_t *random, uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)(next_random(random) >> 24);
    }
}

enum { MAX_BATCH = 20, MAX_LEN = 700 };

typedef struct batch {
    uint8_t nonces[MAX_BATCH][TG_SIV_NONCE_BYTES];
    uint8_t texts[MAX_BATCH][MAX_LEN], aads[MAX_BATCH][MAX_LEN];
    uint8_t ours[MAX_BATCH][MAX_LEN + TG_SIV_TAG_BYTES + 1], theirs[MAX_BATCH][MAX_LEN + TG_SIV_TAG_BYTES];
    tg_siv_job jobs[MAX_BATCH];
    size_t num_jobs;
} batch;

static void make_batch(uint64_t *random, batch *made)
{
    made->num_jobs = 1 + next_random(random) % MAX_BATCH;
    for (size_t i = 0; i < made->num_jobs; i++) {
        uint64_t kind = next_random(random) % 64;
        size_t len = next_random(random) % (kind == 0 ? MAX_LEN : kind < 16 ? 130 : 40);
        size_t aad_len = kind % 4 != 0 ? kind % 3 * 2 : next_random(random) % (kind == 0 ? MAX_LEN : 40);
        fill_random(random, made->nonces[i], TG_SIV_NONCE_BYTES);
        fill_random(random, made->texts[i], len);
        fill_random(random, made->aads[i], aad_len);
        made->ours[i][len + TG_SIV_TAG_BYTES] = 0x5c;
        made->jobs[i] = (tg_siv_job){made->nonces[i], tg_slice_of(made->aads[i], aad_len),
                                     tg_slice_of(made->texts[i], len), made->ours[i]};
    }
}

static void check_batch(tg_siv *ours, tg_siv *theirs, batch *made)
{
    assert_ok(tg_siv_seal(ours, made->jobs, made->num_jobs));
    for (size_t i = 0; i < made->num_jobs; i++) {
        tg_siv_job job = made->jobs[i];
        size_t len = job.plaintext.len;
        job.out = made->theirs[i];
        assert_ok(tg_siv_seal(theirs, &job, 1));
        assert_memory_equal(made->ours[i], made->theirs[i], len + TG_SIV_TAG_BYTES);
        assert_int_equal(made->ours[i][len + TG_SIV_TAG_BYTES], 0x5c);
        assert_ok(tg_siv_open(ours, job.nonce, job.aad, tg_slice_of(made->theirs[i], len + TG_SIV_TAG_BYTES),
                              made->theirs[i]));
        assert_memory_equal(made->theirs[i], job.plaintext.ptr, len);
    }
}

static void seal_random_lengths_and_keys_agrees_with_libgcrypt(void **state)
{
    (void)state;
    const size_t num_messages = TG_TEST_IS_SANITIZED ? 20000 : 1000000;
    static batch made;
    uint64_t random = 0x9e3779b97f4a7c15;
    tg_secret *key;
    assert_ok(tg_secret_new(TG_SIV_KEY_BYTES, &key));
    for (size_t done = 0; done < num_messages;) {
        tg_siv *ours, *theirs;
        fill_random(&random, tg_secret_fill(key), TG_SIV_KEY_BYTES);
        assert_ok(tg_siv_new_by(tested, key, &ours));
        assert_ok(tg_siv_new_by(&tg_siv_gcrypt, key, &theirs));
        for (size_t i = 0; i < 4; i++, done += made.num_jobs) {
            make_batch(&random, &made);
            check_batch(ours, theirs, &made);
        }
        tg_siv_free(ours);
        tg_siv_free(theirs);
    }
    tg_secret_free(key);
}

/* Key and nonce zero, blocks of zeroes and a last one that was solved for: the tag begins with fb ff ff ff, so that the
 * counter's 32 bits wrap at the fifth block, amid those that are encrypted together. */
static void check_wrap(tg_siv *siv, size_t len, const uint8_t last[16])
{
    enum { MAX = 320, COPIES = 9 };
    static const uint8_t nonce[TG_SIV_NONCE_BYTES], tag[TG_SIV_TAG_BYTES] = {0xfb, 0xff, 0xff, 0xff};
    static uint8_t sealed[COPIES][MAX + TG_SIV_TAG_BYTES], expected[MAX + TG_SIV_TAG_BYTES];
    uint8_t text[MAX] = {0};
    memcpy(text + len - 16, last, 16);
    tg_siv_job jobs[COPIES];
    for (size_t i = 0; i < COPIES; i++) {
        jobs[i] = (tg_siv_job){nonce, TG_LIT(""), tg_slice_of(text, len), sealed[i]};
    }
    const tg_siv_ops *ops = tested;
    tested = &tg_siv_gcrypt;
    tg_siv *other = new_cipher(0);
    tested = ops;
    tg_siv_job job = jobs[0];
    job.out = expected;
    assert_ok(tg_siv_seal(other, &job, 1));
    tg_siv_free(other);
    assert_memory_equal(expected + len, tag, sizeof tag);
    for (size_t num = 1; num <= COPIES; num++) {
        memset(sealed, 0, sizeof sealed);
        assert_ok(tg_siv_seal(siv, jobs, num));
        for (size_t i = 0; i < num; i++) {
            assert_memory_equal(sealed[i], expected, len + TG_SIV_TAG_BYTES);
        }
    }
    uint8_t out[MAX];
    assert_ok(tg_siv_open(siv, nonce, TG_LIT(""), tg_slice_of(expected, len + TG_SIV_TAG_BYTES), out));
    assert_memory_equal(out, text, len);
}

static void seal_counter_that_wraps_agrees_with_libgcrypt(void **state)
{
    (void)state;
    static const uint8_t twelve[16] = {0xa2, 0x00, 0x39, 0x3a, 0x0b, 0xb7, 0x06, 0xf7,
                                       0x1f, 0xc4, 0x25, 0xba, 0x9f, 0xb0, 0xa3, 0xb6},
                         twenty[16] = {0x1a, 0x97, 0x6c, 0x9c, 0x0e, 0x25, 0x3a, 0x88,
                                       0x96, 0xc0, 0xad, 0x49, 0x13, 0x97, 0x18, 0x13};
    tg_siv *siv = new_cipher(0);
    check_wrap(siv, (size_t)16 * 12, twelve);
    check_wrap(siv, (size_t)16 * 20, twenty);
    tg_siv_free(siv);
}

/* Lengths over RFC 8452's are refused before a byte is looked at. */
static void seal_and_open_over_the_longest_are_refused(void **state)
{
    (void)state;
    static const uint8_t nonce[TG_SIV_NONCE_BYTES], byte[1];
    uint8_t out[TG_SIV_TAG_BYTES];
    const size_t over = (size_t)TG_SIV_MAX_BYTES + 1;
    tg_siv *siv = new_cipher(1);
    tg_siv_job jobs[] = {{nonce, TG_LIT(""), TG_LIT(""), out}, {nonce, TG_LIT(""), tg_slice_of(byte, over), out}};
    assert_code(tg_siv_seal(siv, jobs, 2), TG_ERR_RANGE);
    jobs[1] = (tg_siv_job){nonce, tg_slice_of(byte, over), TG_LIT(""), out};
    assert_code(tg_siv_seal(siv, jobs, 2), TG_ERR_RANGE);
    assert_code(tg_siv_open(siv, nonce, TG_LIT(""), tg_slice_of(byte, over + TG_SIV_TAG_BYTES), out), TG_ERR_RANGE);
    assert_code(tg_siv_open(siv, nonce, tg_slice_of(byte, over), tg_slice_of(out, sizeof out), out), TG_ERR_RANGE);
    tg_siv_free(siv);
}

/* Nothing before or behind nonce, AAD, plaintext and sealed bytes is read, nothing behind the output written. */
static void seal_and_open_between_fences_give_the_same(void **state)
{
    (void)state;
    enum { LONGEST = 280, NUM = 9 };
    uint8_t bytes[LONGEST], expected[LONGEST + TG_SIV_TAG_BYTES];
    uint64_t random = 0x853c49e6748fea9b;
    tg_fenced text = tg_fenced_new(LONGEST), aad = tg_fenced_new(LONGEST), nonce = tg_fenced_new(TG_SIV_NONCE_BYTES),
              sealed = tg_fenced_new(sizeof expected);
    tg_siv *siv = new_cipher(3);
    fill_random(&random, bytes, sizeof bytes);
    for (size_t len = 0; len <= LONGEST; len++) {
        for (int fence = 0; fence < TG_NUM_FENCES; fence++) {
            tg_siv_job plain = {bytes, tg_slice_of(bytes, len % 40), tg_slice_of(bytes, len), expected};
            assert_ok(tg_siv_seal(siv, &plain, 1));
            tg_siv_job jobs[NUM];
            for (size_t i = 0; i < NUM; i++) { /* the same in every lane, and alone */
                jobs[i] =
                    (tg_siv_job){tg_fenced_copy(&nonce, (tg_fence)fence, tg_slice_of(bytes, TG_SIV_NONCE_BYTES)).ptr,
                                 tg_fenced_copy(&aad, (tg_fence)fence, plain.aad),
                                 tg_fenced_copy(&text, (tg_fence)fence, plain.plaintext),
                                 tg_fenced_at(&sealed, (tg_fence)fence, len + TG_SIV_TAG_BYTES)};
            }
            for (size_t num = 1; num <= NUM; num += 4) {
                memset(sealed.bytes, 0, sealed.len);
                assert_ok(tg_siv_seal(siv, jobs, num));
                assert_memory_equal(jobs[0].out, expected, len + TG_SIV_TAG_BYTES);
            }
            uint8_t *out = tg_fenced_at(&text, (tg_fence)fence, len);
            memset(text.bytes, 0, text.len);
            assert_ok(
                tg_siv_open(siv, jobs[0].nonce, jobs[0].aad, tg_slice_of(jobs[0].out, len + TG_SIV_TAG_BYTES), out));
            assert_memory_equal(out, bytes, len);
        }
    }
    tg_siv_free(siv);
    tg_fenced_done(&text);
    tg_fenced_done(&aad);
    tg_fenced_done(&nonce);
    tg_fenced_done(&sealed);
}

typedef struct left_work {
    uint8_t key;
    uint8_t text[300];
    size_t num_jobs;
    tg_siv *siv; /* NULL: it is made, and that is all */
    bool is_opened;
    uint8_t sealed[9][316], opened[300];
} left_work;

static void do_left_work(void *argument)
{
    static const uint8_t nonce[TG_SIV_NONCE_BYTES];
    left_work *work = argument;
    if (work->siv == NULL) {
        work->siv = new_cipher(work->key);
        return;
    }
    tg_siv_job jobs[9];
    size_t len = work->num_jobs == 2 ? sizeof work->text : 40;
    for (size_t i = 0; i < work->num_jobs; i++) {
        jobs[i] = (tg_siv_job){nonce, TG_LIT("json"), tg_slice_of(work->text, len), work->sealed[i]};
    }
    if (!work->is_opened) {
        (void)tg_siv_seal(work->siv, jobs, work->num_jobs).code;
    } else {
        (void)tg_siv_open(work->siv, nonce, TG_LIT("json"), tg_slice_of(work->sealed[0], len + TG_SIV_TAG_BYTES),
                          work->opened)
            .code;
    }
}

/* Runs that differ in the key alone, or in the plaintext alone, leave the same behind on the stack. */
static void seal_and_open_leave_nothing_on_the_stack(void **state)
{
    (void)state;
    static uint8_t left[3][TG_LEFT_STACK_BYTES];
    static left_work work;
    if (!TG_LEFT_IS_SHIPPED || tested == &tg_siv_gcrypt) {
        return; /* not ours to wipe */
    }
    for (size_t kind = 0; kind < 8; kind++) {
        for (size_t i = 0; i < 3; i++) {
            size_t num_jobs = (size_t[]){1, 2, 3, 9}[kind / 2];
            work = (left_work){.key = i == 1 ? 9 : 5, .num_jobs = num_jobs};
            memset(work.text, i == 2 ? 'b' : 'a', sizeof work.text);
            do_left_work(&work);
            do_left_work(&work); /* sealed, for who opens; and what is bound late, is */
            work.is_opened = kind % 2 == 1;
            tg_stack_left(do_left_work, &work, left[i]);
            tg_siv_free(work.siv);
        }
        tg_assert_nothing_left(left[0], left[1]);
        tg_assert_nothing_left(left[0], left[2]);
    }
}

static int set_up(void **state)
{
    (void)state;
    return tg_crypto_init(1).code == TG_OK ? 0 : -1;
}

int main(void)
{
    static const tg_siv_ops *const all[] = {
        &tg_siv_gcrypt,
#if TG_CPU_X86
        &tg_siv_aesni,
        &tg_siv_vaes
#endif
    };
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(init_repeated_is_fine),
        cmocka_unit_test(chosen_by_level_is_the_one_for_it),
        cmocka_unit_test(seal_rfc8452_vectors_agree),
        cmocka_unit_test(seal_several_gives_each_its_own),
        cmocka_unit_test(seal_in_place_gives_the_same),
        cmocka_unit_test(open_any_bit_changed_is_refused_and_zeroed),
        cmocka_unit_test(open_any_second_aad_is_found),
        cmocka_unit_test(open_shorter_than_a_tag_is_truncated),
        cmocka_unit_test(new_locked_memory_used_up_is_refused),
        cmocka_unit_test(seal_counter_that_wraps_agrees_with_libgcrypt),
        cmocka_unit_test(seal_and_open_over_the_longest_are_refused),
        cmocka_unit_test(seal_and_open_between_fences_give_the_same),
        cmocka_unit_test(seal_and_open_leave_nothing_on_the_stack),
        cmocka_unit_test(seal_random_lengths_and_keys_agrees_with_libgcrypt),
    };
    int status = 0;
    for (size_t i = 0; i < TG_COUNT(all) && i <= (size_t)tg_cpu_get_level(); i++) {
        tested = all[i];
        status += cmocka_run_group_tests_name(tested->name, cases, set_up, NULL);
    }
    return status;
}
