#include "enclave/clients.h"
#include "support/case.h"

enum { NOW = 1000 };

static tg_peer_name names[2];
static tg_peer_tls tls;
static const tg_peer peer = {.kind = TG_ADDRESS_TCP, .tls = &tls};
static const char *const listed[] = {"app.example.org", "spiffe://td/app", "Ops@example.org"};
static const tg_setting_list allowed = {listed, TG_COUNT(listed)};

/* The client proves these two names. */
static void prove(tg_peer_name_kind kind, tg_slice first, tg_slice second)
{
    names[0] = (tg_peer_name){kind, first};
    names[1] = (tg_peer_name){kind, second};
    tls = (tg_peer_tls){.has_certificate = true, .not_after_unix_s = NOW, .names = names, .num_names = 2};
}

static bool is_allowed(tg_peer_name_kind kind, tg_slice name)
{
    prove(kind, TG_LIT("another"), name);
    return tg_clients_allow(&allowed, &peer, NOW);
}

static void allow_listed_name_of_any_kind_is_allowed(void **state)
{
    (void)state;
    assert_true(is_allowed(TG_PEER_NAME_DNS, TG_LIT("app.example.org")));
    assert_true(is_allowed(TG_PEER_NAME_URI, TG_LIT("spiffe://td/app")));
    assert_true(is_allowed(TG_PEER_NAME_EMAIL, TG_LIT("Ops@example.org")));
    prove(TG_PEER_NAME_DNS, TG_LIT("app.example.org"), TG_LIT("another"));
    assert_true(tg_clients_allow(&allowed, &peer, NOW));
}

static void allow_case_counts_but_for_dns_names(void **state)
{
    (void)state;
    assert_true(is_allowed(TG_PEER_NAME_DNS, TG_LIT("APP.Example.ORG")));
    assert_false(is_allowed(TG_PEER_NAME_URI, TG_LIT("spiffe://TD/app")));
    assert_false(is_allowed(TG_PEER_NAME_EMAIL, TG_LIT("ops@example.org")));
}

static void allow_same_bytes_as_another_kind_of_name_are_refused(void **state)
{
    (void)state;
    assert_false(is_allowed(TG_PEER_NAME_URI, TG_LIT("app.example.org")));
    assert_false(is_allowed(TG_PEER_NAME_EMAIL, TG_LIT("app.example.org")));
    assert_false(is_allowed(TG_PEER_NAME_DNS, TG_LIT("spiffe://td/app")));
    assert_false(is_allowed(TG_PEER_NAME_EMAIL, TG_LIT("spiffe://td/app")));
    assert_false(is_allowed(TG_PEER_NAME_DNS, TG_LIT("Ops@example.org")));
    assert_false(is_allowed(TG_PEER_NAME_URI, TG_LIT("Ops@example.org")));
}

static void allow_part_of_a_name_or_more_is_refused(void **state)
{
    (void)state;
    assert_false(is_allowed(TG_PEER_NAME_DNS, TG_LIT("")));
    assert_false(is_allowed(TG_PEER_NAME_DNS, TG_LIT("app.example.or")));
    assert_false(is_allowed(TG_PEER_NAME_DNS, TG_LIT("app.example.org.")));
    assert_false(is_allowed(TG_PEER_NAME_DNS, TG_LIT("x.app.example.org")));
    assert_false(is_allowed(TG_PEER_NAME_DNS, TG_LIT("*.example.org")));
    assert_false(is_allowed(TG_PEER_NAME_DNS, TG_LIT("app.example.org\0.evil.example")));
}

static void allow_certificate_at_its_end_and_a_second_past_it(void **state)
{
    (void)state;
    prove(TG_PEER_NAME_DNS, TG_LIT("app.example.org"), TG_LIT("app.example.org"));
    assert_true(tg_clients_allow(&allowed, &peer, NOW));
    assert_false(tg_clients_allow(&allowed, &peer, NOW + 1));
}

static void allow_nobody_without_certificate_tls_or_list(void **state)
{
    (void)state;
    const tg_peer plain = {.kind = TG_ADDRESS_TCP};
    const tg_setting_list nobody = {NULL, 0};
    prove(TG_PEER_NAME_DNS, TG_LIT("app.example.org"), TG_LIT("app.example.org"));
    assert_false(tg_clients_allow(&nobody, &peer, NOW));
    assert_false(tg_clients_allow(&allowed, &plain, NOW));
    tls.has_certificate = false;
    assert_false(tg_clients_allow(&allowed, &peer, NOW));
}

static const char *const served[] = {"tee.example.org", "[::1]"};
static const tg_setting_list server_names = {served, TG_COUNT(served)};

static bool answers_to(const char *sni, const char *authority)
{
    tls = (tg_peer_tls){.server_name = tg_slice_str(sni)};
    return tg_server_names_match(&server_names, &peer, tg_slice_str(authority));
}

static void match_host_without_case_port_or_last_dot(void **state)
{
    (void)state;
    assert_true(answers_to("", "tee.example.org"));
    assert_true(answers_to("", "tee.example.org:8443"));
    assert_true(answers_to("", "TEE.example.org."));
    assert_true(answers_to("", "TEE.example.org.:443"));
    assert_true(answers_to("", "[::1]"));
    assert_true(answers_to("", "[::1]:443"));
}

static void match_other_host_is_refused(void **state)
{
    (void)state;
    assert_false(answers_to("", ""));
    assert_false(answers_to("", "example.org"));
    assert_false(answers_to("", "tee.example.org.."));
    assert_false(answers_to("", "x.tee.example.org"));
    assert_false(answers_to("", "[::2]"));
    assert_false(answers_to("", "[::1"));
}

static void match_sni_must_be_a_name_too(void **state)
{
    (void)state;
    assert_true(answers_to("Tee.example.org", "tee.example.org"));
    assert_false(answers_to("other.example.org", "tee.example.org"));
    assert_false(answers_to("tee.example.org", "other.example.org"));
}

static void match_without_names_answers_to_all(void **state)
{
    (void)state;
    const tg_setting_list any = {NULL, 0};
    tls = (tg_peer_tls){.server_name = TG_LIT("other")};
    assert_true(tg_server_names_match(&any, &peer, TG_LIT("")));
    const tg_peer plain = {.kind = TG_ADDRESS_TCP};
    assert_true(tg_server_names_match(&server_names, &plain, TG_LIT("tee.example.org")));
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(allow_listed_name_of_any_kind_is_allowed),
        cmocka_unit_test(allow_case_counts_but_for_dns_names),
        cmocka_unit_test(allow_same_bytes_as_another_kind_of_name_are_refused),
        cmocka_unit_test(allow_part_of_a_name_or_more_is_refused),
        cmocka_unit_test(allow_certificate_at_its_end_and_a_second_past_it),
        cmocka_unit_test(allow_nobody_without_certificate_tls_or_list),
        cmocka_unit_test(match_host_without_case_port_or_last_dot),
        cmocka_unit_test(match_other_host_is_refused),
        cmocka_unit_test(match_sni_must_be_a_name_too),
        cmocka_unit_test(match_without_names_answers_to_all),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
