#include "tool/key_policy_condition.h"

#include "aws/arn.h"
#include "base/encode.h"
#include "base/text.h"

enum { MAX_SHOWN_BYTES = 128, MAX_SHOWN_VALUES = 4 };

typedef enum comparison { EQUALS, LIKE, IS_NULL, UNKNOWN_COMPARISON } comparison;

typedef struct operation {
    comparison comparison;
    bool is_nocase;
    bool is_negated;
    bool is_fine_if_absent;
    bool is_for_all;
} operation;

/* What the call has under a condition key. */
typedef enum presence { PRESENT, ABSENT, NOT_KNOWN } presence;

typedef struct attribute {
    presence presence;
    tg_slice values[TG_MAX_POLICY_CONTEXT];
    size_t num_values;
    char hex[2 * TG_NITRO_PCR_BYTES + 1];
    const char *note; /* why it is absent or not known */
} attribute;

static const struct {
    const char *name;
    comparison comparison;
    bool is_nocase;
    bool is_negated;
} operators[] = {
    {"StringEquals", EQUALS, false, false},
    {"StringNotEquals", EQUALS, false, true},
    {"StringEqualsIgnoreCase", EQUALS, true, false},
    {"StringNotEqualsIgnoreCase", EQUALS, true, true},
    {"StringLike", LIKE, false, false},
    {"StringNotLike", LIKE, false, true},
    {"ArnEquals", LIKE, false, false},
    {"ArnLike", LIKE, false, false},
    {"ArnNotEquals", LIKE, false, true},
    {"ArnNotLike", LIKE, false, true},
    {"Bool", EQUALS, true, false},
    {"Null", IS_NULL, false, false},
};

static operation read_operator(tg_slice name)
{
    operation op = {.comparison = UNKNOWN_COMPARISON};
    if (tg_slice_starts(name, TG_LIT("ForAllValues:"))) {
        op.is_for_all = true;
        name = tg_slice_from(name, strlen("ForAllValues:"));
    } else if (tg_slice_starts(name, TG_LIT("ForAnyValue:"))) {
        name = tg_slice_from(name, strlen("ForAnyValue:"));
    }
    if (tg_slice_ends(name, TG_LIT("IfExists"))) {
        op.is_fine_if_absent = true;
        name = tg_slice_first(name, name.len - strlen("IfExists"));
    }
    for (size_t i = 0; i < TG_COUNT(operators); i++) {
        if (tg_slice_equal(name, tg_slice_str(operators[i].name))) {
            op.comparison = operators[i].comparison;
            op.is_nocase = operators[i].is_nocase;
            op.is_negated = operators[i].is_negated;
        }
    }
    return op;
}

int tg_policy_pcr_of_key(const char *key)
{
    const tg_slice prefix = TG_LIT("kms:RecipientAttestation:");
    tg_slice rest = tg_slice_str(key);
    if (!tg_text_equal_nocase(tg_slice_first(rest, prefix.len), prefix)) {
        return -1;
    }
    rest = tg_slice_from(rest, prefix.len);
    if (tg_text_equal_nocase(rest, TG_LIT("ImageSha384"))) {
        return 0;
    }
    if (!tg_text_equal_nocase(tg_slice_first(rest, 3), TG_LIT("PCR")) || rest.len < 4 || rest.len > 5) {
        return -1;
    }
    int index = 0;
    for (size_t i = 3; i < rest.len; i++) {
        if (!tg_ascii_is_digit(rest.ptr[i])) {
            return -1;
        }
        index = index * 10 + (rest.ptr[i] - '0');
    }
    return index < TG_NITRO_NUM_PCRS ? index : -1;
}

static void set_absent(attribute *it, presence how, const char *note)
{
    it->presence = how;
    it->note = note;
}

static void add_value(attribute *it, tg_slice value)
{
    it->presence = PRESENT;
    it->values[it->num_values++] = value;
}

static void take_pcr(attribute *it, const tg_policy_call *call, int pcr)
{
    if (call->document == NULL) {
        set_absent(it, ABSENT, "the call has no Recipient with an attestation document");
        return;
    }
    tg_slice value = call->document->pcrs[pcr];
    if (value.ptr == NULL) {
        set_absent(it, ABSENT, "the document does not hold this PCR");
        return;
    }
    for (size_t i = 0; i < value.len; i++) {
        snprintf(it->hex + 2 * i, 3, "%02x", value.ptr[i]);
    }
    add_value(it, tg_slice_str(it->hex));
}

static void take_context(attribute *it, const tg_policy_call *call, tg_slice name)
{
    set_absent(it, ABSENT, "the call's encryption context does not hold this name");
    for (size_t i = 0; i < call->num_context && it->presence == ABSENT; i++) {
        if (tg_slice_equal(call->context[i].name, name)) {
            add_value(it, call->context[i].value);
        }
    }
}

tg_slice tg_policy_account_of(tg_slice text)
{
    tg_aws_arn arn;
    return tg_is_ok(tg_aws_arn_parse(text, &arn)) ? arn.account : (tg_slice){NULL, 0};
}

static void find_attribute(attribute *it, const char *key, const tg_policy_call *call)
{
    const tg_slice context = TG_LIT("kms:EncryptionContext:"), name = tg_slice_str(key);
    int pcr = tg_policy_pcr_of_key(key);
    *it = (attribute){.presence = NOT_KNOWN, .note = "this condition key cannot be judged from here"};
    if (pcr >= 0) {
        take_pcr(it, call, pcr);
    } else if (tg_text_equal_nocase(tg_slice_first(name, context.len), context)) {
        take_context(it, call, tg_slice_from(name, context.len));
    } else if (tg_text_equal_nocase(name, TG_LIT("kms:EncryptionContextKeys"))) {
        set_absent(it, ABSENT, "the call has no encryption context");
        for (size_t i = 0; i < call->num_context; i++) {
            add_value(it, call->context[i].name);
        }
    } else if (call->principal.len == 0) {
        it->note = "the caller is not known (--principal)";
    } else if (tg_text_equal_nocase(name, TG_LIT("aws:PrincipalArn"))) {
        add_value(it, call->principal);
    } else if (tg_text_equal_nocase(name, TG_LIT("aws:PrincipalAccount")) ||
               tg_text_equal_nocase(name, TG_LIT("kms:CallerAccount"))) {
        add_value(it, tg_policy_account_of(call->principal));
    }
}

/* Booleans and numbers stand in policies as JSON's own, too. */
static tg_slice scalar_text(const json_t *value, char storage[32])
{
    if (json_is_string(value)) {
        return tg_slice_of(json_string_value(value), json_string_length(value));
    }
    if (json_is_integer(value)) {
        snprintf(storage, 32, "%lld", (long long)json_integer_value(value));
    } else {
        snprintf(storage, 32, "%s", json_is_true(value) ? "true" : "false");
    }
    return tg_slice_str(storage);
}

static size_t num_wanted(const json_t *wanted)
{
    return json_is_array(wanted) ? json_array_size(wanted) : 1;
}

static tg_slice wanted_at(const json_t *wanted, size_t index, char storage[32])
{
    return scalar_text(json_is_array(wanted) ? json_array_get(wanted, index) : wanted, storage);
}

static bool is_wanted(const operation *op, const json_t *wanted, tg_slice value)
{
    char storage[32];
    for (size_t i = 0; i < num_wanted(wanted); i++) {
        tg_slice each = wanted_at(wanted, i, storage);
        bool is_same = op->comparison == LIKE ? tg_policy_matches(each, value, false)
                       : op->is_nocase        ? tg_text_equal_nocase(each, value)
                                              : tg_slice_equal(each, value);
        if (is_same) {
            return true;
        }
    }
    return false;
}

/* A negated operator holds where no value is among those that the policy names. */
static bool compare(const operation *op, const json_t *wanted, const attribute *it)
{
    size_t num_found = 0;
    for (size_t i = 0; i < it->num_values; i++) {
        num_found += is_wanted(op, wanted, it->values[i]);
    }
    if (op->is_negated) {
        return op->is_for_all ? num_found == 0 : num_found < it->num_values;
    }
    return op->is_for_all ? num_found == it->num_values : num_found > 0;
}

static tg_result append_wanted(tg_buf *reason, const json_t *wanted)
{
    char storage[32];
    size_t num = num_wanted(wanted), shown = num < MAX_SHOWN_VALUES ? num : MAX_SHOWN_VALUES;
    for (size_t i = 0; i < shown; i++) {
        TG_TRY(tg_buf_append_str(reason, i > 0 ? " or " : ""));
        TG_TRY(tg_text_append_printable(reason, wanted_at(wanted, i, storage), MAX_SHOWN_BYTES));
    }
    return shown < num ? tg_buf_printf(reason, " or %zu more", num - shown) : tg_ok();
}

/* Values that would be equal but for their letters' case are a trap worth a word. */
static bool differs_by_case(const operation *op, const json_t *wanted, const attribute *it)
{
    const operation nocase = {.comparison = EQUALS, .is_nocase = true};
    return op->comparison == EQUALS && !op->is_nocase && !op->is_negated && it->num_values == 1 &&
           is_wanted(&nocase, wanted, it->values[0]) && !is_wanted(op, wanted, it->values[0]);
}

static tg_result append_compared(tg_buf *reason, const operation *op, const json_t *wanted, const attribute *it)
{
    TG_TRY(tg_buf_append_str(reason, "the call has "));
    for (size_t i = 0; i < it->num_values && i < MAX_SHOWN_VALUES; i++) {
        TG_TRY(tg_buf_append_str(reason, i > 0 ? ", " : ""));
        TG_TRY(tg_text_append_printable(reason, it->values[i], MAX_SHOWN_BYTES));
    }
    TG_TRY(tg_buf_append_str(reason, op->is_negated ? "; the policy wants any but " : "; the policy wants "));
    TG_TRY(append_wanted(reason, wanted));
    return differs_by_case(op, wanted, it)
               ? tg_buf_append_str(reason, " (the same but for the letters' case: StringEqualsIgnoreCase takes both)")
               : tg_ok();
}

tg_result tg_policy_condition_holds(const char *operator, const char * key, const json_t *wanted,
                                    const tg_policy_call *call, tg_policy_truth *out_truth, tg_buf *reason)
{
    operation op = read_operator(tg_slice_str(operator));
    char storage[32];
    attribute it;
    find_attribute(&it, key, call);
    if (op.comparison == UNKNOWN_COMPARISON || it.presence == NOT_KNOWN) {
        TG_TRY(tg_buf_append_str(
            reason, op.comparison == UNKNOWN_COMPARISON ? "this operator cannot be judged from here" : it.note));
        *out_truth = TG_POLICY_UNKNOWN;
        return tg_ok();
    }
    if (op.comparison == IS_NULL) {
        bool wants_absent = tg_text_equal_nocase(wanted_at(wanted, 0, storage), TG_LIT("true"));
        TG_TRY(tg_buf_append_str(reason, it.presence == PRESENT ? "the call has it" : it.note));
        *out_truth = wants_absent == (it.presence == ABSENT) ? TG_POLICY_YES : TG_POLICY_NO;
        return tg_ok();
    }
    if (it.presence == ABSENT) {
        bool holds = op.is_negated || op.is_fine_if_absent || op.is_for_all;
        TG_TRY(tg_buf_append_str(reason, it.note));
        TG_TRY(holds ? tg_buf_append_str(reason, ", and the operator holds for what is absent") : tg_ok());
        *out_truth = holds ? TG_POLICY_YES : TG_POLICY_NO;
        return tg_ok();
    }
    TG_TRY(append_compared(reason, &op, wanted, &it));
    *out_truth = compare(&op, wanted, &it) ? TG_POLICY_YES : TG_POLICY_NO;
    return tg_ok();
}
