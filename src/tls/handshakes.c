#include "tls/handshakes.h"

#include "sys/metric.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>

static tg_metric_family handshakes = {
    .name = "teegate_tls_handshakes_total",
    .help = "TLS handshakes done.",
    .kind = TG_METRIC_COUNTER,
    .labels = {"side", "version", "resumed"},
};
static tg_metric_family failures = {
    .name = "teegate_tls_handshake_failures_total",
    .help = "TLS handshakes that failed after their first byte.",
    .kind = TG_METRIC_COUNTER,
    .labels = {"side", "reason"},
};

static const char *const reason_names[TG_TLS_NUM_FAILURES] = {
    [TG_TLS_HTTP_REQUEST] = "http_request",
    [TG_TLS_NOT_TLS] = "not_tls",
    [TG_TLS_VERSION] = "version",
    [TG_TLS_NOTHING_IN_COMMON] = "nothing_in_common",
    [TG_TLS_NO_PROTOCOL] = "no_protocol",
    [TG_TLS_BAD_CERTIFICATE] = "bad_certificate",
    [TG_TLS_ALERT] = "alert",
    [TG_TLS_HELLO_TOO_LONG] = "hello_too_long",
    [TG_TLS_CUT_OFF] = "cut_off",
    [TG_TLS_GIVEN_UP] = "given_up",
    [TG_TLS_OTHER_FAILURE] = "other",
};

enum { NUM_SIDES = 2, NUM_VERSIONS = 2, NUM_RESUMED = 2 };
static tg_metric *done_children[NUM_SIDES][NUM_VERSIONS][NUM_RESUMED];
static tg_metric *failure_children[NUM_SIDES][TG_TLS_NUM_FAILURES];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_children(void)
{
    static const char *const sides[NUM_SIDES] = {"client", "server"};
    static const char *const versions[NUM_VERSIONS] = {"1.2", "1.3"};
    static const char *const resumed[NUM_RESUMED] = {"no", "yes"};
    for (size_t side = 0; side < NUM_SIDES; side++) {
        for (size_t i = 0; i < (size_t)NUM_VERSIONS * NUM_RESUMED; i++) {
            done_children[side][i / NUM_RESUMED][i % NUM_RESUMED] =
                tg_metric_of(&handshakes, tg_slice_str(sides[side]), tg_slice_str(versions[i / NUM_RESUMED]),
                             tg_slice_str(resumed[i % NUM_RESUMED]));
        }
        for (size_t i = 0; i < TG_TLS_NUM_FAILURES; i++) {
            failure_children[side][i] =
                tg_metric_of(&failures, tg_slice_str(sides[side]), tg_slice_str(reason_names[i]));
        }
    }
}

tg_tls_failure tg_tls_failure_of(unsigned long error)
{
    static const struct {
        int reason;
        tg_tls_failure failure;
    } table[] = {
        {SSL_R_HTTP_REQUEST, TG_TLS_HTTP_REQUEST},
        {SSL_R_HTTPS_PROXY_REQUEST, TG_TLS_HTTP_REQUEST},
        {SSL_R_WRONG_VERSION_NUMBER, TG_TLS_NOT_TLS},
        {SSL_R_UNSUPPORTED_PROTOCOL, TG_TLS_VERSION},
        {SSL_R_VERSION_TOO_LOW, TG_TLS_VERSION},
        {SSL_R_NO_SHARED_CIPHER, TG_TLS_NOTHING_IN_COMMON},
        {SSL_R_NO_SUITABLE_KEY_SHARE, TG_TLS_NOTHING_IN_COMMON},
        {SSL_R_NO_SHARED_GROUPS, TG_TLS_NOTHING_IN_COMMON},
        {SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, TG_TLS_NOTHING_IN_COMMON},
        {SSL_R_NO_APPLICATION_PROTOCOL, TG_TLS_NO_PROTOCOL},
        {SSL_R_CERTIFICATE_VERIFY_FAILED, TG_TLS_BAD_CERTIFICATE},
    };
    if (error == 0) {
        return TG_TLS_CUT_OFF;
    }
    int reason = ERR_GET_LIB(error) == ERR_LIB_SSL ? ERR_GET_REASON(error) : 0;
    for (size_t i = 0; i < TG_COUNT(table); i++) {
        if (table[i].reason == reason) {
            return table[i].failure;
        }
    }
    return reason >= SSL_AD_REASON_OFFSET ? TG_TLS_ALERT : TG_TLS_OTHER_FAILURE;
}

void tg_tls_count_handshake(bool is_server, const char *version, bool is_resumed)
{
    pthread_once(&once, make_children);
    bool is_13 = tg_slice_equal(tg_slice_str(version), TG_LIT("TLSv1.3"));
    tg_metric_add(done_children[is_server][is_13][is_resumed], 1);
}

void tg_tls_count_failure(bool is_server, tg_tls_failure failure)
{
    pthread_once(&once, make_children);
    tg_metric_add(failure_children[is_server][failure], 1);
}
