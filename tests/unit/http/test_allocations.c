/* What the fast path must not do: a request of 1.45 KB on a connection that lives allocates nothing. */
#include "server_case.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_SANITIZED 1
#endif
#endif

static unsigned num_allocations;

#ifndef IS_SANITIZED
/* glibc's own names for what is counted here; a sanitizer has taken their place. */
extern void *__libc_malloc(size_t len);
extern void *__libc_calloc(size_t count, size_t len);
extern void *__libc_realloc(void *old, size_t len);

void *malloc(size_t len)
{
    num_allocations++;
    return __libc_malloc(len);
}
void *calloc(size_t count, size_t len)
{
    num_allocations++;
    return __libc_calloc(count, len);
}
void *realloc(void *old, size_t len)
{
    num_allocations++;
    return __libc_realloc(old, len);
}
#endif

static void request_on_living_connection_allocates_nothing(void **state)
{
    (void)state;
    static uint8_t body[1450];
    server_case *at = start(ECHOES);
    fake_client *client = connect_client(at);
    unsigned before = 0;
    memset(body, 'b', sizeof body);
    for (unsigned i = 0; i < 200; i++) {
        if (i == 100) {
            before = num_allocations;
        }
        tg_buf_clear(&client->out);
        give(client, TG_LIT("POST /encrypt HTTP/1.1\r\nHost: tee.example\r\nContent-Type: application/json\r\n"
                            "X-Schema-Name: payments\r\nContent-Length: 1450\r\n\r\n"));
        give(client, tg_slice_of(body, sizeof body));
        settle(at, client);
    }
    assert_int_equal(at->num_ends, 200);
    assert_int_equal(client->num_reads, 200);
    assert_int_equal(client->num_writes, 200);
    assert_int_equal(num_allocations, before);
    stop(at);
    fake_client_free(client);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(request_on_living_connection_allocates_nothing),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
