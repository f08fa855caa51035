/* Statements, one after the other: what a Deny takes in is denied whatever else allows it. */
#include "aws/arn.h"
#include "base/text.h"
#include "tool/key_policy.h"
#include "tool/key_policy_condition.h"

enum { MAX_REASON_BYTES = 16384 };

typedef struct judgement {
    const tg_policy_call *call;
    tg_policy_report_fn *report;
    void *owner;
    tg_buf reason;
    char action[64];
    tg_policy_check check; /* of the statement that is looked at */
    tg_policy_truth applies;
    bool is_allowed, may_be_allowed, may_be_denied, is_denied;
} judgement;

const char *tg_policy_verdict_name(tg_policy_verdict verdict)
{
    static const char *const names[] = {"allowed", "denied", "not_allowed", "undecided"};
    return names[verdict];
}

static tg_result tell(judgement *it, tg_policy_part part, const char *key, tg_policy_truth truth)
{
    TG_TRY(tg_buf_append_byte(&it->reason, 0));
    it->check.part = part;
    it->check.key = key;
    it->check.truth = truth;
    it->check.reason = (const char *)tg_buf_slice(&it->reason).ptr;
    tg_result told = it->report(&it->check, it->owner);
    tg_buf_clear(&it->reason);
    if (part != TG_POLICY_STATEMENT && (truth == TG_POLICY_NO || it->applies == TG_POLICY_YES)) {
        it->applies = truth;
    }
    return told;
}

/* `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION` is a session of `arn:aws:iam::ACCOUNT:role/[PATH/]ROLE`. */
static bool is_session_of(tg_slice session, tg_slice role)
{
    tg_aws_arn a, b;
    if (!tg_is_ok(tg_aws_arn_parse(session, &a)) || !tg_is_ok(tg_aws_arn_parse(role, &b)) ||
        !tg_slice_equal(a.service, TG_LIT("sts")) || !tg_slice_equal(b.service, TG_LIT("iam")) ||
        !tg_slice_equal(a.partition, b.partition) || !tg_slice_equal(a.account, b.account) ||
        !tg_slice_equal(tg_slice_split(&a.resource, '/'), TG_LIT("assumed-role")) ||
        !tg_slice_equal(tg_slice_split(&b.resource, '/'), TG_LIT("role"))) {
        return false;
    }
    tg_slice name = tg_slice_split(&a.resource, '/'), last = {NULL, 0};
    while (b.resource.ptr != NULL) {
        last = tg_slice_split(&b.resource, '/');
    }
    return name.len > 0 && tg_slice_equal(name, last);
}

/* A grant to the account hands the question to its IAM policies. */
static bool is_account_of(tg_slice given, tg_slice principal)
{
    bool is_root = !tg_aws_is_account(given) && tg_slice_ends(given, TG_LIT(":root"));
    tg_slice account = tg_aws_is_account(given) ? given : is_root ? tg_policy_account_of(given) : (tg_slice){NULL, 0};
    return account.len > 0 && tg_slice_equal(tg_policy_account_of(principal), account);
}

static tg_policy_truth match_one(judgement *it, tg_slice given)
{
    tg_slice principal = it->call->principal;
    if (tg_slice_equal(given, TG_LIT("*"))) {
        return TG_POLICY_YES;
    }
    if (principal.len == 0) {
        return TG_POLICY_UNKNOWN;
    }
    if (tg_slice_equal(given, principal) || is_session_of(principal, given)) {
        return TG_POLICY_YES;
    }
    if (is_account_of(given, principal)) {
        return it->check.is_allow ? TG_POLICY_UNKNOWN : TG_POLICY_YES;
    }
    return TG_POLICY_NO;
}

static tg_policy_truth match_any(judgement *it, const json_t *given)
{
    tg_policy_truth best = TG_POLICY_NO;
    size_t num = json_is_array(given) ? json_array_size(given) : 1;
    for (size_t i = 0; i < num && best != TG_POLICY_YES; i++) {
        const json_t *text = json_is_array(given) ? json_array_get(given, i) : given;
        tg_policy_truth each = match_one(it, tg_slice_of(json_string_value(text), json_string_length(text)));
        best = each != TG_POLICY_NO ? each : best;
    }
    return best;
}

static tg_result look_at_principal(judgement *it, const json_t *statement)
{
    const json_t *given = json_object_get(statement, "Principal");
    bool is_negated = given == NULL;
    given = is_negated ? json_object_get(statement, "NotPrincipal") : given;
    const json_t *aws = json_is_object(given) ? json_object_get(given, "AWS") : given;
    tg_policy_truth truth = aws != NULL ? match_any(it, aws) : TG_POLICY_NO;
    const char *why = truth == TG_POLICY_YES        ? "the caller is named"
                      : truth == TG_POLICY_NO       ? "the caller is not named"
                      : it->call->principal.len > 0 ? "the whole account is named: its IAM policies decide"
                                                    : "the caller is not known (--principal)";
    if (is_negated && truth != TG_POLICY_UNKNOWN) {
        truth = truth == TG_POLICY_YES ? TG_POLICY_NO : TG_POLICY_YES;
    }
    TG_TRY(tg_buf_printf(&it->reason, "%s%s", why, is_negated ? " (NotPrincipal)" : ""));
    return tell(it, TG_POLICY_PRINCIPAL, "", truth);
}

static tg_result look_at_conditions(judgement *it, const json_t *statement)
{
    const char *operator, * key;
    json_t *tests, *wanted;
    json_object_foreach(json_object_get(statement, "Condition"), operator, tests)
    {
        json_object_foreach(tests, key, wanted)
        {
            tg_policy_truth truth = TG_POLICY_UNKNOWN;
            TG_TRY(tg_buf_printf(&it->reason, "%.60s: ", operator));
            TG_TRY(tg_policy_condition_holds(operator, key, wanted, it->call, &truth, &it->reason));
            TG_TRY(tell(it, TG_POLICY_CONDITION, key, truth));
        }
    }
    return tg_ok();
}

static tg_result look_at(judgement *it, const json_t *statement)
{
    it->applies = TG_POLICY_YES;
    TG_TRY(look_at_principal(it, statement));
    TG_TRY(tg_buf_printf(&it->reason, "%s is named", it->action));
    TG_TRY(tell(it, TG_POLICY_ACTION, "", TG_POLICY_YES));
    TG_TRY(look_at_conditions(it, statement));
    tg_policy_truth applies = it->applies;
    TG_TRY(tg_buf_append_str(&it->reason, applies == TG_POLICY_YES  ? "it applies"
                                          : applies == TG_POLICY_NO ? "it does not apply"
                                                                    : "whether it applies cannot be told from here"));
    bool is_allow = it->check.is_allow;
    it->is_allowed |= is_allow && applies == TG_POLICY_YES;
    it->may_be_allowed |= is_allow && applies != TG_POLICY_NO;
    it->is_denied |= !is_allow && applies == TG_POLICY_YES;
    it->may_be_denied |= !is_allow && applies != TG_POLICY_NO;
    return tell(it, TG_POLICY_STATEMENT, "", applies);
}

static tg_result judge(judgement *it, const tg_key_policy *policy)
{
    for (size_t i = 0; i < policy->num_statements; i++) {
        const json_t *statement = policy->statements[i];
        it->check = (tg_policy_check){.statement = i,
                                      .sid = tg_policy_statement_sid(statement),
                                      .is_allow = tg_policy_statement_is_allow(statement)};
        if (tg_policy_statement_covers(statement, it->action)) {
            TG_TRY(look_at(it, statement));
        }
    }
    return tg_ok();
}

tg_result tg_key_policy_judge(const tg_key_policy *policy, const tg_policy_call *call, tg_policy_report_fn *report,
                              void *owner, tg_policy_verdict *out_verdict)
{
    judgement it = {.call = call, .report = report, .owner = owner};
    snprintf(it.action, sizeof it.action, "%.*s", (int)(call->action.len < 63 ? call->action.len : 63),
             (const char *)call->action.ptr);
    tg_buf_init(&it.reason, MAX_REASON_BYTES);
    tg_result result = judge(&it, policy);
    tg_buf_done(&it.reason);
    TG_TRY(result);
    *out_verdict = it.is_denied                         ? TG_POLICY_DENIED
                   : !it.may_be_allowed                 ? TG_POLICY_NOT_ALLOWED
                   : it.is_allowed && !it.may_be_denied ? TG_POLICY_ALLOWED
                                                        : TG_POLICY_UNDECIDED;
    return tg_ok();
}
