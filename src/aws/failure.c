#include "aws/failure.h"

#include "aws/json.h"
#include "aws/xml.h"
#include "base/text.h"
#include "http/date.h"

#include <stdio.h>

enum { SKEW_S = 240, BASE_MS = 100, SLOW_BASE_MS = 500, MAX_BACKOFF_MS = 20000, MAX_DOUBLINGS = 10 };

void tg_aws_failure_clear(tg_aws_failure *failure)
{
    *failure = (tg_aws_failure){.status = 0};
}

/* The first line, cut, bytes outside printable ASCII as `?`: a later line of S3's repeats what was signed, the session
 * token too. */
static void set_text(char *out, size_t cap, tg_slice text)
{
    size_t len = 0;
    text = tg_slice_first(text, tg_slice_find(text, '\n'));
    for (size_t i = 0; i < text.len && len + 1 < cap; i++) {
        uint8_t c = text.ptr[i];
        out[len++] = c >= ' ' && c <= '~' ? (char)c : '?';
    }
    out[len] = 0;
}

void tg_aws_failure_set(tg_aws_failure *failure, tg_result result, tg_aws_advice advice, tg_slice message)
{
    tg_aws_failure_clear(failure);
    failure->result = result;
    failure->advice = advice;
    set_text(failure->message, sizeof failure->message, message);
}

tg_slice tg_aws_request_id(const tg_http_header *headers, size_t num_headers)
{
    static const char *const names[] = {"x-amzn-requestid", "x-amz-request-id"};
    for (size_t i = 0; i < TG_COUNT(names); i++) {
        tg_slice value;
        if (tg_http_headers_find(headers, num_headers, tg_slice_str(names[i]), &value)) {
            return value;
        }
    }
    return (tg_slice){NULL, 0};
}

/* `com.amazonaws.kms#NotFoundException`, `NotFoundException:http://...`: the name alone. */
static void set_code(tg_aws_failure *failure, tg_slice code)
{
    size_t mark = tg_slice_find(code, '#');
    code = mark < code.len ? tg_slice_from(code, mark + 1) : code;
    code = tg_slice_first(code, tg_slice_find(code, ':'));
    set_text(failure->code, sizeof failure->code, code);
}

static void read_json(tg_aws_failure *failure, tg_slice body)
{
    json_t *root;
    tg_slice text;
    if (!tg_is_ok(tg_aws_json_parse(body, &root))) {
        return;
    }
    if (tg_aws_json_text(root, "__type", &text) || tg_aws_json_text(root, "code", &text) ||
        tg_aws_json_text(root, "Code", &text)) {
        set_code(failure, text);
    }
    if (tg_aws_json_text(root, "message", &text) || tg_aws_json_text(root, "Message", &text)) {
        set_text(failure->message, sizeof failure->message, text);
    }
    json_decref(root);
}

/* S3: Error/...; STS: ErrorResponse/Error/... */
static tg_result on_element(tg_slice path, bool is_leaf, tg_slice text, void *owner)
{
    tg_aws_failure *failure = owner;
    if (tg_slice_starts(path, TG_LIT("ErrorResponse/"))) {
        path = tg_slice_from(path, sizeof "ErrorResponse/" - 1);
    }
    if (is_leaf && tg_slice_equal(path, TG_LIT("Error/Code"))) {
        set_code(failure, text);
    } else if (is_leaf && tg_slice_equal(path, TG_LIT("Error/Message"))) {
        set_text(failure->message, sizeof failure->message, text);
    } else if (is_leaf && failure->request_id[0] == 0 &&
               (tg_slice_equal(path, TG_LIT("Error/RequestId")) || tg_slice_equal(path, TG_LIT("RequestId")))) {
        set_text(failure->request_id, sizeof failure->request_id, text);
    }
    return tg_ok();
}

static bool is_one_of(const char *code, const char *const *codes)
{
    for (size_t i = 0; codes[i] != NULL; i++) {
        if (strcmp(code, codes[i]) == 0) {
            return true;
        }
    }
    return false;
}

static tg_aws_advice advice_for(const tg_aws_failure *failure, uint64_t signed_unix_s)
{
    static const char *const slow[] = {"Throttling",
                                       "ThrottlingException",
                                       "ThrottledException",
                                       "RequestThrottled",
                                       "RequestThrottledException",
                                       "TooManyRequestsException",
                                       "ProvisionedThroughputExceededException",
                                       "RequestLimitExceeded",
                                       "BandwidthLimitExceeded",
                                       "LimitExceededException",
                                       "SlowDown",
                                       "PriorRequestNotComplete",
                                       "EC2ThrottledException",
                                       NULL};
    static const char *const passing[] = {"RequestTimeout",
                                          "RequestTimeoutException",
                                          "InternalError",
                                          "InternalFailure",
                                          "InternalServiceError",
                                          "KMSInternalException",
                                          "DependencyTimeoutException",
                                          "KeyUnavailableException",
                                          "ServiceUnavailable",
                                          "IDPCommunicationError",
                                          NULL};
    static const char *const timely[] = {"RequestTimeTooSkewed",
                                         "RequestExpired",
                                         "RequestInTheFuture",
                                         "InvalidSignatureException",
                                         "SignatureDoesNotMatch",
                                         "AuthFailure",
                                         NULL};
    static const char *const expired[] = {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", NULL};
    uint64_t date = failure->date_unix_s;
    uint64_t apart = date > signed_unix_s ? date - signed_unix_s : signed_unix_s - date;
    if (is_one_of(failure->code, slow) || failure->status == 429) {
        return TG_AWS_SLOW_DOWN;
    }
    if (is_one_of(failure->code, timely) && date > 0 && apart > SKEW_S) {
        return TG_AWS_CORRECT_TIME;
    }
    if (is_one_of(failure->code, expired)) {
        return TG_AWS_RENEW_KEYS;
    }
    bool is_passing = failure->status == 500 || (failure->status >= 502 && failure->status <= 504);
    return is_passing || is_one_of(failure->code, passing) ? TG_AWS_RETRY : TG_AWS_GIVE_UP;
}

void tg_aws_failure_read(unsigned status, const tg_http_header *headers, size_t num_headers, tg_slice body,
                         uint64_t signed_unix_s, tg_aws_failure *out_failure)
{
    tg_slice value;
    tg_aws_failure_clear(out_failure);
    out_failure->result = tg_fail(TG_ERR_DENIED);
    out_failure->status = status;
    set_text(out_failure->request_id, sizeof out_failure->request_id, tg_aws_request_id(headers, num_headers));
    if (tg_http_headers_find(headers, num_headers, TG_LIT("date"), &value)) {
        (void)!tg_is_ok(tg_http_date_parse(value, &out_failure->date_unix_s)); /* 0 stays */
    }
    tg_slice trimmed = tg_slice_trim(body, " \t\r\n");
    if (tg_slice_starts(trimmed, TG_LIT("{"))) {
        read_json(out_failure, body);
    } else if (!tg_is_ok(tg_aws_xml_read(body, on_element, out_failure)) || out_failure->code[0] == 0) {
        out_failure->code[0] = out_failure->message[0] = 0; /* HTML that a proxy wrote, or a part of an answer */
    }
    if (out_failure->code[0] == 0 && tg_http_headers_find(headers, num_headers, TG_LIT("x-amzn-errortype"), &value)) {
        set_code(out_failure, value);
    }
    if (out_failure->message[0] == 0 && out_failure->code[0] == 0) {
        snprintf(out_failure->message, sizeof out_failure->message, "no error of AWS's, but HTTP %u %s", status,
                 tg_http_reason(status));
    }
    out_failure->advice = advice_for(out_failure, signed_unix_s);
}

tg_result tg_aws_failure_append(const tg_aws_failure *failure, tg_buf *buf)
{
    const char *name = failure->code[0] != 0  ? failure->code
                       : failure->status == 0 ? tg_code_name(failure->result.code)
                                              : "";
    TG_TRY(tg_buf_printf(buf, "%s%s%s", name, name[0] != 0 && failure->message[0] != 0 ? ": " : "", failure->message));
    if (failure->status == 0) {
        return tg_ok();
    }
    bool has_id = failure->request_id[0] != 0;
    return tg_buf_printf(buf, " (HTTP %u%s%s)", failure->status, has_id ? ", request " : "", failure->request_id);
}

uint64_t tg_aws_backoff_ms(tg_aws_advice advice, unsigned attempt, uint32_t random)
{
    uint64_t base = advice == TG_AWS_SLOW_DOWN ? SLOW_BASE_MS : BASE_MS;
    unsigned doublings = attempt > 1 ? attempt - 1 : 0;
    uint64_t most = base << (doublings < MAX_DOUBLINGS ? doublings : MAX_DOUBLINGS);
    most = most < MAX_BACKOFF_MS ? most : MAX_BACKOFF_MS;
    return (most + 1) * random >> 32;
}
