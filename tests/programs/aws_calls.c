// room: aws outbound
// AWS's operations as functions, asked from the command line: what the integration tests compare with the emulator.
//   aws_calls decrypt KEY HEX [NAME VALUE]... | encrypt KEY TEXT | datakey KEY BYTES | blindkey KEY BYTES | random
//   BYTES
//             | secret ID | put ID TEXT | list BUCKET OWNER PREFIX | get BUCKET OWNER KEY [ETAG] | cancel
// Prints one line for each answer: words and lower-case hexadecimal. Region and endpoints come from the environment.
#include "aws/json.h"
#include "aws/kms.h"
#include "aws/s3.h"
#include "aws/secrets_manager.h"
#include "base/encode.h"
#include "base/num.h"
#include "outbound/outbound.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct run {
    tg_loop *loop;
    tg_aws_client *client;
    tg_outbound *outbounds[TG_AWS_MAX_ORIGINS];
    size_t num_outbounds;
    tg_aws_bucket bucket;
    tg_slice prefix;
    int status;
} run;

static tg_result connect_to(const tg_aws_endpoint *endpoint, void *owner, tg_http_connector **out_connector)
{
    run *own = owner;
    char url[400];
    tg_detail detail;
    tg_detail_clear(&detail);
    snprintf(url, sizeof url, "http%s://%s", endpoint->is_tls ? "s" : "", endpoint->authority);
    const tg_outbound_settings settings = {.url = tg_slice_str(url), .plain = TG_OUTBOUND_PLAIN_LOCAL};
    TG_TRY(tg_outbound_new(&settings, &own->outbounds[own->num_outbounds], &detail));
    *out_connector = tg_outbound_connector(own->outbounds[own->num_outbounds++]);
    return tg_ok();
}

static void print_bytes(const char *name, tg_slice bytes)
{
    printf(" %s=", name);
    for (size_t i = 0; i < bytes.len; i++) {
        printf("%02x", bytes.ptr[i]);
    }
}

static void end(run *own, int status)
{
    printf("\n");
    own->status = status;
    tg_loop_stop(own->loop);
}

static void print_failure(run *own, const tg_aws_failure *failure)
{
    tg_buf text;
    tg_buf_init(&text, 4096);
    if (tg_is_ok(tg_aws_failure_append(failure, &text))) {
        printf("failed %.*s", (int)tg_buf_len(&text), (const char *)tg_buf_slice(&text).ptr);
    }
    tg_buf_done(&text);
    end(own, 1);
}

static void on_kms(const tg_aws_kms_answer *answer, const tg_aws_failure *failure, void *owner)
{
    if (answer == NULL) {
        print_failure(owner, failure);
        return;
    }
    printf("kms");
    print_bytes("key", answer->key_id);
    print_bytes("ciphertext", answer->ciphertext);
    print_bytes("plaintext", answer->plaintext);
    print_bytes("sealed", answer->sealed);
    end(owner, 0);
}

static void on_secret(const tg_aws_secret *secret, const tg_aws_failure *failure, void *owner)
{
    if (secret == NULL) {
        print_failure(owner, failure);
        return;
    }
    printf("secret %s", secret->is_binary ? "binary" : "text");
    print_bytes("value", secret->value);
    print_bytes("version", secret->version_id);
    end(owner, 0);
}

static void on_page(const tg_aws_s3_page *page, const tg_aws_failure *failure, void *owner)
{
    run *own = owner;
    if (page == NULL) {
        print_failure(own, failure);
        return;
    }
    for (size_t i = 0; i < page->num_objects; i++) {
        printf("object size=%llu", (unsigned long long)page->objects[i].size_bytes);
        print_bytes("key", page->objects[i].key);
        print_bytes("etag", page->objects[i].etag);
        printf("\n");
    }
    if (!page->is_truncated ||
        !tg_is_ok(tg_aws_s3_list_start(own->client, &own->bucket, own->prefix, page->next_token, on_page, own, NULL))) {
        printf("listed");
        end(own, page->is_truncated ? 1 : 0);
    }
}

static void on_content(const tg_aws_s3_content *content, const tg_aws_failure *failure, void *owner)
{
    if (content == NULL) {
        print_failure(owner, failure);
        return;
    }
    printf("content %s", content->is_unchanged ? "unchanged" : "whole");
    print_bytes("etag", content->etag);
    print_bytes("body", content->body);
    end(owner, 0);
}

static tg_slice argument(char **arguments, int index)
{
    return tg_slice_str(arguments[index]);
}

static tg_result start_kms(run *own, tg_slice name, char **arguments, int num_arguments)
{
    static uint8_t ciphertext[4096];
    tg_aws_context_pair pairs[4];
    uint64_t num_bytes = 0;
    tg_aws_kms_ask ask = {.context = pairs};
    if (tg_slice_equal(name, TG_LIT("random"))) {
        ask.operation = TG_AWS_GENERATE_RANDOM;
        TG_TRY(tg_num_parse_u64(argument(arguments, 0), 1024, &num_bytes));
    } else {
        ask.key_id = argument(arguments, 0);
    }
    if (tg_slice_equal(name, TG_LIT("decrypt"))) {
        ask.operation = TG_AWS_DECRYPT;
        TG_TRY(tg_hex_decode(argument(arguments, 1), ciphertext));
        ask.ciphertext = tg_slice_of(ciphertext, argument(arguments, 1).len / 2);
        for (int i = 2; i + 1 < num_arguments && ask.num_context < TG_COUNT(pairs); i += 2) {
            pairs[ask.num_context++] = (tg_aws_context_pair){argument(arguments, i), argument(arguments, i + 1)};
        }
    } else if (tg_slice_equal(name, TG_LIT("encrypt"))) {
        ask.operation = TG_AWS_ENCRYPT;
        ask.plaintext = argument(arguments, 1);
    } else if (!tg_slice_equal(name, TG_LIT("random"))) {
        bool is_blind = tg_slice_equal(name, TG_LIT("blindkey"));
        ask.operation = is_blind ? TG_AWS_GENERATE_DATA_KEY_WITHOUT_PLAINTEXT : TG_AWS_GENERATE_DATA_KEY;
        TG_TRY(tg_num_parse_u64(argument(arguments, 1), 1024, &num_bytes));
    }
    ask.num_bytes = (uint32_t)num_bytes;
    return tg_aws_kms_start(own->client, &ask, on_kms, own, NULL);
}

static tg_result start(run *own, tg_slice name, char **arguments, int num_arguments)
{
    if (tg_slice_equal(name, TG_LIT("secret"))) {
        return tg_aws_secret_get(own->client, argument(arguments, 0), on_secret, own, NULL);
    }
    if (tg_slice_equal(name, TG_LIT("put"))) {
        return tg_aws_secret_put(own->client, argument(arguments, 0), argument(arguments, 1), false,
                                 TG_LIT("0123456789abcdef0123456789abcdef"), on_secret, own, NULL);
    }
    if (tg_slice_equal(name, TG_LIT("list")) || tg_slice_equal(name, TG_LIT("get"))) {
        own->bucket = (tg_aws_bucket){argument(arguments, 0), argument(arguments, 1)};
        own->prefix = argument(arguments, 2);
        tg_slice etag = num_arguments > 3 ? argument(arguments, 3) : (tg_slice){NULL, 0};
        return tg_slice_equal(name, TG_LIT("list"))
                   ? tg_aws_s3_list_start(own->client, &own->bucket, own->prefix, etag, on_page, own, NULL)
                   : tg_aws_s3_get_start(own->client, &own->bucket, own->prefix, etag, 1 << 20, on_content, own, NULL);
    }
    if (tg_slice_equal(name, TG_LIT("cancel"))) {
        tg_aws_call *call;
        TG_TRY(tg_aws_secret_get(own->client, TG_LIT("x"), on_secret, own, &call));
        tg_aws_call_cancel(call);
        printf("cancelled");
        end(own, 0);
        return tg_ok();
    }
    return start_kms(own, name, arguments, num_arguments);
}

int main(int argc, char **argv)
{
    run own = {.status = 2};
    tg_aws_transport *transport = NULL;
    tg_aws_credentials *credentials = NULL;
    const char *region = getenv("AWS_REGION");
    tg_aws_json_wipe();
    const tg_aws_transport_settings settings = {.region = tg_slice_str(region),
                                                .environment = (const char *const *)environ,
                                                .connect = connect_to,
                                                .owner = &own};
    if (argc > 1 && tg_is_ok(tg_loop_new(&own.loop)) &&
        tg_is_ok(tg_aws_transport_new(own.loop, &settings, &transport)) &&
        tg_is_ok(tg_aws_credentials_new(transport, NULL, &credentials)) &&
        tg_is_ok(tg_aws_client_new(transport, credentials, &own.client)) &&
        tg_is_ok(start(&own, argument(argv, 1), argv + 2, argc - 2))) {
        tg_loop_run(own.loop);
    }
    tg_aws_client_free(own.client);
    tg_aws_credentials_free(credentials);
    tg_aws_transport_free(transport);
    for (size_t i = 0; i < own.num_outbounds; i++) {
        tg_outbound_unref(own.outbounds[i]);
    }
    if (own.loop != NULL) {
        tg_loop_free(own.loop);
    }
    return own.status;
}
