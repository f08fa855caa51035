// room: fields
/* The rewriter over a record of 30 fields, 4 of them PII (1.45 KB), and over arrays of such records. Planning, the
 * tokens alone, and the whole are given apart. */
#include "measure.h"

#include "base/buf.h"
#include "crypto/init.h"
#include "fields/rewrite.h"
#include "fields/token.h"
#include "fields/walk.h"

#include "../tests/support/tiny_graph.c"

static const char record_graph[] = "{customer:{name:!,ssn:!,email:!},account:{iban:!}}";
static const char list_graph[] = "[{customer:{name:!,ssn:!,email:!},account:{iban:!}}]";

static const char record[] =
    "{\n  \"id\": \"9b2f6c1e-5d7a-4c52-8f0e-3a1b7d904e11\",\n  \"type\": \"pain.001.001.09\",\n"
    "  \"created\": \"2026-11-21T03:31:07.123Z\",\n  \"priority\": 3,\n  \"urgent\": false,\n"
    "  \"amount\": {\"currency\": \"EUR\", \"value\": 1250.75, \"fee\": 1.20, \"rate\": null},\n"
    "  \"customer\": {\n    \"reference\": \"C-2219-77120\", \"name\": \"Margarethe Vandenbroeck-Lindqvist\",\n"
    "    \"ssn\": \"123-45-6789\", \"email\": \"m.vandenbroeck@mail.example.org\",\n"
    "    \"segment\": \"retail\", \"since\": \"2014-03-09\", \"language\": \"nl-BE\", \"verified\": true\n  },\n"
    "  \"account\": {\n    \"iban\": \"BE71096123456769\", \"bic\": \"GKCCBEBB\", \"kind\": \"current\",\n"
    "    \"opened\": \"2014-03-11\", \"branch\": {\"code\": \"0961\", \"city\": \"Antwerpen\", \"country\": \"BE\"}\n  "
    "},\n"
    "  \"remittance\": \"Invoice 2026/11/00417, order 88120-B, delivered on the 14th to the warehouse at the harbour; "
    "please quote the number above in any answer to this notice and keep the original for your own records until the "
    "end "
    "of the year in which the last part was paid.\",\n"
    "  \"channel\": \"corporate-portal\",\n  \"client\": {\"agent\": \"Mozilla/5.0 (X11; Linux x86_64) "
    "Gecko/20100101\", "
    "\"session\": \"f3c1d0aa77b24b6e\", \"ip_version\": 6, \"retries\": 0},\n"
    "  \"checks\": [\"sanctions\", \"limits\", \"duplicate\", \"format\", \"velocity\"],\n"
    "  \"trace\": \"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\",\n"
    "  \"notes\": \"none; the counterparty was confirmed by telephone and by letter, and nothing further is needed "
    "here; release on the next working day, before the clearing house closes at five\"\n}";

typedef struct bench_work {
    tg_field_keys *keys;
    tg_pii_root root;
    tg_slice body;
    tg_slice sealed;
    tg_buf out;
    size_t num_fields;
    tg_token_job jobs[4];
} bench_work;

static void run(bench_work *work, tg_rewrite_mode mode, tg_slice body, bool is_applied)
{
    tg_arena arena;
    tg_rewrite *rewrite;
    tg_rewrite_options options = {.root = work->root, .mode = mode, .max_fields = SIZE_MAX};
    tg_arena_init(&arena, 1 << 24, true);
    tg_buf_clear(&work->out);
    tg_bench_need(tg_rewrite_new(&arena, &options, body, &rewrite));
    tg_bench_need(tg_rewrite_plan(rewrite, SIZE_MAX));
    tg_result result = {TG_OK, 0};
    while (is_applied && (result = tg_rewrite_apply(rewrite, work->keys, SIZE_MAX, &work->out)).code == TG_ERR_AGAIN) {
    }
    tg_bench_need(result);
    work->num_fields = tg_rewrite_get_counts(rewrite).num_fields;
    tg_arena_done(&arena);
}

static void plan(void *owner)
{
    bench_work *work = owner;
    run(work, TG_REWRITE_ENCRYPT, work->body, false);
}

static void encrypt(void *owner)
{
    bench_work *work = owner;
    run(work, TG_REWRITE_ENCRYPT, work->body, true);
}

static void decrypt(void *owner)
{
    bench_work *work = owner;
    run(work, TG_REWRITE_DECRYPT, work->sealed, true);
}

static void validate(void *owner)
{
    bench_work *work = owner;
    if (!tg_json_is_valid(work->body)) {
        tg_bench_need(tg_fail(TG_ERR_SYNTAX));
    }
}

static void seal(void *owner)
{
    bench_work *work = owner;
    tg_bench_need(tg_token_seal(work->keys, work->jobs, TG_COUNT(work->jobs)));
}

static void print(const bench_work *work, const char *what, size_t bytes, double ns)
{
    printf("| rewrite %zu bytes, %zu PII values: %s | %.2f | us |\n", bytes, work->num_fields, what, ns / 1000);
    printf("| rewrite %zu bytes, %zu PII values: %s, speed | %.2f | GB/s |\n", bytes, work->num_fields, what,
           (double)bytes / ns);
}

/* What the four values of a record cost without the rewriter. */
static double seal_ns(bench_work *work)
{
    static uint8_t outs[4][256];
    static const tg_slice values[] = {{(const uint8_t *)"Margarethe Vandenbroeck-Lindqvist", 33},
                                      {(const uint8_t *)"123-45-6789", 11},
                                      {(const uint8_t *)"m.vandenbroeck@mail.example.org", 31},
                                      {(const uint8_t *)"BE71096123456769", 16}};
    for (size_t i = 0; i < TG_COUNT(values); i++) {
        work->jobs[i] = (tg_token_job){TG_TOKEN_STRING, values[i], outs[i]};
    }
    return tg_bench_ns(seal, work);
}

static void measure(bench_work *work, tg_slice body, const char *graph, size_t num_records)
{
    tg_buf sealed;
    work->root = tg_tiny_root(graph, true);
    work->body = body;
    tg_buf_init_wiped(&sealed, 1 << 26);
    encrypt(work);
    tg_bench_need(tg_buf_append(&sealed, tg_buf_slice(&work->out)));
    work->sealed = tg_buf_slice(&sealed);
    print(work, "validate", body.len, tg_bench_ns(validate, work));
    print(work, "plan", body.len, tg_bench_ns(plan, work));
    double tokens_ns = seal_ns(work) * (double)num_records, encrypt_ns = tg_bench_ns(encrypt, work);
    print(work, "tokens alone", body.len, tokens_ns);
    print(work, "encrypt", body.len, encrypt_ns);
    print(work, "all but the seals", body.len, encrypt_ns - tokens_ns);
    print(work, "decrypt", work->sealed.len, tg_bench_ns(decrypt, work));
    tg_buf_done(&sealed);
}

static void measure_list(bench_work *work, size_t bytes)
{
    tg_buf body;
    size_t num_records = 0;
    tg_buf_init(&body, bytes + 4096);
    while (tg_buf_len(&body) < bytes) {
        tg_bench_need(tg_buf_append_byte(&body, num_records == 0 ? '[' : ','));
        tg_bench_need(tg_buf_append_str(&body, record));
        num_records++;
    }
    tg_bench_need(tg_buf_append_byte(&body, ']'));
    measure(work, tg_buf_slice(&body), list_graph, num_records);
    tg_buf_done(&body);
}

int main(void)
{
    bench_work work = {.num_fields = 0};
    tg_secret *secret;
    tg_bench_need(tg_crypto_init(1));
    tg_bench_need(tg_secret_random(32, &secret));
    tg_field_key key = {TG_LIT("k"), secret, true};
    tg_bench_need(tg_field_keys_new(&key, 1, &work.keys));
    tg_buf_init_wiped(&work.out, 1 << 26);
    measure(&work, tg_slice_str(record), record_graph, 1);
    measure_list(&work, 65536);
    measure_list(&work, 5 << 20);
    tg_buf_done(&work.out);
    tg_field_keys_free(work.keys);
    tg_secret_free(secret);
    return 0;
}
