#include "keys/kms_source.h"

#include "attest/recipient.h"
#include "aws/json.h"
#include "base/encode.h"
#include "base/num.h"
#include "base/text.h"
#include "keys/secret_format.h"
#include "sys/clock.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/random.h>

enum { MAX_BODY_BYTES = 65536, MAX_DOCUMENT_BYTES = 16384, MAX_VERSION_BYTES = 128 };

struct tg_kms_source {
    tg_kms_source_settings settings;
    tg_loop *loop;
    tg_deadline timer; /* the next reading */
    tg_task asked, wanted;
    tg_key_ring *ring; /* in force; NULL before the first */
    tg_ring_memory memory;
    uint64_t held_until_ms; /* a key waits as pending until then; 0: none does */
    uint8_t content_sha256[TG_SHA256_BYTES];
    bool has_content; /* content_sha256 is of the secret that the ring was made of */
    uint64_t last_asked_ms;
    unsigned num_failures; /* in a row */
    /* The reading under way. */
    bool is_reading;
    uint8_t new_sha256[TG_SHA256_BYTES];
    char version[MAX_VERSION_BYTES];
    tg_key_secret secret;
    bool has_secret;
    tg_opened_key opened[TG_MAX_RING_KEYS];
    size_t num_opened;
    tg_recipient *recipient;
    tg_buf document;
};

static void begin(tg_kms_source *self);
static void on_secret(const tg_key_answer *answer, void *owner);
static void on_decrypted(const tg_key_answer *answer, void *owner);

/* Wipes what a reading held. */
static void clear_reading(tg_kms_source *self)
{
    for (size_t i = 0; i < self->num_opened; i++) {
        tg_secret_free(self->opened[i].key);
    }
    self->num_opened = 0;
    if (self->has_secret) {
        tg_key_secret_done(&self->secret);
    }
    self->has_secret = false;
    tg_recipient_free(TG_TAKE(self->recipient));
    tg_buf_clear(&self->document);
    self->is_reading = false;
}

static void arm(tg_kms_source *self, uint64_t in_ms)
{
    tg_deadline_arm_in(self->loop, &self->timer, in_ms > 0 ? in_ms : 1);
}

/* Full jitter: replicas that failed together do not come back together. */
static uint64_t retry_ms(const tg_kms_source *self)
{
    unsigned doubled = self->num_failures > 1 ? self->num_failures - 1 : 0;
    uint64_t most = doubled >= 10 ? TG_MAX_RETRY_MS : (uint64_t)TG_FIRST_RETRY_MS << doubled;
    uint32_t random = 0;
    most = most < TG_MAX_RETRY_MS ? most : TG_MAX_RETRY_MS;
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) != (ssize_t)sizeof random) {
        random = UINT32_MAX / 2;
    }
    return most / 4 + most * 3 / 4 * random / UINT32_MAX;
}

static void tell(tg_kms_source *self, tg_key_event *event)
{
    event->ring = self->ring;
    event->version = self->version;
    event->code = event->code != NULL ? event->code : "";
    event->request_id = event->request_id != NULL ? event->request_id : "";
    self->settings.told(event, self->settings.owner);
}

static void fail_with(tg_kms_source *self, tg_key_event *event)
{
    self->num_failures++;
    event->kind = TG_KEYS_FAILED;
    event->next_ms = retry_ms(self);
    arm(self, event->next_ms);
    tell(self, event);
    clear_reading(self);
}

static void fail(tg_kms_source *self, const char *stage, const tg_detail *detail)
{
    tg_key_event event = {.stage = stage, .detail = *detail};
    fail_with(self, &event);
}

static void fail_refused(tg_kms_source *self, const char *stage, const tg_key_answer *answer)
{
    tg_key_event event = {
        .stage = stage, .status = answer->status, .code = answer->code, .request_id = answer->request_id};
    tg_detail_set_reason(&event.detail, "%s", answer->message);
    fail_with(self, &event);
}

static void succeed(tg_kms_source *self, tg_key_event_kind kind, const tg_ring_change *change)
{
    uint64_t now_ms = tg_loop_now_ms(self->loop);
    self->num_failures = 0;
    self->held_until_ms = change->is_held ? change->due_ms : 0;
    tg_key_event event = {.kind = kind, .change = *change, .next_ms = self->settings.interval_ms};
    if (change->is_held && change->due_ms > now_ms && change->due_ms - now_ms < event.next_ms) {
        event.next_ms = change->due_ms - now_ms + 1;
    }
    arm(self, event.next_ms);
    tell(self, &event);
    clear_reading(self);
}

/* Every key is open: they become the ring. */
static void conclude(tg_kms_source *self)
{
    tg_key_ring *ring = NULL;
    tg_ring_change change;
    tg_detail detail = {0};
    uint64_t now_ms = tg_loop_now_ms(self->loop);
    if (!tg_is_ok(tg_ring_plan(self->ring, self->opened, self->num_opened, &self->memory, now_ms,
                               self->settings.interval_ms, tg_clock_unix_ms(), &ring, &change, &detail))) {
        fail(self, "ring", &detail);
        return;
    }
    if (change.is_changed) {
        if (!tg_is_ok(self->settings.publish(tg_key_ring_ref(ring), self->settings.owner))) {
            tg_key_ring_unref(ring);
            tg_detail_set_reason(&detail, "there is no memory for the new keys");
            fail(self, "publish", &detail);
            return;
        }
        tg_key_ring_unref(self->ring);
        self->ring = ring;
    } else {
        tg_key_ring_unref(ring);
    }
    memcpy(self->content_sha256, self->new_sha256, sizeof self->content_sha256);
    self->has_content = true;
    succeed(self, change.is_changed ? TG_KEYS_CHANGED : TG_KEYS_UNCHANGED, &change);
}

/* Asks for the next key that is not open yet, or is done. */
static void decrypt_next(tg_kms_source *self)
{
    if (self->num_opened == self->secret.num_keys) {
        conclude(self);
        return;
    }
    tg_buf body;
    tg_detail detail = {0};
    tg_buf_init(&body, MAX_BODY_BYTES);
    const tg_aws_kms_ask decrypt = {.operation = TG_AWS_DECRYPT,
                                    .key_id = tg_slice_str(self->settings.guards->key_arn),
                                    .ciphertext = self->secret.keys[self->num_opened].ciphertext,
                                    .context = self->settings.context,
                                    .num_context = self->settings.num_context,
                                    .attestation_document = tg_buf_slice(&self->document)};
    tg_result asked = tg_aws_kms_append_ask(&body, &decrypt);
    if (tg_is_ok(asked)) {
        asked =
            self->settings.remote->ask(self->settings.remote, TG_KEY_DECRYPT, tg_buf_slice(&body), on_decrypted, self);
    }
    tg_buf_done(&body);
    if (!tg_is_ok(asked)) {
        tg_detail_set_reason(&detail, "KMS could not be asked");
        fail(self, "decrypt", &detail);
    }
}

/* The member of an answer that is a text; empty where there is none. */
static tg_slice text_of(const json_t *json, const char *name)
{
    const json_t *value = json_object_get(json, name);
    return json_is_string(value) ? tg_slice_of(json_string_value(value), json_string_length(value))
                                 : (tg_slice){NULL, 0};
}

/* For a Recipient, KMS leaves Plaintext out, or has it null or empty. */
static bool holds_plaintext(const json_t *json)
{
    const json_t *plaintext = json_object_get(json, "Plaintext");
    return plaintext != NULL && !json_is_null(plaintext) &&
           !(json_is_string(plaintext) && json_string_length(plaintext) == 0);
}

static tg_result open_answer(tg_kms_source *self, const json_t *json, tg_secret **out_key, const char **out_stage,
                             tg_detail *detail)
{
    uint8_t enveloped[TG_MAX_ENVELOPED_BYTES + 4];
    size_t len = 0;
    tg_slice text = text_of(json, "CiphertextForRecipient");
    *out_stage = "guard";
    TG_TRY(tg_key_guards_check_key_arn(self->settings.guards, text_of(json, "KeyId"), detail));
    *out_stage = "recipient";
    if (holds_plaintext(json)) {
        tg_detail_set_reason(detail, "KMS answered with the key in clear: it was not asked by an enclave, or not KMS");
        return tg_fail(TG_ERR_DENIED);
    }
    if (text.len == 0 || tg_base64_decoded_max(text.len) > sizeof enveloped ||
        !tg_is_ok(tg_base64_decode(TG_BASE64_PADDED, text, enveloped, &len))) {
        tg_detail_set_reason(detail, "KMS's answer holds no CiphertextForRecipient in base64, or too long a one");
        return tg_fail(TG_ERR_SYNTAX);
    }
    TG_TRY(tg_recipient_open(self->recipient, tg_slice_of(enveloped, len), TG_DEK_BYTES, out_key, detail));
    *out_stage = "guard";
    tg_result checked = tg_key_guards_check_key(self->settings.guards, *out_key, detail);
    if (!tg_is_ok(checked)) {
        tg_secret_free(TG_TAKE(*out_key));
    }
    return checked;
}

static void on_decrypted(const tg_key_answer *answer, void *owner)
{
    tg_kms_source *self = owner;
    const tg_sealed_key *sealed = &self->secret.keys[self->num_opened];
    const char *stage = "recipient";
    tg_secret *key = NULL;
    tg_detail detail = {0};
    if (answer->json == NULL) {
        fail_refused(self, "decrypt", answer);
        return;
    }
    if (!tg_is_ok(open_answer(self, answer->json, &key, &stage, &detail))) {
        tg_key_event event = {
            .stage = stage, .detail = detail, .status = answer->status, .request_id = answer->request_id};
        fail_with(self, &event);
        return;
    }
    self->opened[self->num_opened++] =
        (tg_opened_key){.id = sealed->id, .state = sealed->state, .ciphertext = sealed->ciphertext, .key = key};
    decrypt_next(self);
}

/* A pair for this reading alone, and a document that vouches for it. */
static tg_result make_document(tg_kms_source *self, tg_detail *detail)
{
    TG_TRY(tg_recipient_new(&self->recipient));
    const tg_attest_request request = {.public_key = tg_recipient_public(self->recipient)};
    return tg_attest(self->settings.device, &request, &self->document, detail);
}

static tg_result take_content(tg_kms_source *self, const json_t *json, tg_detail *detail)
{
    tg_slice text = text_of(json, "SecretString"), binary = text_of(json, "SecretBinary");
    tg_buf content;
    size_t len = 0;
    uint8_t *room = NULL;
    TG_TRY(tg_key_guards_check_secret(self->settings.guards, text_of(json, "ARN"), detail));
    if ((text.len > 0) == (binary.len > 0)) {
        tg_detail_set_reason(detail, "the secret holds neither or both of SecretString and SecretBinary");
        return tg_fail(TG_ERR_SYNTAX);
    }
    tg_buf_init(&content, TG_MAX_KEY_SECRET_BYTES + 4);
    tg_result taken;
    if (binary.len > 0) {
        taken = tg_buf_reserve(&content, tg_base64_decoded_max(binary.len), &room);
        taken = tg_is_ok(taken) ? tg_base64_decode(TG_BASE64_PADDED, binary, room, &len) : taken;
        tg_buf_commit(&content, tg_is_ok(taken) ? len : 0);
    } else {
        taken = tg_buf_append(&content, text);
    }
    if (!tg_is_ok(taken)) {
        tg_detail_set_reason(detail, "the secret is too long, or its SecretBinary not in base64");
    } else {
        taken = tg_key_secret_parse(tg_buf_slice(&content), binary.len > 0, &self->secret, detail);
        self->has_secret = tg_is_ok(taken);
    }
    taken = tg_is_ok(taken) ? tg_sha256(tg_buf_slice(&content), self->new_sha256) : taken;
    tg_buf_done(&content);
    return taken;
}

static void on_secret(const tg_key_answer *answer, void *owner)
{
    tg_kms_source *self = owner;
    tg_detail detail = {0};
    if (answer->json == NULL) {
        fail_refused(self, "secret", answer);
        return;
    }
    tg_slice version = tg_slice_first(text_of(answer->json, "VersionId"), MAX_VERSION_BYTES - 1);
    if (version.len > 0) {
        memcpy(self->version, version.ptr, version.len);
    }
    self->version[version.len] = 0;
    if (!tg_is_ok(take_content(self, answer->json, &detail))) {
        fail(self, "form", &detail);
        return;
    }
    bool is_due = self->held_until_ms != 0 && tg_loop_now_ms(self->loop) >= self->held_until_ms;
    if (self->has_content && !is_due && memcmp(self->content_sha256, self->new_sha256, sizeof self->new_sha256) == 0) {
        const tg_ring_change same = {.is_held = self->held_until_ms != 0, .due_ms = self->held_until_ms};
        succeed(self, TG_KEYS_UNCHANGED, &same);
        return;
    }
    if (!tg_is_ok(make_document(self, &detail))) {
        fail(self, "attest", &detail);
        return;
    }
    decrypt_next(self);
}

static void begin(tg_kms_source *self)
{
    tg_buf body;
    tg_detail detail = {0};
    if (self->is_reading) {
        return;
    }
    self->is_reading = true;
    tg_deadline_disarm(&self->timer);
    tg_buf_init(&body, MAX_BODY_BYTES);
    tg_result asked = tg_buf_append_byte(&body, '{');
    asked = tg_is_ok(asked) ? tg_aws_json_append_text(&body, "SecretId", self->settings.guards->secret_arn) : asked;
    asked = tg_is_ok(asked) ? tg_buf_append_byte(&body, '}') : asked;
    if (tg_is_ok(asked)) {
        asked =
            self->settings.remote->ask(self->settings.remote, TG_KEY_GET_SECRET, tg_buf_slice(&body), on_secret, self);
    }
    tg_buf_done(&body);
    if (!tg_is_ok(asked)) {
        tg_detail_set_reason(&detail, "Secrets Manager could not be asked");
        fail(self, "secret", &detail);
    }
}

static void on_timer(tg_deadline *deadline)
{
    begin(TG_OBJECT_OF(deadline, tg_kms_source, timer));
}

static void on_wanted(tg_task *task)
{
    begin(TG_OBJECT_OF(task, tg_kms_source, wanted));
}

static void on_asked(tg_task *task)
{
    tg_kms_source *self = TG_OBJECT_OF(task, tg_kms_source, asked);
    uint64_t now_ms = tg_loop_now_ms(self->loop);
    if (self->last_asked_ms != 0 && now_ms - self->last_asked_ms < TG_MIN_ASKED_READING_MS) {
        return;
    }
    if (self->num_failures > 0) {
        return; /* it is tried again anyway, at a pace that AWS bears */
    }
    self->last_asked_ms = now_ms;
    begin(self);
}

tg_result tg_kms_source_new(tg_loop *loop, const tg_kms_source_settings *settings, tg_kms_source **out_source)
{
    tg_kms_source *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    self->settings = *settings;
    self->loop = loop;
    self->timer.run = on_timer;
    self->asked.run = on_asked;
    self->wanted.run = on_wanted;
    tg_buf_init(&self->document, MAX_DOCUMENT_BYTES);
    tg_loop_post(loop, &self->wanted);
    *out_source = self;
    return tg_ok();
}

void tg_kms_source_free(tg_kms_source *source)
{
    if (source != NULL) {
        source->settings.remote->cancel(source->settings.remote);
        tg_deadline_disarm(&source->timer);
        clear_reading(source);
        tg_buf_done(&source->document);
        tg_key_ring_unref(source->ring);
        free(source);
    }
}

void tg_kms_source_ask(tg_kms_source *source)
{
    tg_loop_post(source->loop, &source->asked);
}

void tg_kms_source_now(tg_kms_source *source)
{
    tg_loop_post(source->loop, &source->wanted);
}
