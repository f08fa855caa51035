/* Answers that begin while their request's body still comes (tg_http_request_answer_early). */
#include "server_case.h"

#define CHUNKED_HEAD "POST /e HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
#define ANSWER_HEAD  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

static void early_pieces_are_answered_before_the_next_come(void **state)
{
    (void)state;
    server_case *at = start(EARLY);
    fake_client *client = ask(at, TG_LIT(CHUNKED_HEAD "3\r\nabc\r\n"));
    assert_slice(answers(client), ANSWER_HEAD "3\r\nabc\r\n");
    give(client, TG_LIT("2\r\nde"));
    settle(at, client);
    assert_slice(answers(client), ANSWER_HEAD "3\r\nabc\r\n2\r\nde\r\n");
    give(client, TG_LIT("\r\n0\r\n\r\n"));
    settle(at, client);
    assert_slice(answers(client), ANSWER_HEAD "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    assert_int_equal(at->num_ends, 1);
    assert_false(client->is_closed);
    give(client, TG_LIT("POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nwx"));
    settle(at, client);
    give(client, TG_LIT("yz"));
    settle(at, client);
    assert_true(answer_ends(client, "2\r\nwx\r\n2\r\nyz\r\n0\r\n\r\n"));
    assert_int_equal(at->num_ends, 2);
    assert_int_equal(at->num_aborted, 0);
    stop(at);
    fake_client_free(client);
}

static void early_without_a_body_is_answered_empty(void **state)
{
    (void)state;
    server_case *at = start(EARLY);
    fake_client *client = ask(at, TG_LIT("POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"));
    assert_slice(answers(client), ANSWER_HEAD "0\r\n\r\n");
    assert_int_equal(at->num_ends, 1);
    assert_int_equal(at->num_aborted, 0);
    stop(at);
    fake_client_free(client);
}

static void early_every_split_of_a_request_gives_the_same(void **state)
{
    (void)state;
    static const char request[] = CHUNKED_HEAD "3\r\nabc\r\n1;x=y\r\nd\r\n0\r\n\r\n";
    for (size_t split = 1; split < sizeof request - 1; split++) {
        server_case *at = start(EARLY);
        fake_client *client = ask(at, tg_slice_of(request, split));
        give(client, tg_slice_of(request + split, sizeof request - 1 - split));
        settle(at, client);
        assert_int_equal(at->num_ends, 1);
        assert_int_equal(at->num_aborted, 0);
        assert_true(answer_ends(client, "\r\n0\r\n\r\n"));
        stop(at);
        fake_client_free(client);
    }
}

static void assert_broken(const char *rest, bool is_at_end)
{
    server_case *at = start(EARLY);
    fake_client *client = ask(at, TG_LIT(CHUNKED_HEAD "3\r\nabc\r\n"));
    give(client, tg_slice_str(rest));
    client->is_at_end = is_at_end;
    settle(at, client);
    assert_slice(answers(client), ANSWER_HEAD "3\r\nabc\r\n");
    assert_true(client->is_closed);
    assert_int_equal(at->num_cancels, 1);
    assert_int_equal(at->num_ends, 1);
    assert_int_equal(at->num_aborted, 1);
    stop(at);
    fake_client_free(client);
}

static void early_body_that_breaks_off_breaks_the_answer(void **state)
{
    (void)state;
    assert_broken("", true);
    assert_broken("5\r\n", true);
    assert_broken("xyz\r\n", false);
    assert_broken("0\r\nno field\r\n\r\n", false);
}

static void early_client_that_stops_sending_is_closed(void **state)
{
    (void)state;
    tg_http_limits limits;
    tg_http_limits_default(&limits);
    limits.rate_grace_ms = 50;
    server_case *at = start_with(EARLY, &limits, NULL);
    fake_client *client = ask(at, TG_LIT(CHUNKED_HEAD "3\r\nabc\r\n"));
    settle_ms(at, client, 1500);
    assert_true(client->is_closed);
    assert_int_equal(at->num_aborted, 1);
    stop(at);
    fake_client_free(client);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(early_pieces_are_answered_before_the_next_come),
        cmocka_unit_test(early_without_a_body_is_answered_empty),
        cmocka_unit_test(early_every_split_of_a_request_gives_the_same),
        cmocka_unit_test(early_body_that_breaks_off_breaks_the_answer),
        cmocka_unit_test(early_client_that_stops_sending_is_closed),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
