#include "enclave/attestation_rate.h"

#include "support/case.h"

static tg_attestation_asker ipv4(uint8_t last)
{
    const tg_peer peer = {.kind = TG_ADDRESS_TCP, .ip = {[10] = 0xff, 0xff, 192, 0, 2, last}, .port = last};
    return tg_attestation_asker_of(&peer, 1000u + last);
}

static unsigned take_all(tg_attestation_rate *rate, const tg_attestation_asker *asker, uint64_t now_ms)
{
    unsigned num_taken = 0;
    for (int i = 0; i < 1000; i++) {
        num_taken += tg_attestation_rate_take(rate, asker, now_ms);
    }
    return num_taken;
}

static void take_alone_has_a_share(void **state)
{
    (void)state;
    tg_attestation_rate rate = {0};
    tg_attestation_asker one = ipv4(1);
    assert_int_equal(take_all(&rate, &one, 5000), TG_MAX_ATTESTATIONS_PER_ASKER_S);
    assert_int_equal(take_all(&rate, &one, 5999), 0);
    assert_int_equal(take_all(&rate, &one, 6000), TG_MAX_ATTESTATIONS_PER_ASKER_S);
}

/* However many ask for all that they may, who comes later in the second still gets one. */
static void take_by_many_leaves_half_to_newcomers(void **state)
{
    (void)state;
    tg_attestation_rate rate = {0};
    unsigned num_first = 0;
    for (uint8_t i = 1; i <= 3; i++) {
        tg_attestation_asker one = ipv4(i);
        num_first += take_all(&rate, &one, 1000);
    }
    assert_int_equal(num_first, TG_MAX_ATTESTATIONS_PER_S - TG_ATTESTATIONS_FOR_NEW_ASKERS_S);
    for (uint8_t i = 0; i < TG_ATTESTATIONS_FOR_NEW_ASKERS_S; i++) {
        tg_attestation_asker one = ipv4((uint8_t)(100 + i));
        assert_int_equal(take_all(&rate, &one, 1500), 1);
    }
    tg_attestation_asker late = ipv4(200);
    assert_int_equal(take_all(&rate, &late, 1999), 0);
    assert_int_equal(take_all(&rate, &late, 2000), TG_MAX_ATTESTATIONS_PER_ASKER_S);
}

static void take_by_as_many_as_there_are_documents_fills_the_second(void **state)
{
    (void)state;
    tg_attestation_rate rate = {0};
    for (uint8_t i = 0; i < TG_MAX_ATTESTATIONS_PER_S; i++) {
        tg_attestation_asker one = ipv4(i);
        assert_true(tg_attestation_rate_take(&rate, &one, 1000));
    }
    tg_attestation_asker more = ipv4(200);
    assert_false(tg_attestation_rate_take(&rate, &more, 1000));
}

static void asker_of_address_is_its_network_and_no_port(void **state)
{
    (void)state;
    tg_attestation_rate rate = {0};
    tg_peer peer = {.kind = TG_ADDRESS_TCP, .ip = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 1, 9}};
    unsigned num_taken = 0;
    for (uint8_t i = 0; i < 10; i++) { /* one IPv6 network, whatever the rest and the connection */
        peer.ip[15] = i;
        peer.port = 1024u + i;
        tg_attestation_asker one = tg_attestation_asker_of(&peer, i);
        num_taken += tg_attestation_rate_take(&rate, &one, 0);
    }
    assert_int_equal(num_taken, TG_MAX_ATTESTATIONS_PER_ASKER_S);
    peer.ip[7] = 2;
    tg_attestation_asker neighbour = tg_attestation_asker_of(&peer, 1);
    assert_true(tg_attestation_rate_take(&rate, &neighbour, 0));
}

static void asker_without_address_is_the_connection(void **state)
{
    (void)state;
    tg_attestation_rate rate = {0};
    const tg_peer proxy = {.kind = TG_ADDRESS_VSOCK, .has_cid = true, .cid = 3, .port = 7};
    tg_attestation_asker one = tg_attestation_asker_of(&proxy, 1), two = tg_attestation_asker_of(&proxy, 2),
                         none = tg_attestation_asker_of(NULL, 3);
    assert_int_equal(take_all(&rate, &one, 0), TG_MAX_ATTESTATIONS_PER_ASKER_S);
    assert_int_equal(take_all(&rate, &two, 0), TG_MAX_ATTESTATIONS_PER_ASKER_S);
    assert_true(tg_attestation_rate_take(&rate, &none, 0));
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(take_alone_has_a_share),
        cmocka_unit_test(take_by_many_leaves_half_to_newcomers),
        cmocka_unit_test(take_by_as_many_as_there_are_documents_fills_the_second),
        cmocka_unit_test(asker_of_address_is_its_network_and_no_port),
        cmocka_unit_test(asker_without_address_is_the_connection),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
