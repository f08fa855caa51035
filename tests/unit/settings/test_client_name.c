#include "settings/client_name.h"

#include "support/case.h"

#include <string.h>

static void client_name_fault_names_of_certificates_are_taken(void **state)
{
    (void)state;
    assert_null(tg_client_name_fault(TG_LIT("a.example")));
    assert_null(tg_client_name_fault(TG_LIT("spiffe://a/b")));
    assert_null(tg_client_name_fault(TG_LIT("me@a.example")));
}

static void client_name_fault_what_no_certificate_holds_is_refused(void **state)
{
    (void)state;
    assert_non_null(tg_client_name_fault(TG_LIT("a b")));
    assert_non_null(tg_client_name_fault(TG_LIT("*.a")));
    assert_non_null(tg_client_name_fault(TG_LIT("a\0b")));
    assert_non_null(tg_client_name_fault(TG_LIT("\xc3\xa4")));
}

static void client_name_fault_at_the_limit(void **state)
{
    (void)state;
    char name[TG_MAX_CLIENT_NAME_BYTES + 1];
    memset(name, 'a', sizeof name);
    assert_null(tg_client_name_fault(tg_slice_of(name, TG_MAX_CLIENT_NAME_BYTES)));
    assert_non_null(tg_client_name_fault(tg_slice_of(name, sizeof name)));
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(client_name_fault_names_of_certificates_are_taken),
        cmocka_unit_test(client_name_fault_what_no_certificate_holds_is_refused),
        cmocka_unit_test(client_name_fault_at_the_limit),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
