#include "secrets/bundle.h"

#include "base/text.h"
#include "outbound/origin.h"
#include "tls/context.h"
#include "tls/identity_chain.h"

#include <jansson.h>

static const char mtls_name[] = "MTLS_CLIENT_CERT_JSON";
static const char tls_name[] = "TLS_CERT_JSON";

/* Values that any delivery may hold, those that only a sealed one may, and what none ever may: who may say that decides
 * where plaintext goes. */
static const char *const open_values[] = {"ECS_WATERMARK_ENDPOINT"};
static const char *const sealed_values[] = {TG_SECRET_AWS_KEY_ID, TG_SECRET_AWS_KEY, TG_SECRET_AWS_TOKEN};
static const char *const never[] = {"CLIENT_CA_PEM", "DEK", "DEK_FILE"};

static tg_result refuse(tg_delivery_fault *fault, const char *code, const char *member, const char *reason,
                        const char *remedy)
{
    fault->code = code;
    tg_detail_set_place(&fault->detail, (tg_slice){NULL, 0}, 0, tg_slice_str(member));
    tg_detail_set_reason(&fault->detail, "%s", reason);
    tg_detail_set_remedy(&fault->detail, "%s", remedy);
    return tg_fail(TG_ERR_SYNTAX);
}

/* The detail is set already, by whoever found out. */
static tg_result refuse_as(tg_delivery_fault *fault, const char *code, const char *member, tg_result result)
{
    fault->code = result.code == TG_ERR_MEMORY ? "out_of_memory" : code;
    tg_detail_set_place(&fault->detail, (tg_slice){NULL, 0}, 0, tg_slice_str(member));
    return result;
}

static bool is_among(const char *name, const char *const *names, size_t num_names)
{
    for (size_t i = 0; i < num_names; i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

static tg_slice text_of(const json_t *value)
{
    return tg_slice_of(json_string_value(value), json_string_length(value));
}

/* The parts of an identity under any of the names that people give them. */
enum { PART_CERT, PART_KEY, PART_CA, NUM_PARTS, NUM_SPELLINGS = 3 };
static const char *const spellings[NUM_PARTS][NUM_SPELLINGS] = {
    {"client_cert", "cert", "certificate"}, {"client_key", "key", "private_key"}, {"ca_cert", "ca", "ca_certificate"}};

static int part_of(const char *name)
{
    for (int part = 0; part < NUM_PARTS; part++) {
        if (is_among(name, spellings[part], NUM_SPELLINGS)) {
            return part;
        }
    }
    return -1;
}

static tg_result check_pem(tg_slice pem, const char *member, tg_delivery_fault *fault)
{
    if (pem.len == 0) {
        return refuse(fault, "bad_certificate", member, "a part is empty or no text", "give PEM in a JSON string");
    }
    if (tg_slice_find(pem, '\n') == pem.len) {
        return refuse(fault, "bad_certificate", member, "a part has no line breaks",
                      "write them as \\n in the JSON string once, not escaped twice");
    }
    return tg_ok();
}

static tg_result read_parts(const json_t *object, const char *member, size_t num_wanted, tg_slice parts[NUM_PARTS],
                            tg_delivery_fault *fault)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, name, value)
    {
        int part = part_of(name);
        if (part < 0 || (size_t)part >= num_wanted) {
            return refuse(fault, "unknown_member", member, "holds a member that is not known",
                          "its members are client_cert, client_key and ca_cert, or their other names");
        }
        if (parts[part].ptr != NULL) {
            return refuse(fault, "doubled_member", member, "holds one part under two names", "give each part once");
        }
        parts[part] = json_is_string(value) ? text_of(value) : (tg_slice){(const uint8_t *)"", 0};
    }
    for (size_t i = 0; i < num_wanted; i++) {
        if (parts[i].ptr == NULL) {
            return refuse(fault, "missing_member", member,
                          i == PART_CERT  ? "client_cert is missing"
                          : i == PART_KEY ? "client_key is missing"
                                          : "ca_cert is missing",
                          "give all parts together");
        }
        TG_TRY(check_pem(parts[i], member, fault));
    }
    return tg_ok();
}

/* The value itself, or what its text says: stores of secrets like to keep JSON in strings. The caller ends *out_own. */
static tg_result unwrap(const json_t *value, const char *member, const json_t **out_object, json_t **out_own,
                        tg_delivery_fault *fault)
{
    *out_object = value;
    *out_own = NULL;
    if (json_is_string(value)) {
        *out_own = json_loadb(json_string_value(value), json_string_length(value), JSON_REJECT_DUPLICATES, NULL);
        *out_object = *out_own;
    }
    if (!json_is_object(*out_object)) {
        json_decref(*out_own);
        *out_own = NULL;
        return refuse(fault, "bad_member", member, "is neither a JSON object nor a string of one",
                      "see `teegate secrets template`");
    }
    return tg_ok();
}

/* What TLS takes is TLS's to say: a context is made for the try of it. */
static tg_result try_client(const tg_bundle *bundle, tg_detail *detail)
{
    const tg_tls_client_settings settings = {.issuers = bundle->ca, .identity = bundle->client};
    tg_tls_context *tried = NULL;
    TG_TRY(tg_tls_context_new_client(&settings, &tried, detail));
    tg_tls_context_unref(tried);
    return tg_ok();
}

static tg_result try_server(const tg_bundle *bundle, tg_detail *detail)
{
    const tg_tls_server_settings settings = {.identity = bundle->server};
    tg_tls_context *tried = NULL;
    TG_TRY(tg_tls_context_new_server(&settings, &tried, detail));
    tg_tls_context_unref(tried);
    return tg_ok();
}

static tg_result make_client(const tg_slice parts[NUM_PARTS], int64_t now_unix_s, tg_bundle *bundle, tg_detail *detail)
{
    TG_TRY(tg_tls_identity_parse(parts[PART_CERT], parts[PART_KEY], now_unix_s, &bundle->client, detail));
    TG_TRY(tg_tls_authorities_parse(parts[PART_CA], now_unix_s, &bundle->ca, detail));
    TG_TRY(tg_tls_identity_check_chain(bundle->client, bundle->ca, now_unix_s, detail));
    TG_TRY(try_client(bundle, detail));
    TG_TRY(tg_secret_copy(parts[PART_CERT], &bundle->client_cert_pem));
    TG_TRY(tg_secret_copy(parts[PART_KEY], &bundle->client_key_pem));
    return tg_secret_copy(parts[PART_CA], &bundle->ca_pem);
}

static tg_result read_client(const json_t *value, const tg_bundle_rules *rules, tg_bundle *bundle,
                             tg_delivery_fault *fault)
{
    tg_slice parts[NUM_PARTS] = {{NULL, 0}};
    const json_t *object;
    json_t *own;
    TG_TRY(unwrap(value, mtls_name, &object, &own, fault));
    tg_result result = read_parts(object, mtls_name, NUM_PARTS, parts, fault);
    if (tg_is_ok(result)) {
        result = make_client(parts, rules->now_unix_s, bundle, &fault->detail);
        result = tg_is_ok(result) ? result : refuse_as(fault, "bad_certificate", mtls_name, result);
    }
    json_decref(own);
    return result;
}

static tg_result read_server(const json_t *value, const tg_bundle_rules *rules, tg_bundle *bundle,
                             tg_delivery_fault *fault)
{
    tg_slice parts[NUM_PARTS] = {{NULL, 0}};
    const json_t *object;
    json_t *own;
    TG_TRY(unwrap(value, tls_name, &object, &own, fault));
    tg_result result = read_parts(object, tls_name, PART_CA, parts, fault);
    if (tg_is_ok(result)) {
        result = tg_tls_identity_parse(parts[PART_CERT], parts[PART_KEY], rules->now_unix_s, &bundle->server,
                                       &fault->detail);
        result = tg_is_ok(result) ? try_server(bundle, &fault->detail) : result;
        result = tg_is_ok(result) ? result : refuse_as(fault, "bad_certificate", tls_name, result);
    }
    json_decref(own);
    return result;
}

static tg_result read_value(const char *name, const json_t *value, tg_bundle *bundle, tg_delivery_fault *fault)
{
    tg_slice text = text_of(value);
    if (!json_is_string(value) || text.len == 0 || text.len > TG_MAX_SECRET_VALUE_BYTES) {
        return refuse(fault, "bad_value", name, "is no text of 1 to 4096 bytes", "give a JSON string");
    }
    if (tg_secret_name_is_url(tg_slice_str(name))) {
        tg_origin origin;
        tg_detail unshown = {0}; /* it may quote the URL */
        if (!tg_is_ok(tg_origin_parse(text, &origin, &unshown))) {
            return refuse(fault, "bad_url", name, "is no URL that can be called",
                          "write https://HOST[:PORT][/PATH], without user, query or fragment");
        }
    }
    if (bundle->num_values == TG_MAX_SECRET_VALUES) {
        return refuse(fault, "too_many_values", name, "is one value too many", "at most 16 named values");
    }
    tg_secret_value *entry = &bundle->values[bundle->num_values];
    tg_result result = tg_secret_copy(text, &entry->text);
    if (!tg_is_ok(result)) {
        tg_detail_set_reason(&fault->detail, "no locked memory is left for it");
        return refuse_as(fault, "out_of_memory", name, result);
    }
    memcpy(entry->name, name, strlen(name) + 1);
    bundle->num_values++;
    return tg_ok();
}

/* Names are shown in answers: what is no name is not. */
static bool is_name(const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < len; i++) {
        uint8_t c = (uint8_t)name[i];
        if (!tg_ascii_is_alpha(c) && !tg_ascii_is_digit(c) && c != '_') {
            return false;
        }
    }
    return len >= 1 && len <= TG_MAX_SECRET_NAME_BYTES;
}

static tg_result read_member(const char *name, const json_t *value, const tg_bundle_rules *rules, tg_bundle *bundle,
                             tg_delivery_fault *fault)
{
    bool is_for_sealed = strcmp(name, tls_name) == 0 || is_among(name, sealed_values, TG_COUNT(sealed_values));
    if (!is_name(name)) {
        return refuse(fault, "unknown_member", "", "holds a member whose name is none of ours",
                      "see `teegate secrets template`");
    }
    if (is_among(name, never, TG_COUNT(never))) {
        return refuse(fault, "forbidden_member", name, "is never taken from a delivery",
                      "it belongs to the measured image, or comes from KMS");
    }
    if (is_for_sealed && !rules->is_sealed) {
        return refuse(fault, "forbidden_member", name, "is not taken in open mode: anybody could set it",
                      "build the image with SECRETS_MODE=sealed, and send it with --sign");
    }
    if (strcmp(name, mtls_name) == 0) {
        return read_client(value, rules, bundle, fault);
    }
    if (strcmp(name, tls_name) == 0) {
        return read_server(value, rules, bundle, fault);
    }
    if (is_for_sealed || is_among(name, open_values, TG_COUNT(open_values)) ||
        is_among(name, rules->names, rules->num_names)) {
        return read_value(name, value, bundle, fault);
    }
    return refuse(fault, "unknown_member", name, "is not known", "name it in SECRETS_VALUES, or leave it out");
}

static bool has_value(const tg_bundle *bundle, const char *name)
{
    for (size_t i = 0; i < bundle->num_values; i++) {
        if (strcmp(bundle->values[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static tg_result check_aws_keys(const tg_bundle *bundle, tg_delivery_fault *fault)
{
    bool has_id = has_value(bundle, TG_SECRET_AWS_KEY_ID);
    if (has_id != has_value(bundle, TG_SECRET_AWS_KEY)) {
        return refuse(fault, "missing_member", has_id ? TG_SECRET_AWS_KEY : TG_SECRET_AWS_KEY_ID, "is missing",
                      "give both keys together");
    }
    return has_id || !has_value(bundle, TG_SECRET_AWS_TOKEN)
               ? tg_ok()
               : refuse(fault, "missing_member", TG_SECRET_AWS_KEY_ID,
                        "is missing: a session token belongs to its keys", "give the three together");
}

static tg_result read_members(const json_t *object, const tg_bundle_rules *rules, tg_bundle *bundle,
                              tg_delivery_fault *fault)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, name, value)
    {
        TG_TRY(read_member(name, value, rules, bundle, fault));
    }
    return check_aws_keys(bundle, fault);
}

static bool says_nothing(tg_slice text)
{
    return text.len == 0 || tg_slice_equal(text, TG_LIT("test")) || tg_slice_equal(text, TG_LIT("\"test\""));
}

tg_result tg_bundle_parse(tg_slice text, const tg_bundle_rules *rules, tg_bundle *out_bundle,
                          tg_delivery_fault *out_fault)
{
    tg_bundle bundle = {0};
    *out_bundle = bundle;
    *out_fault = (tg_delivery_fault){.code = "internal_error"};
    tg_slice trimmed = tg_slice_trim(text, " \t\r\n");
    if (says_nothing(trimmed)) {
        return tg_ok();
    }
    if (text.len > TG_MAX_DELIVERY_BYTES) {
        return refuse(out_fault, "too_large", "", "more than 1 MiB", "send the named members only");
    }
    json_t *object = json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL);
    tg_result result = json_is_object(object)
                           ? read_members(object, rules, &bundle, out_fault)
                           : refuse(out_fault, "not_json", "", "not one JSON object, or a member stands in it twice",
                                    "send the object alone and end the stream");
    json_decref(object);
    if (!tg_is_ok(result)) {
        tg_bundle_done(&bundle);
        return result;
    }
    *out_bundle = bundle;
    return tg_ok();
}

void tg_bundle_done(tg_bundle *bundle)
{
    tg_tls_identity_unref(bundle->client);
    tg_tls_authorities_unref(bundle->ca);
    tg_tls_identity_unref(bundle->server);
    tg_secret_free(bundle->client_cert_pem);
    tg_secret_free(bundle->client_key_pem);
    tg_secret_free(bundle->ca_pem);
    for (size_t i = 0; i < bundle->num_values; i++) {
        tg_secret_free(bundle->values[i].text);
    }
    *bundle = (tg_bundle){0};
}

bool tg_bundle_is_empty(const tg_bundle *bundle)
{
    return bundle->client == NULL && bundle->server == NULL && bundle->num_values == 0;
}

bool tg_secret_name_is_valid(tg_slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (!tg_ascii_is_alpha(name.ptr[i]) && !tg_ascii_is_digit(name.ptr[i]) && name.ptr[i] != '_') {
            return false;
        }
    }
    return name.len > 0 && name.len <= TG_MAX_SECRET_NAME_BYTES;
}

bool tg_secret_name_is_url(tg_slice name)
{
    return tg_slice_ends(name, TG_LIT("_ENDPOINT")) || tg_slice_ends(name, TG_LIT("_URL"));
}
