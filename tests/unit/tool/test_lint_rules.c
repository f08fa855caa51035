#include "support/case.h"
#include "tool/domain.h"
#include "tool/suspects.h"

#include <math.h>

static void suspect_find_each_spelling_is_recognised(void **state)
{
    (void)state;
    static const char *const strong[] = {
        "ssn",           "SSN",          "customer_ssn",  "ssnLast4",       "socialSecurityNumber",
        "card_number",   "cardNumber",   "CardNumber",    "cardnumber",     "primary-account-number",
        "pan",           "cvv2",         "email",         "emails",         "e_mail",
        "emailAddress",  "userEmail",    "phone",         "PHONE",          "phoneNumber2",
        "mobile_number", "dob",          "dateOfBirth",   "birth_date",     "birthDate",
        "iban",          "creditorIBAN", "IBANNumber",    "taxId",          "tax_identification_number",
        "passport_no",   "nationalId",   "first_name",    "lastname",       "surname",
        "fullName",      "partyName",    "addressLine1",  "address_lines",  "streetName",
        "home_address",  "bankAccount",  "accountNumber", "driversLicense", "billingAddresses"};
    for (size_t i = 0; i < TG_COUNT(strong); i++) {
        const tg_suspect *found = tg_suspect_find(tg_slice_str(strong[i]));
        if (found == NULL || !found->is_strong) {
            fail_msg("%s is not recognised", strong[i]);
        }
    }
}

static void suspect_find_common_words_are_weak(void **state)
{
    (void)state;
    static const char *const weak[] = {"name", "names", "address",       "account",
                                       "city", "zip",   "annual_income", "userName"};
    for (size_t i = 0; i < TG_COUNT(weak); i++) {
        const tg_suspect *found = tg_suspect_find(tg_slice_str(weak[i]));
        if (found == NULL || found->is_strong) {
            fail_msg("%s is %s", weak[i], found == NULL ? "not recognised" : "strong");
        }
    }
}

static void suspect_find_other_names_are_left_alone(void **state)
{
    (void)state;
    static const char *const none[] = {"",           "id",       "amount",     "company",        "panel",
                                       "expansion",  "cardinal", "emailed",    "email_verified", "phone_type",
                                       "card_brand", "session",  "tint",       "japan",          "microphone",
                                       "rebirthing", "--__",     "iso_code",   "filename",       "emails_url",
                                       "mailbox",    "lesson",   "destination"};
    for (size_t i = 0; i < TG_COUNT(none); i++) {
        const tg_suspect *found = tg_suspect_find(tg_slice_str(none[i]));
        if (found != NULL) {
            fail_msg("%s is taken for %s", none[i], found->words);
        }
    }
}

static void suspect_find_long_and_odd_names_are_read_to_the_bound(void **state)
{
    (void)state;
    char name[4096];
    memset(name, 'x', sizeof name);
    assert_null(tg_suspect_find(tg_slice_of(name, sizeof name)));
    memcpy(name + sizeof name - 4, "_ssn", 4);
    assert_non_null(tg_suspect_find(tg_slice_of(name, sizeof name)));
    memset(name, '_', sizeof name);
    assert_null(tg_suspect_find(tg_slice_of(name, sizeof name)));
    assert_non_null(tg_suspect_find(TG_LIT("a\0ssn")));
    assert_non_null(tg_suspect_find(TG_LIT("\xc3\xa9mail_ssn")));
}

static void domain_of_pattern_bounded_ones_are_counted(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        double count;
    } cases[] = {
        {"^[0-9]{4}$", 1e4}, {"^\\d{3}-\\d{2}-\\d{4}$", 1e9},
        {"^(yes|no)$", 2},   {"^(?:a|b|cc)[xy]?$", 9},
        {"^[A-Z]{2}$", 676}, {"^[a-c_-]$", 5},
        {"^[^0-9]$", 85},    {"^\\w$", 63},
        {"^.$", 95},         {"^[\\d.]$", 11},
        {"^a{1,3}$", 3},     {"^[01]{0,2}$", 7},
        {"^x\\.y$", 1},      {"^[]a]$", 2},
        {"^\\S\\s$", 570},   {"^$", 1},
    };
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        double count = tg_domain_of_pattern(tg_slice_str(cases[i].pattern));
        if (!(fabs(count - cases[i].count) < 0.5)) {
            fail_msg("%s: %g instead of %g", cases[i].pattern, count, cases[i].count);
        }
    }
}

static void domain_of_pattern_others_are_infinite(void **state)
{
    (void)state;
    static const char *const unbounded[] = {"",         "[0-9]{4}",    "^[0-9]{4}",  "[0-9]$", "^[0-9]+$",
                                            "^[0-9]*$", "^[0-9]{2,}$", "^(a$",       "^a)$",   "^[a$",
                                            "^(?=a)b$", "^\\p{L}$",    "^\\1$",      "^a{x}$", "^a{3,1}$",
                                            "^a\\$",    "^a|^b$",      "^a{99999}$", "^a{$",   "^[0-9]{0,1000}$"};
    for (size_t i = 0; i < TG_COUNT(unbounded); i++) {
        if (!isinf(tg_domain_of_pattern(tg_slice_str(unbounded[i])))) {
            fail_msg("%s is not infinite", unbounded[i]);
        }
    }
}

static void domain_of_pattern_deep_or_cut_ones_end_the_reading(void **state)
{
    (void)state;
    char pattern[64] = "^";
    for (int i = 0; i < 40; i++) {
        strcat(pattern, "(");
    }
    strcat(pattern, "$");
    assert_true(isinf(tg_domain_of_pattern(tg_slice_str(pattern))));
    tg_slice whole = TG_LIT("^(?:[a-c]{2}|\\d)[^x]?$");
    assert_true(tg_domain_of_pattern(whole) < 2000);
    for (size_t len = 0; len < whole.len; len++) {
        assert_true(isinf(tg_domain_of_pattern(tg_slice_first(whole, len))));
    }
}

static tg_pii_path path_of(uint32_t types)
{
    return (tg_pii_path){.types = types, .max_length = UINT64_MAX};
}

static void domain_of_path_takes_the_narrowest_fact(void **state)
{
    (void)state;
    tg_pii_path path = path_of(TG_TYPE_BOOLEAN | TG_TYPE_NULL);
    assert_true(tg_domain_of_path(&path) == 2);
    path = path_of(TG_TYPE_STRING);
    assert_true(isinf(tg_domain_of_path(&path)));
    path.max_length = 3;
    assert_true(tg_domain_of_path(&path) == 1 + 95 + 9025 + 857375);
    path.pattern = TG_LIT("^[0-9]{3}$");
    assert_true(tg_domain_of_path(&path) == 1000);
    path.num_enum = 7;
    assert_true(tg_domain_of_path(&path) == 7);
    path = path_of(TG_TYPE_STRING | TG_TYPE_NULL);
    path.format = TG_LIT("date");
    assert_true(tg_domain_of_path(&path) == 40000);
    path = path_of(TG_TYPE_ANY);
    path.max_length = 1;
    assert_true(isinf(tg_domain_of_path(&path)));
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(suspect_find_each_spelling_is_recognised),
        cmocka_unit_test(suspect_find_common_words_are_weak),
        cmocka_unit_test(suspect_find_other_names_are_left_alone),
        cmocka_unit_test(suspect_find_long_and_odd_names_are_read_to_the_bound),
        cmocka_unit_test(domain_of_pattern_bounded_ones_are_counted),
        cmocka_unit_test(domain_of_pattern_others_are_infinite),
        cmocka_unit_test(domain_of_pattern_deep_or_cut_ones_end_the_reading),
        cmocka_unit_test(domain_of_path_takes_the_narrowest_fact),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
