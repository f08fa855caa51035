#include "support/folder.h"

#include "crypto/ec_key.h"
#include "crypto/init.h"
#include "secrets/sender.h"
#include "support/case.h"
#include "sys/file.h"
#include "tool/commands.h"
#include "unit/tool/fake_enclave.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* RFC 7515 appendix A.3's key, as openssl writes it. */
static const char signer_pem[] = "-----BEGIN PRIVATE KEY-----\n"
                                 "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjpsQnnGQmL+YBIff\n"
                                 "H1136cspYG6+0iY7X1fCE9+E9LKhRANCAAR/zc4ncPbEXUGDy+5v20t7WAczNXvp\n"
                                 "7xO6z248e9FURcfxRM0bvZt+hyzf7bnuufSzaV1uqQskrYpGIyiFiOWt\n"
                                 "-----END PRIVATE KEY-----\n";
static const char signer_text[] =
    "BH_Nzidw9sRdQYPL7m_bS3tYBzM1e-nvE7rPbjx70VRFx_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\n";

static char out_text[65536], err_text[65536];

static void read_back(int fd, char *text, size_t cap)
{
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    ssize_t len = read(fd, text, cap - 1);
    assert_true(len >= 0);
    text[len] = 0;
    close(fd);
}

static int run(const char *const *arguments, const char *input)
{
    const char *argv[16] = {"teegate", "secrets"};
    size_t argc = 2;
    while (arguments[argc - 2] != NULL) {
        argv[argc] = arguments[argc - 2];
        argc++;
    }
    int in_fd = open(tg_test_folder(), O_TMPFILE | O_RDWR, 0600);
    assert_int_equal(write(in_fd, input, strlen(input)), strlen(input));
    assert_int_equal(lseek(in_fd, 0, SEEK_SET), 0);
    tg_console console = {.in_fd = in_fd,
                          .out_fd = open(tg_test_folder(), O_TMPFILE | O_RDWR, 0600),
                          .err_fd = open(tg_test_folder(), O_TMPFILE | O_RDWR, 0600)};
    int status = tg_tool_main(argc, argv, &console);
    close(in_fd);
    read_back(console.out_fd, out_text, sizeof out_text);
    read_back(console.err_fd, err_text, sizeof err_text);
    return status;
}

#define RUN(input, ...) run((const char *const[]){__VA_ARGS__, NULL}, input)

/* An enclave's listener as the sender sees it: reads to the end, and says what it was told to say. */
typedef struct server {
    int fd;
    const char *answer;
    char address[160];
    char received[4096];
    bool is_rude; /* ends at once, unread */
} server;

static void *serve(void *argument)
{
    server *self = argument;
    int fd = accept(self->fd, NULL, NULL);
    size_t len = 0;
    for (ssize_t got; !self->is_rude && (got = read(fd, self->received + len, sizeof self->received - 1 - len)) > 0;) {
        len += (size_t)got;
    }
    self->received[len] = 0;
    if (self->answer[0] != 0) {
        (void)!write(fd, self->answer, strlen(self->answer));
    }
    close(fd);
    return NULL;
}

static pthread_t start(server *self, const char *answer)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    pthread_t thread;
    snprintf(address.sun_path, sizeof address.sun_path, "%s/s", tg_test_folder());
    snprintf(self->address, sizeof self->address, "unix:%s", address.sun_path);
    unlink(address.sun_path);
    self->answer = answer;
    self->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(self->fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(self->fd, 8), 0);
    assert_int_equal(pthread_create(&thread, NULL, serve, self), 0);
    return thread;
}

static void stop(server *self, pthread_t thread)
{
    assert_int_equal(pthread_join(thread, NULL), 0);
    close(self->fd);
}

static void secrets_send_shows_what_the_enclave_answers(void **state)
{
    static const char ok[] = "{\"status\":\"ok\",\"applied\":[],\"version\":3}\n";
    server it = {0};
    (void)state;
    pthread_t thread = start(&it, ok);
    assert_int_equal(RUN("{\"A\":\"b\"}", "send", it.address), TG_EXIT_OK);
    stop(&it, thread);
    assert_string_equal(it.received, "{\"A\":\"b\"}");
    assert_string_equal(out_text, ok);
    tg_test_write_file("secrets.json", TG_LIT("{}"));
    thread = start(&it, "{\"status\":\"error\",\"code\":\"not_json\",\"message\":\"x\"}\n");
    assert_int_equal(RUN("", "send", it.address, tg_test_path("secrets.json")), TG_EXIT_FINDINGS);
    stop(&it, thread);
    assert_string_equal(it.received, "{}");
    assert_non_null(strstr(err_text, "not_json"));
    thread = start(&it, "");
    assert_int_equal(RUN("test", "send", it.address), TG_EXIT_FINDINGS);
    stop(&it, thread);
    assert_non_null(strstr(err_text, "nothing was answered"));
}

static void secrets_send_what_cannot_be_sent_is_said(void **state)
{
    (void)state;
    assert_int_equal(RUN("", "send", "nowhere"), TG_EXIT_CANNOT);
    assert_int_equal(RUN("", "send", "unix:/x", tg_test_path("absent")), TG_EXIT_CANNOT);
    char *long_text = malloc((1 << 20) + 2);
    assert_non_null(long_text);
    memset(long_text, ' ', (1 << 20) + 1);
    long_text[(1 << 20) + 1] = 0;
    assert_int_equal(RUN(long_text, "send", "unix:/x"), TG_EXIT_CANNOT);
    assert_non_null(strstr(err_text, "more than 1 MiB"));
    free(long_text);
    assert_int_equal(RUN("", "send", "unix:/x", "--sign", tg_test_path("absent")), TG_EXIT_CANNOT);
    assert_non_null(strstr(err_text, "--attestation URL is missing"));
    assert_int_equal(
        RUN("", "send", "unix:/x", "--sign", tg_test_path("absent"), "--attestation", "https://127.0.0.1:1"),
        TG_EXIT_CANNOT);
    assert_non_null(strstr(err_text, "cannot be read"));
    tg_test_write_file("signer.pem", tg_slice_str(signer_pem));
    assert_int_equal(
        RUN("", "send", "unix:/x", "--sign", tg_test_path("signer.pem"), "--attestation", "https://127.0.0.1:1"),
        TG_EXIT_CANNOT);
    assert_non_null(strstr(err_text, "https://127.0.0.1:1"));
}

static const uint8_t sealed_to_spki[] = {
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
    0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, /* and the point */
};

/* Sealed only to the key of a document that was verified, and by the first key of the fake's own. */
static void secrets_send_signed_is_sealed_to_a_verified_enclave_alone(void **state)
{
    (void)state;
    static const char secret[] = "{\"MTLS_CLIENT_CERT_JSON\":\"PRIVATE\"}";
    uint8_t spki[sizeof sealed_to_spki + TG_P256_PUBLIC_BYTES];
    fake_enclave fake = {0};
    server it = {.is_rude = false};
    tg_ec_key *recipient;
    assert_ok(tg_crypto_init(1));
    assert_ok(tg_ec_key_generate(TG_CURVE_P256, &recipient));
    memcpy(spki, sealed_to_spki, sizeof sealed_to_spki);
    memcpy(spki + sizeof sealed_to_spki, tg_ec_key_public(recipient).ptr, TG_P256_PUBLIC_BYTES);
    tg_test_write_file("signer.pem", tg_slice_str(signer_pem));
    const char *key = tg_test_path("signer.pem");
    fake_start(&fake);
#define SEND_TO(address, ...)                                                                                          \
    RUN(secret, "send", address, "-", "--sign", key, "--attestation", fake.server.url, __VA_ARGS__)
    assert_int_equal(SEND_TO("unix:/x", "--allow=any-image"), TG_EXIT_FINDINGS);
    assert_non_null(strstr(err_text, "NOT verified"));
    assert_non_null(strstr(err_text, "nothing was sent"));
    assert_int_equal(SEND_TO("unix:/x", "--allow=any-image", "--allow=test-root"), TG_EXIT_CANNOT);
    assert_non_null(strstr(err_text, "takes no sealed secrets"));
    fake.public_key = tg_slice_of(spki, sizeof spki);
    pthread_t thread = start(&it, "{\"status\":\"ok\",\"applied\":[],\"version\":1}\n");
    assert_int_equal(SEND_TO(it.address, "--allow=any-image", "--allow=test-root"), TG_EXIT_OK);
    stop(&it, thread);
    assert_non_null(strstr(it.received, "eyJ")); /* a JWE's header */
    assert_null(strstr(it.received, "PRIVATE"));
    fake_stop(&fake);
    tg_ec_key_free(recipient);
}

static void tg_secrets_send_without_a_listener_says_no_connection(void **state)
{
    tg_address address;
    tg_detail detail = {0};
    tg_buf answer;
    char text[160];
    server it = {.is_rude = true};
    (void)state;
    tg_buf_init(&answer, TG_MAX_SEND_ANSWER_BYTES);
    snprintf(text, sizeof text, "unix:%s/nobody", tg_test_folder());
    assert_ok(tg_address_parse(tg_slice_str(text), &address, &detail));
    assert_code(tg_secrets_send(&address, TG_LIT("x"), 5000, &answer, &detail), TG_ERR_CLOSED);
    assert_non_null(strstr(detail.reason, "no connection"));
    pthread_t thread = start(&it, "{\"status\":\"error\"}"); /* refuses before it has read */
    assert_ok(tg_address_parse(tg_slice_str(it.address), &address, &detail));
    char *long_text = calloc(1, 1 << 20);
    tg_result sent = tg_secrets_send(&address, tg_slice_of(long_text, 1 << 20), 5000, &answer, &detail);
    assert_true(tg_is_ok(sent) || sent.code == TG_ERR_CLOSED);
    stop(&it, thread);
    free(long_text);
    tg_buf_done(&answer);
}

static void secrets_signer_is_the_point_of_the_key(void **state)
{
    (void)state;
    tg_test_write_file("signer.pem", tg_slice_str(signer_pem));
    assert_int_equal(RUN("", "signer", tg_test_path("signer.pem")), TG_EXIT_OK);
    assert_string_equal(out_text, signer_text);
    tg_test_write_file("none.pem", TG_LIT("no key"));
    assert_int_equal(RUN("", "signer", tg_test_path("none.pem")), TG_EXIT_CANNOT);
    assert_non_null(strstr(err_text, "openssl genpkey"));
}

static void secrets_template_is_json_of_the_known_members(void **state)
{
    (void)state;
    assert_int_equal(RUN("", "template"), TG_EXIT_OK);
    assert_non_null(strstr(out_text, "MTLS_CLIENT_CERT_JSON"));
    assert_non_null(strstr(out_text, "ECS_WATERMARK_ENDPOINT"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_send_signed_is_sealed_to_a_verified_enclave_alone),
        cmocka_unit_test(secrets_send_shows_what_the_enclave_answers),
        cmocka_unit_test(secrets_send_what_cannot_be_sent_is_said),
        cmocka_unit_test(tg_secrets_send_without_a_listener_says_no_connection),
        cmocka_unit_test(secrets_signer_is_the_point_of_the_key),
        cmocka_unit_test(secrets_template_is_json_of_the_known_members),
    };
    return cmocka_run_group_tests(tests, tg_test_folder_set_up, tg_test_folder_tear_down);
}
