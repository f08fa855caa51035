#include "gateway/upstream_fault.h"

#include <string.h>

static tg_gateway_fault fault_of(unsigned status, const char *code, const char *message)
{
    return (tg_gateway_fault){.status = status, .code = code, .message = message};
}

/* OpenSSL's words for a certificate that is not for this name (X509_V_ERR_HOSTNAME_MISMATCH, ..._IP_ADDRESS_...). */
static bool is_other_name(const char *reason)
{
    return strstr(reason, "ostname mismatch") != NULL || strstr(reason, "IP address mismatch") != NULL;
}

/* In TLS 1.3 a server looks at our certificate when the handshake is over for us: its alert may come instead of an
 * answer. */
static bool is_alert(const tg_http_outcome *outcome)
{
    return outcome->answer == NULL && strstr(outcome->reason, " alert ") != NULL;
}

static tg_gateway_fault handshake_fault(const tg_http_outcome *outcome)
{
    if (is_other_name(outcome->reason)) {
        return fault_of(502, "upstream_name",
                        "the backend's certificate is not for its host: put the host into its subjectAltName, or, "
                        "where it has none and the common name is the host, set upstream.allow_common_name");
    }
    if (outcome->result.code == TG_ERR_DENIED) {
        return fault_of(502, "upstream_not_mutual",
                        "the backend asks for no client certificate, so that it does not know who calls it");
    }
    if (strstr(outcome->reason, "certificate has expired") != NULL ||
        strstr(outcome->reason, "certificate is not yet valid") != NULL) {
        return fault_of(502, "upstream_expired", "the backend's certificate has expired, or is not yet valid");
    }
    return fault_of(502, "upstream_tls", "the TLS handshake with the backend failed");
}

static tg_gateway_fault answer_fault(const tg_http_outcome *outcome)
{
    tg_code code = outcome->result.code;
    if (code == TG_ERR_LIMIT) {
        return fault_of(502, "upstream_too_large", "the backend's answer is longer than the route allows");
    }
    if (code == TG_ERR_SYNTAX || code == TG_ERR_RANGE || code == TG_ERR_UNSUPPORTED) {
        return fault_of(502, "upstream_bad_answer", "the backend's answer is not what HTTP allows");
    }
    return outcome->answer != NULL
               ? fault_of(502, "upstream_broken", "the backend's answer broke off")
               : fault_of(502, "upstream_closed", "the backend closed the connection without an answer");
}

tg_gateway_fault tg_upstream_fault_of(const tg_http_outcome *outcome)
{
    if (outcome->result.code == TG_ERR_TIMEOUT && outcome->stage == TG_HTTP_STAGE_QUEUE) {
        return fault_of(503, "upstream_busy", "no connection to the backend became free in time");
    }
    if (outcome->result.code == TG_ERR_TIMEOUT) {
        return fault_of(504, "upstream_timeout", "the backend did not answer in time");
    }
    if (outcome->result.code == TG_ERR_MEMORY) {
        return fault_of(503, "service_unavailable", "there is no memory for this call");
    }
    if (outcome->stage <= TG_HTTP_STAGE_EGRESS) {
        return fault_of(502, "upstream_unreachable", "the backend cannot be reached");
    }
    if (is_alert(outcome)) {
        return fault_of(
            502, "upstream_refused",
            "the backend refuses the TLS connection: perhaps it does not believe the delivered client_cert");
    }
    return outcome->stage == TG_HTTP_STAGE_HANDSHAKE ? handshake_fault(outcome) : answer_fault(outcome);
}
