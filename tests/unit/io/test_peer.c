#include "support/case.h"

#include "io/peer.h"

static void check(const char *address_text, const char *shown, const char *host)
{
    tg_address address;
    tg_sockaddr from;
    tg_peer peer;
    char text[TG_PEER_TEXT_BYTES];
    assert_ok(tg_address_parse(tg_slice_str(address_text), &address, NULL));
    assert_ok(tg_address_to_sockaddr(&address, false, &from));
    assert_ok(tg_peer_of_sockaddr(&from, &peer));
    assert_string_equal(tg_peer_format(&peer, text), shown);
    assert_string_equal(tg_peer_format_host(&peer, text), host);
    assert_null(peer.tls);
}

static void of_sockaddr_each_family_is_shown(void **state)
{
    (void)state;
    check("tcp:192.0.2.1:49152", "tcp:192.0.2.1:49152", "192.0.2.1");
    check("tcp:[2001:db8::1]:65535", "tcp:[2001:db8::1]:65535", "2001:db8::1");
    check("tcp:[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:65535",
          "tcp:[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
    check("tcp:[::ffff:10.0.0.1]:1", "tcp:10.0.0.1:1", "10.0.0.1");
    check("vsock:16:1024", "vsock:16:1024", "16");
    check("unix:/x", "unix:", "unix");
}

static void format_labelled_unix_peer_shows_its_cid(void **state)
{
    (void)state;
    char text[TG_PEER_TEXT_BYTES];
    tg_peer peer = {.kind = TG_ADDRESS_UNIX, .has_cid = true, .cid = 16};
    assert_string_equal(tg_peer_format(&peer, text), "unix:?cid=16");
    assert_string_equal(tg_peer_format_host(&peer, text), "16");
    peer = (tg_peer){.kind = TG_ADDRESS_HVSOCK, .port = 5000};
    assert_string_equal(tg_peer_format(&peer, text), "hvsock::5000");
}

static void of_sockaddr_unknown_family_is_unsupported(void **state)
{
    (void)state;
    tg_sockaddr from = {.len = sizeof(struct sockaddr)};
    tg_peer peer = {.port = 7};
    from.any.sa_family = AF_APPLETALK;
    assert_code(tg_peer_of_sockaddr(&from, &peer), TG_ERR_UNSUPPORTED);
    assert_int_equal(peer.port, 7);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(of_sockaddr_each_family_is_shown),
        cmocka_unit_test(format_labelled_unix_peer_shows_its_cid),
        cmocka_unit_test(of_sockaddr_unknown_family_is_unsupported),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
