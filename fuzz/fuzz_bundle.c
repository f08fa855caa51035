// room: secrets
/* Any text as a delivery, open and sealed, and as a signer: refused with a code and words, or taken; the answer is one
 * line of JSON. */
#include "crypto/init.h"
#include "secrets/delivery.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NOW_UNIX_S = 1763700000 };

static const char *const names[] = {"PARTNER_TOKEN"};
static tg_secrets_store *store;
static tg_delivery *open_one, *sealed_one;

static void need(bool is_true)
{
    if (!is_true) {
        abort();
    }
}

static void set_up(void)
{
    const tg_delivery_options open_options = {.names = names, .num_names = TG_COUNT(names)};
    const tg_delivery_options sealed_options = {.is_sealed = true};
    need(tg_is_ok(tg_crypto_init(1)));
    need(tg_is_ok(tg_secrets_store_new(NULL, NULL, NULL, &store)));
    need(tg_is_ok(tg_delivery_new(&open_options, store, &open_one)));
    need(tg_is_ok(tg_delivery_new(&sealed_options, store, &sealed_one)));
}

static void take(tg_delivery *delivery, tg_slice text)
{
    tg_buf answer;
    tg_delivery_outcome outcome;
    tg_buf_init(&answer, TG_MAX_DELIVERY_ANSWER_BYTES);
    need(tg_is_ok(tg_delivery_take(delivery, text, NOW_UNIX_S, &answer, &outcome)));
    tg_slice line = tg_buf_slice(&answer);
    need(tg_slice_starts(line, TG_LIT("{\"status\":\"")) && tg_slice_find(line, '\n') == line.len - 1);
    need(strcmp(outcome.fault.code, "ok") == 0 || outcome.fault.detail.reason[0] != 0);
    tg_buf_done(&answer);
}

static void parse(tg_slice text, bool is_sealed)
{
    const tg_bundle_rules rules = {
        .is_sealed = is_sealed, .names = names, .num_names = TG_COUNT(names), .now_unix_s = NOW_UNIX_S};
    tg_bundle bundle;
    tg_delivery_fault fault;
    if (!tg_is_ok(tg_bundle_parse(text, &rules, &bundle, &fault))) {
        need(tg_bundle_is_empty(&bundle));
    }
    tg_bundle_done(&bundle);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tg_slice text = tg_slice_of(data, size);
    tg_ec_key *signer;
    if (store == NULL) {
        set_up();
    }
    take(open_one, text);
    take(sealed_one, text);
    parse(text, false);
    parse(text, true);
    if (tg_is_ok(tg_delivery_signer_parse(text, &signer))) {
        tg_ec_key_free(signer);
    }
    return 0;
}
