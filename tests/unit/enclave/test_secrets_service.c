#include "support/folder.h"
#include "support/logged.h"
#include "unit/secrets/secrets_case.h"

#include "base/encode.h"
#include "crypto/init.h"
#include "enclave/delivered_keys.h"
#include "enclave/enclave_manifest.h"
#include "enclave/secrets_service.h"
#include "envelope/jwe.h"
#include "envelope/jws.h"

#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

typedef struct fixture {
    tg_enclave_settings settings;
    char address[160], signer_text[88];
    const char *signers[1];
    tg_loop *loop;
    tg_publisher *publisher;
    tg_secrets_service *service;
    tg_faults faults;
    tg_tls_identity *delivered;
    tg_aws_key_set *keys;
    tg_ec_key *signer;
    /* of the sender's thread */
    tg_slice text;
    char answer[8192];
} fixture;

static void on_aws_keys(void *owner)
{
    fixture *f = owner;
    const tg_aws_key_source source = tg_delivered_keys(f->publisher);
    assert_ok(source.get(source.owner, &f->keys)); /* they are published when this is called */
}

static tg_result on_identity(tg_tls_identity *identity, void *owner)
{
    fixture *f = owner;
    f->delivered = identity;
    return tg_ok();
}

static void set_up(fixture *f, bool is_sealed)
{
    *f = (fixture){0};
    assert_ok(tg_ec_key_generate(TG_CURVE_P256, &f->signer));
    tg_base64_encode(TG_BASE64_URL, tg_ec_key_public(f->signer), (uint8_t *)f->signer_text);
    f->signers[0] = f->signer_text;
    snprintf(f->address, sizeof f->address, "unix:%s/secrets.sock", tg_test_folder());
    f->settings.secrets_address = f->address;
    f->settings.secrets_mode = is_sealed ? TG_SECRETS_SEALED : TG_SECRETS_OPEN;
    f->settings.secrets_signers = (tg_setting_list){f->signers, is_sealed ? 1 : 0};
    f->settings.secrets_dir = is_sealed ? NULL : tg_test_path("certs");
    tg_faults_init(&f->faults);
    assert_ok(tg_loop_new(&f->loop));
    assert_ok(tg_publisher_new(&f->publisher));
    const tg_secrets_sources sources = {.settings = &f->settings,
                                        .publisher = f->publisher,
                                        .identity_delivered = on_identity,
                                        .aws_keys_delivered = on_aws_keys,
                                        .owner = f};
    assert_ok(tg_secrets_service_open(&sources, f->loop, &f->service, &f->faults));
}

static void tear_down(fixture *f)
{
    tg_secrets_service_close(f->service);
    tg_loop_free(f->loop);
    tg_publisher_free(f->publisher);
    tg_faults_done(&f->faults);
    tg_ec_key_free(f->signer);
}

static void *send_text(void *argument)
{
    fixture *f = argument;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memcpy(address.sun_path, f->address + 5, strlen(f->address + 5) + 1);
    size_t len = 0;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) {
        for (size_t sent = 0; sent < f->text.len;) {
            ssize_t done = send(fd, f->text.ptr + sent, f->text.len - sent, MSG_NOSIGNAL);
            if (done <= 0) {
                break;
            }
            sent += (size_t)done;
        }
        (void)shutdown(fd, SHUT_WR);
        for (ssize_t got; (got = read(fd, f->answer + len, sizeof f->answer - 1 - len)) > 0;) {
            len += (size_t)got;
        }
    }
    f->answer[len] = 0;
    close(fd);
    tg_loop_stop(f->loop);
    return NULL;
}

static void deliver(fixture *f, tg_slice text, const char *answer)
{
    pthread_t thread;
    f->text = text;
    assert_int_equal(pthread_create(&thread, NULL, send_text, f), 0);
    tg_loop_run(f->loop);
    assert_int_equal(pthread_join(thread, NULL), 0);
    if (strstr(f->answer, answer) == NULL) {
        fail_msg("%s", f->answer);
    }
}

static void tg_secrets_service_open_delivery_reaches_the_snapshot(void **state)
{
    test_parts parts = test_make_parts("client");
    char *text = test_good_delivery(&parts);
    fixture f;
    (void)state;
    set_up(&f, false);
    tg_snapshot *before = tg_publisher_current(f.publisher);
    assert_string_equal(tg_snapshot_secrets_mode(before), "open");
    assert_int_equal(tg_snapshot_secrets_key(before).len, 0);
    assert_int_equal(tg_secrets_version(tg_snapshot_secrets(before)), 0);
    deliver(&f, TG_LIT("test"), "\"applied\":[],\"version\":0");
    deliver(&f, tg_slice_str(text), "\"version\":1");
    tg_snapshot *after = tg_publisher_current(f.publisher);
    assert_non_null(tg_secrets_client(tg_snapshot_secrets(after)));
    assert_null(tg_secrets_client(tg_snapshot_secrets(before)));
    assert_int_equal(access(tg_test_path("certs/client.key"), F_OK), 0);
    deliver(&f, TG_LIT("{\"UNKNOWN\":\"hunter2\"}"), "unknown_member");
    assert_null(strstr(tg_test_log(), "hunter2"));
    assert_non_null(strstr(tg_test_log(), "\"delivery_refused\""));
    assert_non_null(strstr(tg_test_log(), "\"delivered\""));
    tg_snapshot_unref(before);
    tg_snapshot_unref(after);
    tear_down(&f);
    free(text);
    test_parts_done(&parts);
}

static void tg_secrets_service_too_long_a_delivery_is_refused_in_words(void **state)
{
    char *text = calloc(1, TG_MAX_DELIVERY_BYTES + 1);
    fixture f;
    (void)state;
    assert_non_null(text);
    set_up(&f, false);
    deliver(&f, tg_slice_of(text, TG_MAX_DELIVERY_BYTES + 1), "\"code\":\"too_large\"");
    assert_non_null(strstr(f.answer, "longer than a delivery may be"));
    tear_down(&f);
    free(text);
}

/* What the signer's tool would send. */
static void seal(const fixture *f, const char *text, uint64_t version, tg_buf *sealed)
{
    tg_jws_claims claims = {.has_version = true, .version = version};
    char kid[TG_THUMBPRINT_BYTES + 1];
    tg_snapshot *snapshot = tg_publisher_current(f->publisher);
    tg_slice point;
    tg_buf signed_text;
    tg_buf_init(sealed, 65536);
    tg_buf_init_wiped(&signed_text, 65536);
    assert_ok(tg_p256_from_spki(tg_snapshot_secrets_key(snapshot), &point));
    assert_ok(tg_jwk_thumbprint(tg_ec_key_public(f->signer), claims.kid));
    assert_ok(tg_jwk_thumbprint(point, kid));
    assert_ok(tg_jws_sign(f->signer, &claims, tg_slice_str(text), &signed_text));
    assert_ok(tg_jwe_seal(&(tg_jwe_recipient){.point = point, .kid = kid}, tg_buf_slice(&signed_text), sealed));
    tg_buf_done(&signed_text);
    tg_snapshot_unref(snapshot);
}

static void tg_secrets_service_sealed_aws_keys_are_published_and_told(void **state)
{
    tg_buf sealed;
    fixture f;
    (void)state;
    set_up(&f, true);
    const tg_aws_key_source source = tg_delivered_keys(f.publisher);
    assert_int_equal(source.version(source.owner), 0);
    assert_ok(source.get(source.owner, &f.keys));
    assert_null(f.keys); /* the others are asked */
    seal(&f, "{\"AWS_ACCESS_KEY_ID\":\"AKIA1\",\"AWS_SECRET_ACCESS_KEY\":\"s\",\"AWS_SESSION_TOKEN\":\"t\"}", 4,
         &sealed);
    deliver(&f, tg_buf_slice(&sealed), "\"version\":4");
    tg_buf_done(&sealed);
    assert_non_null(f.keys);
    tg_assert_slice(f.keys->keys.access_key_id, TG_LIT("AKIA1"), __FILE__, __LINE__);
    tg_assert_slice(f.keys->keys.session_token, TG_LIT("t"), __FILE__, __LINE__);
    assert_int_equal(source.version(source.owner), 4);
    tg_aws_key_set_unref(TG_TAKE(f.keys));
    seal(&f, "{\"ECS_WATERMARK_ENDPOINT\":\"https://w.example\"}", 5, &sealed);
    deliver(&f, tg_buf_slice(&sealed), "\"version\":5");
    tg_buf_done(&sealed);
    assert_null(f.keys); /* a delivery of other things changes nothing of them */
    assert_int_equal(source.version(source.owner), 4);
    seal(&f, "{\"AWS_ACCESS_KEY_ID\":\"AKIA2\",\"AWS_SECRET_ACCESS_KEY\":\"s2\"}", 6, &sealed);
    deliver(&f, tg_buf_slice(&sealed), "\"version\":6");
    tg_buf_done(&sealed);
    tg_assert_slice(f.keys->keys.secret_access_key, TG_LIT("s2"), __FILE__, __LINE__);
    assert_int_equal(f.keys->keys.session_token.len, 0); /* the old token is not of the new keys */
    tg_aws_key_set_unref(f.keys);
    tear_down(&f);
}

static void tg_secrets_service_sealed_identity_becomes_the_enclaves_own(void **state)
{
    test_parts parts = test_make_parts("enclave");
    json_t *object = json_pack("{s:{s:s,s:s}}", "TLS_CERT_JSON", "cert", parts.cert, "key", parts.key);
    char *text = json_dumps(object, 0);
    tg_buf sealed, manifest;
    fixture f;
    (void)state;
    set_up(&f, true);
    tg_snapshot *snapshot = tg_publisher_current(f.publisher);
    assert_string_equal(tg_snapshot_secrets_mode(snapshot), "sealed");
    seal(&f, text, 3, &sealed);
    deliver(&f, TG_LIT("{\"ECS_WATERMARK_ENDPOINT\":\"https://h\"}"), "not_sealed");
    deliver(&f, tg_buf_slice(&sealed), "\"applied\":[\"TLS_CERT_JSON\"],\"version\":3");
    assert_non_null(f.delivered);
    deliver(&f, tg_buf_slice(&sealed), "not_newer");
    tg_snapshot_unref(snapshot);
    snapshot = tg_publisher_current(f.publisher);
    assert_ptr_equal(tg_secrets_server(tg_snapshot_secrets(snapshot)), f.delivered);
    tg_buf_init(&manifest, 65536);
    assert_ok(tg_enclave_manifest_append(snapshot, TG_LIT("{}"), (tg_slice){NULL, 0}, &manifest));
    assert_ok(tg_buf_append_byte(&manifest, 0));
    assert_non_null(strstr((const char *)tg_buf_slice(&manifest).ptr, "\"secrets_mode\":\"sealed\""));
    assert_null(strstr((const char *)tg_buf_slice(&manifest).ptr, "\"secrets_key\":null"));
    tg_buf_done(&manifest);
    tg_buf_done(&sealed);
    tg_snapshot_unref(snapshot);
    tear_down(&f);
    free(text);
    json_decref(object);
    test_parts_done(&parts);
}

static void tg_secrets_service_open_at_a_bad_address_is_a_fault_unless_it_is_the_default(void **state)
{
    fixture f;
    (void)state;
    set_up(&f, false);
    tg_enclave_settings other = f.settings;
    const tg_secrets_sources sources = {.settings = &other,
                                        .publisher = f.publisher,
                                        .identity_delivered = on_identity,
                                        .aws_keys_delivered = on_aws_keys,
                                        .owner = &f};
    tg_secrets_service *second = NULL;
    assert_false(tg_is_ok(tg_secrets_service_open(&sources, f.loop, &second, &f.faults))); /* somebody listens there */
    assert_int_equal(f.faults.num_faults, 1);
    assert_ok(tg_secrets_service_check(&other, &f.faults));
    assert_int_equal(f.faults.num_faults, 2);
    other.is_secrets_address_default = true;
    assert_ok(tg_secrets_service_check(&other, &f.faults));
    assert_ok(tg_secrets_service_open(&sources, f.loop, &second, &f.faults));
    tg_secrets_service_close(second);
    other.secrets_address = NULL;
    assert_ok(tg_secrets_service_check(&other, &f.faults));
    assert_ok(tg_secrets_service_open(&sources, f.loop, &second, &f.faults));
    tg_snapshot *snapshot = tg_publisher_current(f.publisher);
    assert_string_equal(tg_snapshot_secrets_mode(snapshot), "none");
    tg_snapshot_unref(snapshot);
    tg_secrets_service_close(second);
    tg_secrets_service_close(NULL);
    assert_int_equal(f.faults.num_faults, 2);
    char free_address[180];
    snprintf(free_address, sizeof free_address, "unix:%s/free.sock", tg_test_folder());
    other = (tg_enclave_settings){.secrets_address = free_address};
    assert_ok(tg_secrets_service_check(&other, &f.faults));
    assert_int_equal(f.faults.num_faults, 2);
    tear_down(&f);
}

static int set_up_case(void **state)
{
    return tg_test_folder_set_up(state) | tg_test_log_set_up(state);
}

static int tear_down_case(void **state)
{
    return tg_test_folder_tear_down(state) | tg_test_log_tear_down(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tg_secrets_service_open_delivery_reaches_the_snapshot, set_up_case,
                                        tear_down_case),
        cmocka_unit_test_setup_teardown(tg_secrets_service_too_long_a_delivery_is_refused_in_words, set_up_case,
                                        tear_down_case),
        cmocka_unit_test_setup_teardown(tg_secrets_service_sealed_aws_keys_are_published_and_told, set_up_case,
                                        tear_down_case),
        cmocka_unit_test_setup_teardown(tg_secrets_service_sealed_identity_becomes_the_enclaves_own, set_up_case,
                                        tear_down_case),
        cmocka_unit_test_setup_teardown(tg_secrets_service_open_at_a_bad_address_is_a_fault_unless_it_is_the_default,
                                        set_up_case, tear_down_case),
    };
    return tg_is_ok(tg_crypto_init(1)) ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
