#include "attest/nitro_document.h"

#include "attest/cbor.h"

/* The members of the payload, by the names that AWS gives them. */
enum {
    MODULE_ID = 1u,
    TIMESTAMP = 2u,
    DIGEST = 4u,
    PCRS = 8u,
    CERTIFICATE = 16u,
    CABUNDLE = 32u,
    PUBLIC_KEY = 64u,
    USER_DATA = 128u,
    NONCE = 256u,
    REQUIRED = MODULE_ID | TIMESTAMP | DIGEST | PCRS | CERTIFICATE | CABUNDLE
};
enum { COSE_SIGN1_TAG = 18, COSE_ALG = 1, MAX_MODULE_ID_BYTES = 256 };

static tg_result refuse(tg_detail *detail, const char *field, tg_code code, const char *reason)
{
    tg_detail_set_place(detail, (tg_slice){NULL, 0}, 0, tg_slice_str(field));
    tg_detail_set_reason(detail, "%s", reason);
    return tg_fail(code);
}

static tg_result refuse_by(tg_detail *detail, const char *field, const tg_cbor *cbor)
{
    return refuse(detail, field, cbor->reader.code, "is not of the form that Nitro's documents have");
}

static tg_result check_len(tg_detail *detail, const char *field, tg_slice bytes, size_t min, size_t max)
{
    return bytes.len >= min && bytes.len <= max ? tg_ok()
                                                : refuse(detail, field, TG_ERR_RANGE, "has a length that none has");
}

/* pcrs = { + index => bstr .size 48 }, index 0 to 31 */
static tg_result read_pcrs(tg_cbor *cbor, tg_nitro_document *document, tg_detail *detail)
{
    size_t num_pcrs = tg_cbor_map(cbor);
    for (size_t i = 0; i < num_pcrs && !tg_cbor_has_failed(cbor); i++) {
        uint64_t index = tg_cbor_unsigned(cbor);
        tg_slice value = tg_cbor_bytes(cbor);
        if (tg_cbor_has_failed(cbor)) {
            break;
        }
        if (index >= TG_NITRO_NUM_PCRS) {
            return refuse(detail, "pcrs", TG_ERR_RANGE, "has an index above 31");
        }
        if (document->pcrs[index].ptr != NULL) {
            return refuse(detail, "pcrs", TG_ERR_EXISTS, "has an index twice");
        }
        TG_TRY(check_len(detail, "pcrs", value, TG_NITRO_PCR_BYTES, TG_NITRO_PCR_BYTES));
        document->pcrs[index] = value;
    }
    return tg_cbor_has_failed(cbor) ? refuse_by(detail, "pcrs", cbor)
                                    : check_len(detail, "pcrs", (tg_slice){NULL, num_pcrs}, 1, TG_NITRO_NUM_PCRS);
}

/* cabundle = [ + bstr .size (1..1024) ] */
static tg_result read_bundle(tg_cbor *cbor, tg_nitro_document *document, tg_detail *detail)
{
    size_t num_certificates = tg_cbor_array(cbor);
    if (!tg_cbor_has_failed(cbor) && (num_certificates == 0 || num_certificates > TG_MAX_NITRO_BUNDLE)) {
        return refuse(detail, "cabundle", TG_ERR_RANGE, "holds not 1 to 8 certificates");
    }
    for (size_t i = 0; i < num_certificates; i++) {
        tg_slice certificate = tg_cbor_bytes(cbor);
        if (!tg_cbor_has_failed(cbor)) {
            TG_TRY(check_len(detail, "cabundle", certificate, 1, TG_MAX_NITRO_CERTIFICATE_BYTES));
        }
        document->bundle[i] = certificate;
    }
    document->num_bundle = num_certificates;
    return tg_cbor_has_failed(cbor) ? refuse_by(detail, "cabundle", cbor) : tg_ok();
}

static tg_result read_optional(tg_cbor *cbor, const char *name, tg_slice *out_bytes, tg_detail *detail)
{
    *out_bytes = tg_cbor_bytes_or_null(cbor);
    TG_TRY(tg_cbor_has_failed(cbor) ? refuse_by(detail, name, cbor) : tg_ok());
    return check_len(detail, name, *out_bytes, 0, TG_MAX_NITRO_FIELD_BYTES);
}

static tg_result read_value(tg_cbor *cbor, unsigned member, const char *name, tg_nitro_document *document,
                            tg_detail *detail)
{
    tg_result result = tg_ok();
    switch (member) {
    case MODULE_ID:
        document->module_id = tg_cbor_text(cbor);
        result =
            tg_cbor_has_failed(cbor) ? tg_ok() : check_len(detail, name, document->module_id, 1, MAX_MODULE_ID_BYTES);
        break;
    case TIMESTAMP:
        document->timestamp_unix_ms = tg_cbor_unsigned(cbor);
        break;
    case DIGEST:
        if (!tg_slice_equal(tg_cbor_text(cbor), TG_LIT("SHA384")) && !tg_cbor_has_failed(cbor)) {
            result = refuse(detail, name, TG_ERR_UNSUPPORTED, "is not SHA384");
        }
        break;
    case PCRS:
        return read_pcrs(cbor, document, detail);
    case CERTIFICATE:
        document->certificate = tg_cbor_bytes(cbor);
        result = tg_cbor_has_failed(cbor)
                     ? tg_ok()
                     : check_len(detail, name, document->certificate, 1, TG_MAX_NITRO_CERTIFICATE_BYTES);
        break;
    case CABUNDLE:
        return read_bundle(cbor, document, detail);
    case PUBLIC_KEY:
        return read_optional(cbor, name, &document->public_key, detail);
    case USER_DATA:
        return read_optional(cbor, name, &document->user_data, detail);
    default:
        return read_optional(cbor, name, &document->nonce, detail);
    }
    TG_TRY(result);
    return tg_cbor_has_failed(cbor) ? refuse_by(detail, name, cbor) : tg_ok();
}

static const struct {
    const char *name;
    unsigned member;
} members[] = {
    {"module_id", MODULE_ID},
    {"timestamp", TIMESTAMP},
    {"digest", DIGEST},
    {"pcrs", PCRS},
    {"certificate", CERTIFICATE},
    {"cabundle", CABUNDLE},
    {"public_key", PUBLIC_KEY},
    {"user_data", USER_DATA},
    {"nonce", NONCE},
};

static tg_result read_member(tg_cbor *cbor, unsigned *seen, tg_nitro_document *document, tg_detail *detail)
{
    tg_slice name = tg_cbor_text(cbor);
    if (tg_cbor_has_failed(cbor)) {
        return refuse_by(detail, "payload", cbor);
    }
    for (size_t i = 0; i < TG_COUNT(members); i++) {
        if (tg_slice_equal(name, tg_slice_str(members[i].name))) {
            if ((*seen & members[i].member) != 0) {
                return refuse(detail, members[i].name, TG_ERR_EXISTS, "stands there twice");
            }
            *seen |= members[i].member;
            return read_value(cbor, members[i].member, members[i].name, document, detail);
        }
    }
    return refuse(detail, "payload", TG_ERR_UNSUPPORTED, "has a member that no such document has");
}

static tg_result read_payload(tg_nitro_document *document, tg_detail *detail)
{
    tg_cbor cbor = tg_cbor_of(document->payload);
    unsigned seen = 0;
    size_t num_members = tg_cbor_map(&cbor);
    for (size_t i = 0; i < num_members; i++) {
        TG_TRY(read_member(&cbor, &seen, document, detail));
    }
    tg_result finished = tg_cbor_finish(&cbor);
    if (!tg_is_ok(finished)) {
        return refuse(detail, "payload", finished.code, "is not one map");
    }
    for (size_t i = 0; i < TG_COUNT(members); i++) {
        if ((members[i].member & REQUIRED & ~seen) != 0) {
            return refuse(detail, members[i].name, TG_ERR_NOT_FOUND, "is missing");
        }
    }
    return tg_ok();
}

/* protected = { 1: -35 }: the algorithm ES384 (RFC 9053 §2.1) and nothing else. */
static tg_result check_protected(tg_slice bytes, tg_detail *detail)
{
    tg_cbor cbor = tg_cbor_of(bytes);
    size_t num_members = tg_cbor_map(&cbor);
    uint64_t label = num_members == 1 ? tg_cbor_unsigned(&cbor) : 0;
    tg_cbor_head value = num_members == 1 ? tg_cbor_read_head(&cbor) : (tg_cbor_head){TG_CBOR_UNSIGNED, 0};
    if (!tg_is_ok(tg_cbor_finish(&cbor)) || label != COSE_ALG || value.type != TG_CBOR_NEGATIVE || value.value != 34) {
        return refuse(detail, "protected", TG_ERR_UNSUPPORTED, "names not the algorithm ES384 alone");
    }
    return tg_ok();
}

tg_result tg_nitro_document_parse(tg_slice bytes, tg_nitro_document *out_document, tg_detail *detail)
{
    tg_nitro_document document = {0};
    if (bytes.len > TG_MAX_NITRO_DOCUMENT_BYTES) {
        return refuse(detail, "document", TG_ERR_LIMIT, "is longer than 16384 bytes");
    }
    tg_cbor cbor = tg_cbor_of(bytes);
    (void)tg_cbor_take_tag(&cbor, COSE_SIGN1_TAG);
    size_t num_parts = tg_cbor_array(&cbor);
    document.protected_header = tg_cbor_bytes(&cbor);
    size_t num_unprotected = tg_cbor_map(&cbor);
    document.payload = tg_cbor_bytes(&cbor);
    document.signature = tg_cbor_bytes(&cbor);
    tg_result finished = tg_cbor_finish(&cbor);
    if (!tg_is_ok(finished)) {
        return refuse(detail, "document", finished.code, "is no COSE_Sign1 of four parts");
    }
    if (num_parts != 4 || num_unprotected != 0) {
        return refuse(detail, "document", TG_ERR_UNSUPPORTED, "has other parts or headers than Nitro's");
    }
    TG_TRY(check_protected(document.protected_header, detail));
    TG_TRY(check_len(detail, "signature", document.signature, TG_NITRO_SIGNATURE_BYTES, TG_NITRO_SIGNATURE_BYTES));
    TG_TRY(read_payload(&document, detail));
    *out_document = document;
    return tg_ok();
}

bool tg_nitro_document_is_debug(const tg_nitro_document *document)
{
    static const uint8_t zeros[TG_NITRO_PCR_BYTES];
    return document->pcrs[0].ptr == NULL || tg_slice_equal(document->pcrs[0], tg_slice_of(zeros, TG_NITRO_PCR_BYTES));
}
