#include "http/head.h"

#include "base/num.h"
#include "base/text.h"
#include "http/grammar.h"

void tg_http_head_start(tg_http_head_parser *parser, tg_http_head_kind kind, const tg_http_head_limits *limits)
{
    parser->kind = kind;
    parser->limits.head_bytes = (uint32_t)tg_size_min(limits->head_bytes, TG_HTTP_MAX_HEAD_BYTES);
    parser->limits.num_fields = (uint32_t)tg_size_min(limits->num_fields, TG_HTTP_MAX_FIELDS);
    parser->limits.target_bytes = (uint32_t)tg_size_min(limits->target_bytes, TG_HTTP_MAX_HEAD_BYTES);
    parser->has_start_line = false;
    parser->num_blank_lines = 0;
    parser->line_at = 0;
    parser->looked_at = 0;
    parser->start_at = 0;
    parser->head = (tg_http_head){0};
    parser->first_at = 0;
    parser->target_at = 0;
    parser->reason_at = 0;
    parser->refusal = TG_HTTP_NOT_REFUSED;
}

static tg_result refuse(tg_http_head_parser *parser, tg_http_refusal refusal)
{
    parser->refusal = refusal;
    switch (tg_http_refusal_status(refusal)) {
    case 414:
    case 431:
        return tg_fail(TG_ERR_LIMIT);
    case 505:
        return tg_fail(TG_ERR_UNSUPPORTED);
    default:
        return tg_fail(TG_ERR_SYNTAX);
    }
}

/* HTTP-version = %s"HTTP" "/" DIGIT "." DIGIT */
static tg_http_refusal read_version(tg_slice text, unsigned *out_minor)
{
    if (text.len != 8 || !tg_slice_starts(text, TG_LIT("HTTP/")) || !tg_ascii_is_digit(text.ptr[5]) ||
        text.ptr[6] != '.' || !tg_ascii_is_digit(text.ptr[7])) {
        return TG_HTTP_BAD_VERSION;
    }
    if (text.ptr[5] != '1' || text.ptr[7] > '1') {
        return TG_HTTP_VERSION_UNSUPPORTED;
    }
    *out_minor = (unsigned)(text.ptr[7] - '0');
    return TG_HTTP_NOT_REFUSED;
}

/* request-line = method SP request-target SP HTTP-version; method = token */
static tg_http_refusal read_request_line(tg_http_head_parser *parser, tg_slice line)
{
    tg_http_head *head = &parser->head;
    size_t method_len = tg_slice_find(line, ' ');
    head->method.len = method_len;
    parser->first_at = parser->line_at;
    if (method_len == line.len || !tg_http_is_token(tg_slice_first(line, method_len))) {
        return TG_HTTP_BAD_METHOD;
    }
    tg_slice rest = tg_slice_from(line, method_len + 1);
    size_t target_len = tg_slice_find(rest, ' ');
    parser->target_at = parser->line_at + (uint32_t)method_len + 1;
    head->target.len = target_len;
    if (target_len > parser->limits.target_bytes) {
        return TG_HTTP_TARGET_TOO_LONG;
    }
    if (target_len == 0 || !tg_http_all_are(tg_slice_first(rest, target_len), TG_HTTP_VISIBLE)) {
        return TG_HTTP_BAD_TARGET;
    }
    return read_version(tg_slice_from(rest, target_len + 1), &head->minor_version);
}

/* status-line = HTTP-version SP 3DIGIT SP [ reason-phrase ]; reason-phrase = 1*( HTAB / SP / VCHAR / obs-text )
 * The second blank may be missing where no reason follows: known servers leave it out, and nothing turns on it. */
static tg_http_refusal read_status_line(tg_http_head_parser *parser, tg_slice line)
{
    tg_http_head *head = &parser->head;
    tg_http_refusal refusal = read_version(tg_slice_first(line, 8), &head->minor_version);
    if (refusal != TG_HTTP_NOT_REFUSED) {
        return refusal;
    }
    if (line.len < 12 || line.ptr[8] != ' ' || (line.len > 12 && line.ptr[12] != ' ')) {
        return TG_HTTP_BAD_STATUS;
    }
    uint64_t status;
    if (!tg_is_ok(tg_num_parse_u64(tg_slice_of(line.ptr + 9, 3), 599, &status)) || status < 100) {
        return TG_HTTP_BAD_STATUS;
    }
    head->status = (unsigned)status;
    tg_slice reason = tg_slice_from(line, 13);
    parser->reason_at = parser->line_at + (uint32_t)(line.len - reason.len);
    head->reason.len = reason.len;
    return tg_http_is_value_bytes(reason) ? TG_HTTP_NOT_REFUSED : TG_HTTP_BAD_BYTE;
}

/* field-line = field-name ":" OWS field-value OWS; field-name = token
 * A blank at the line's beginning is a folded line (obs-fold), which we refuse; so is one before the colon. */
static tg_http_refusal read_field_line(tg_http_head_parser *parser, tg_slice line)
{
    tg_http_head *head = &parser->head;
    if (line.ptr[0] == ' ' || line.ptr[0] == '\t') {
        return TG_HTTP_FOLDED_LINE;
    }
    if (head->num_headers == parser->limits.num_fields) {
        return TG_HTTP_TOO_MANY_FIELDS;
    }
    size_t name_len = 0;
    while (name_len < line.len && tg_http_is(line.ptr[name_len], TG_HTTP_TCHAR)) {
        name_len++;
    }
    if (name_len == 0 || name_len == line.len || line.ptr[name_len] != ':') {
        return TG_HTTP_BAD_FIELD_NAME;
    }
    tg_slice value = tg_slice_from(line, name_len + 1);
    if (!tg_http_is_value_bytes(value)) {
        return TG_HTTP_BAD_BYTE;
    }
    while (value.len > 0 && (value.ptr[0] == ' ' || value.ptr[0] == '\t')) {
        value = tg_slice_from(value, 1);
    }
    uint32_t value_at = parser->line_at + (uint32_t)(line.len - value.len);
    while (value.len > 0 && (value.ptr[value.len - 1] == ' ' || value.ptr[value.len - 1] == '\t')) {
        value.len--;
    }
    size_t i = head->num_headers++;
    parser->headers[i].name.len = name_len;
    parser->headers[i].value.len = value.len;
    parser->field_at[i][0] = parser->line_at;
    parser->field_at[i][1] = value_at;
    return TG_HTTP_NOT_REFUSED;
}

/* A finished line, without its CRLF. */
static tg_http_refusal read_line(tg_http_head_parser *parser, tg_slice line, bool *out_is_end)
{
    if (parser->has_start_line) {
        *out_is_end = line.len == 0;
        return line.len == 0 ? TG_HTTP_NOT_REFUSED : read_field_line(parser, line);
    }
    if (line.len == 0 && parser->kind == TG_HTTP_REQUEST_HEAD && parser->num_blank_lines < TG_HTTP_MAX_BLANK_LINES) {
        parser->num_blank_lines++;
        return TG_HTTP_NOT_REFUSED;
    }
    parser->has_start_line = true;
    parser->start_at = parser->line_at;
    return parser->kind == TG_HTTP_REQUEST_HEAD ? read_request_line(parser, line) : read_status_line(parser, line);
}

/* The line has no end yet: what cannot become right is refused now, so that no peer is waited for in vain. A CR may
 * be the line's last byte only. */
static tg_http_refusal look_at_part(const tg_http_head_parser *parser, tg_slice bytes)
{
    tg_slice fresh = tg_slice_from(bytes, parser->looked_at);
    if (fresh.len > 0 && fresh.ptr[fresh.len - 1] == '\r') {
        fresh.len--;
    }
    if (!tg_http_is_value_bytes(fresh)) {
        return TG_HTTP_BAD_BYTE;
    }
    tg_slice line = tg_slice_from(bytes, parser->line_at);
    if (!parser->has_start_line && parser->kind == TG_HTTP_REQUEST_HEAD) {
        size_t method_len = tg_slice_find(line, ' ');
        if (method_len < line.len) {
            tg_slice rest = tg_slice_from(line, method_len + 1);
            if (tg_slice_find(rest, ' ') > parser->limits.target_bytes) {
                return TG_HTTP_TARGET_TOO_LONG;
            }
        }
    }
    return bytes.len >= parser->limits.head_bytes ? TG_HTTP_HEAD_TOO_LARGE : TG_HTTP_NOT_REFUSED;
}

/* Sets the pointers, now that the bytes will not move any more. */
static void point_at(tg_http_head_parser *parser, tg_slice bytes)
{
    tg_http_head *head = &parser->head;
    head->method.ptr = bytes.ptr + parser->first_at;
    head->target.ptr = bytes.ptr + parser->target_at;
    head->reason.ptr = bytes.ptr + parser->reason_at;
    for (size_t i = 0; i < head->num_headers; i++) {
        parser->headers[i].name.ptr = bytes.ptr + parser->field_at[i][0];
        parser->headers[i].value.ptr = bytes.ptr + parser->field_at[i][1];
    }
    head->headers = parser->headers;
}

/* HTTP-message = start-line CRLF *( field-line CRLF ) CRLF [ message-body ] */
tg_result tg_http_head_parse(tg_http_head_parser *parser, tg_slice bytes, tg_http_head *out_head)
{
    if (parser->refusal != TG_HTTP_NOT_REFUSED) {
        return refuse(parser, parser->refusal);
    }
    tg_slice within = tg_slice_first(bytes, parser->limits.head_bytes);
    if (within.len < parser->looked_at) { /* fewer than the last time: not all bytes since the beginning */
        return tg_fail(TG_ERR_AGAIN);
    }
    for (;;) {
        tg_http_refusal refusal;
        tg_slice fresh = tg_slice_from(within, parser->looked_at);
        size_t lf = parser->looked_at + tg_slice_find(fresh, '\n');
        if (lf == within.len) {
            refusal = look_at_part(parser, within);
            if (refusal != TG_HTTP_NOT_REFUSED) {
                return refuse(parser, refusal);
            }
            /* A CR at the end is looked at again: what follows it decides. */
            bool ends_in_cr = within.len > parser->line_at && within.ptr[within.len - 1] == '\r';
            parser->looked_at = (uint32_t)(within.len - (ends_in_cr ? 1 : 0));
            return tg_fail(TG_ERR_AGAIN);
        }
        if (lf == parser->line_at || within.ptr[lf - 1] != '\r') {
            return refuse(parser, TG_HTTP_BARE_LF);
        }
        bool is_end = false;
        refusal = read_line(parser, tg_slice_of(within.ptr + parser->line_at, lf - 1 - parser->line_at), &is_end);
        if (refusal != TG_HTTP_NOT_REFUSED) {
            return refuse(parser, refusal);
        }
        parser->line_at = (uint32_t)lf + 1;
        parser->looked_at = parser->line_at;
        if (is_end) {
            point_at(parser, within);
            parser->head.len = parser->line_at;
            *out_head = parser->head;
            return tg_ok();
        }
    }
}
