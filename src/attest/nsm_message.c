#include "attest/nsm_message.h"

#include "attest/cbor_write.h"

static tg_result put_named_map(tg_buf *out, const char *name, uint64_t num_members)
{
    TG_TRY(tg_cbor_put_head(out, TG_CBOR_MAP, 1));
    TG_TRY(tg_cbor_put_text(out, name));
    return tg_cbor_put_head(out, TG_CBOR_MAP, num_members);
}

static tg_result put_optional(tg_buf *out, const char *name, tg_slice bytes)
{
    TG_TRY(tg_cbor_put_text(out, name));
    return tg_cbor_put_bytes_or_null(out, bytes);
}

tg_result tg_nsm_put_attestation(tg_buf *out, const tg_attest_request *request)
{
    TG_TRY(put_named_map(out, "Attestation", 3));
    TG_TRY(put_optional(out, "user_data", request->user_data));
    TG_TRY(put_optional(out, "nonce", request->nonce));
    return put_optional(out, "public_key", request->public_key);
}

tg_result tg_nsm_put_get_random(tg_buf *out)
{
    return tg_cbor_put_text(out, "GetRandom");
}

static tg_result put_index(tg_buf *out, unsigned index)
{
    TG_TRY(tg_cbor_put_text(out, "index"));
    return tg_cbor_put_head(out, TG_CBOR_UNSIGNED, index);
}

tg_result tg_nsm_put_pcr(tg_buf *out, const char *name, unsigned index)
{
    TG_TRY(put_named_map(out, name, 1));
    return put_index(out, index);
}

tg_result tg_nsm_put_extend_pcr(tg_buf *out, unsigned index, tg_slice bytes)
{
    TG_TRY(put_named_map(out, "ExtendPCR", 2));
    TG_TRY(put_index(out, index));
    TG_TRY(tg_cbor_put_text(out, "data"));
    return tg_cbor_put_bytes(out, bytes);
}

static tg_result refuse(tg_detail *detail, tg_code code, const char *reason)
{
    tg_detail_set_place(detail, (tg_slice){NULL, 0}, 0, TG_LIT("security module"));
    tg_detail_set_reason(detail, "%s", reason);
    return tg_fail(code);
}

static tg_result refuse_by(tg_detail *detail, const tg_cbor *cbor)
{
    return refuse(detail, cbor->reader.code, "its answer is not of the form that such answers have");
}

static tg_result told_error(tg_slice name, tg_detail *detail)
{
    static const struct {
        const char *name;
        tg_code code;
    } errors[] = {{"InvalidIndex", TG_ERR_RANGE},      {"ReadOnlyIndex", TG_ERR_DENIED},
                  {"InvalidOperation", TG_ERR_DENIED}, {"InputTooLarge", TG_ERR_LIMIT},
                  {"BufferTooSmall", TG_ERR_LIMIT},    {"InvalidArgument", TG_ERR_LIBRARY},
                  {"InvalidResponse", TG_ERR_LIBRARY}, {"InternalError", TG_ERR_LIBRARY}};
    tg_detail_set_place(detail, (tg_slice){NULL, 0}, 0, TG_LIT("security module"));
    for (size_t i = 0; i < TG_COUNT(errors); i++) {
        if (tg_slice_equal(name, tg_slice_str(errors[i].name))) {
            tg_detail_set_reason(detail, "it answered %s", errors[i].name);
            return tg_fail(errors[i].code);
        }
    }
    tg_detail_set_reason(detail, "it answered an error that is not known");
    return tg_fail(TG_ERR_LIBRARY);
}

enum { DOCUMENT = 1u, RANDOM = 2u, DATA = 4u, LOCK = 8u };

static const struct {
    const char *name;
    unsigned member;
} members[] = {{"document", DOCUMENT}, {"random", RANDOM}, {"data", DATA}, {"lock", LOCK}};

static unsigned members_of(const char *answer)
{
    static const struct {
        const char *name;
        unsigned members;
    } answers[] = {{"Attestation", DOCUMENT}, {"GetRandom", RANDOM}, {"ExtendPCR", DATA}, {"DescribePCR", DATA | LOCK}};
    for (size_t i = 0; i < TG_COUNT(answers); i++) {
        if (strcmp(answers[i].name, answer) == 0) {
            return answers[i].members;
        }
    }
    return 0;
}

static unsigned member_of(tg_slice name)
{
    for (size_t i = 0; i < TG_COUNT(members); i++) {
        if (tg_slice_equal(name, tg_slice_str(members[i].name))) {
            return members[i].member;
        }
    }
    return 0;
}

static void read_bool(tg_cbor *cbor, bool *out_value)
{
    tg_cbor_head head = tg_cbor_read_head(cbor);
    if (!tg_cbor_has_failed(cbor) &&
        (head.type != TG_CBOR_SIMPLE || (head.value != TG_CBOR_FALSE && head.value != TG_CBOR_TRUE))) {
        tg_cbor_fail(cbor, TG_ERR_MISMATCH);
    }
    *out_value = head.value == TG_CBOR_TRUE;
}

static void read_value(tg_cbor *cbor, unsigned member, tg_nsm_answer *answer)
{
    switch (member) {
    case DOCUMENT:
        answer->document = tg_cbor_bytes(cbor);
        break;
    case RANDOM:
        answer->random = tg_cbor_bytes(cbor);
        break;
    case DATA:
        answer->data = tg_cbor_bytes(cbor);
        break;
    default:
        read_bool(cbor, &answer->is_locked);
        break;
    }
}

static tg_result read_members(tg_cbor *cbor, unsigned wanted, tg_nsm_answer *answer, tg_detail *detail)
{
    unsigned seen = 0;
    size_t num_members = tg_cbor_map(cbor);
    for (size_t i = 0; i < num_members && !tg_cbor_has_failed(cbor); i++) {
        unsigned member = member_of(tg_cbor_text(cbor));
        if (tg_cbor_has_failed(cbor)) {
            break;
        }
        if ((member & wanted) == 0) {
            return refuse(detail, TG_ERR_UNSUPPORTED, "its answer has a member that such answers do not have");
        }
        if ((member & seen) != 0) {
            return refuse(detail, TG_ERR_EXISTS, "its answer has a member twice");
        }
        seen |= member;
        read_value(cbor, member, answer);
    }
    TG_TRY(tg_cbor_has_failed(cbor) ? refuse_by(detail, cbor) : tg_ok());
    return seen == wanted ? tg_ok() : refuse(detail, TG_ERR_NOT_FOUND, "its answer lacks a member");
}

tg_result tg_nsm_answer_parse(tg_slice bytes, const char *name, tg_nsm_answer *out_answer, tg_detail *detail)
{
    tg_nsm_answer answer = {0};
    unsigned wanted = members_of(name);
    tg_cbor cbor = tg_cbor_of(bytes);
    tg_cbor_head head = tg_cbor_read_head(&cbor);
    bool is_map = head.type == TG_CBOR_MAP && head.value == 1;
    if (tg_cbor_has_failed(&cbor) || bytes.len > TG_MAX_NSM_ANSWER_BYTES) {
        return refuse(detail, bytes.len > TG_MAX_NSM_ANSWER_BYTES ? TG_ERR_LIMIT : cbor.reader.code,
                      "its answer is no CBOR, or too long");
    }
    if (!is_map) { /* the answer is its name alone */
        cbor = tg_cbor_of(bytes);
    }
    tg_slice answered = tg_cbor_text(&cbor);
    if (is_map && tg_slice_equal(answered, TG_LIT("Error"))) {
        tg_slice error = tg_cbor_text(&cbor);
        return tg_is_ok(tg_cbor_finish(&cbor)) ? told_error(error, detail) : refuse_by(detail, &cbor);
    }
    TG_TRY(tg_cbor_has_failed(&cbor) ? refuse_by(detail, &cbor) : tg_ok());
    if (!tg_slice_equal(answered, tg_slice_str(name)) || is_map != (wanted != 0)) {
        return refuse(detail, TG_ERR_MISMATCH, "it answered something else than what it was asked");
    }
    TG_TRY(is_map ? read_members(&cbor, wanted, &answer, detail) : tg_ok());
    if (!tg_is_ok(tg_cbor_finish(&cbor))) {
        return refuse(detail, TG_ERR_SYNTAX, "its answer goes on behind its end");
    }
    *out_answer = answer;
    return tg_ok();
}
