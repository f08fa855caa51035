#include "enclave/key_service.h"

#include "aws/access.h"
#include "enclave/delivered_keys.h"
#include "enclave/key_report.h"
#include "keys/aws_remote.h"
#include "keys/kms_source.h"
#include "sys/thread.h"

#include <stdlib.h>

struct tg_key_service {
    tg_loop *loop;
    pthread_t thread;
    bool is_running;
    tg_publisher *publisher;
    tg_key_guards guards;
    tg_aws_context_pair context[TG_MAX_CONTEXT_PAIRS];
    size_t num_context;
    tg_aws_access *access;
    tg_aws_remote *remote;
    tg_kms_source *source;
};

static tg_result publish(tg_key_ring *ring, void *owner)
{
    tg_key_service *self = owner;
    return tg_publisher_set_ring(self->publisher, ring);
}

/* `name=value`; the value may hold an equals sign. */
static bool split_pair(const char *text, tg_slice *out_name, tg_slice *out_value)
{
    tg_slice rest = tg_slice_str(text);
    *out_name = tg_slice_split(&rest, '=');
    *out_value = rest;
    return out_name->len > 0 && rest.ptr != NULL;
}

static tg_result fail(const tg_enclave_settings *settings, const char *name, const tg_detail *detail, tg_faults *faults)
{
    tg_detail *fault = tg_settings_add_fault(&settings->loaded, name, faults);
    tg_detail_set_reason(fault, "%s", detail->reason);
    tg_detail_set_remedy(fault, "%s", detail->remedy);
    return tg_fail(TG_ERR_SYNTAX);
}

static tg_result read_settings(tg_key_service *self, const tg_enclave_settings *settings, tg_faults *faults)
{
    tg_detail detail = {0};
    const tg_setting_list *context = &settings->kms_encryption_context, *pins = &settings->dek_fingerprints;
    if (!tg_is_ok(tg_key_guards_init(&self->guards, tg_slice_str(settings->secret_arn),
                                     tg_slice_str(settings->kms_key_id), &detail))) {
        return fail(settings, detail.field, &detail, faults);
    }
    for (size_t i = 0; i < pins->num_items; i++) {
        if (!tg_is_ok(tg_key_guards_pin(&self->guards, tg_slice_str(pins->items[i]), &detail))) {
            return fail(settings, "DEK_FINGERPRINTS", &detail, faults);
        }
    }
    for (size_t i = 0; i < context->num_items; i++) {
        if (i == TG_MAX_CONTEXT_PAIRS ||
            !split_pair(context->items[i], &self->context[i].name, &self->context[i].value)) {
            tg_detail_set_reason(&detail, "is not of up to 16 pairs NAME=VALUE");
            tg_detail_set_remedy(&detail, "write the pairs that the data key was sealed with");
            return fail(settings, "KMS_ENCRYPTION_CONTEXT", &detail, faults);
        }
    }
    self->num_context = context->num_items;
    return tg_ok();
}

static tg_result check_endpoints(const tg_enclave_settings *settings, tg_faults *faults)
{
    static const tg_aws_service called[] = {TG_AWS_SECRETS_MANAGER, TG_AWS_KMS};
    tg_detail detail = {0};
    tg_result checked = tg_aws_access_check(called, TG_COUNT(called), settings->environment, &detail);
    if (!tg_is_ok(checked)) {
        *tg_faults_add(faults) = detail;
    }
    return checked;
}

void tg_key_settings_check(const tg_enclave_settings *settings, tg_faults *faults)
{
    static const char *const beside[] = {"KMS_KEY_ID", "KMS_ENCRYPTION_CONTEXT", "DEK_FINGERPRINTS"};
    tg_key_service unused = {.loop = NULL};
    if (settings->secret_arn != NULL) {
        if (settings->dek_file != NULL) {
            const tg_detail both = {.reason = "is set, and SECRET_ARN too: data keys come from one place",
                                    .remedy = "remove one of the two"};
            (void)fail(settings, "DEK_FILE", &both, faults).code;
        }
        (void)read_settings(&unused, settings, faults).code;
        (void)check_endpoints(settings, faults).code;
        return;
    }
    for (size_t i = 0; i < TG_COUNT(beside); i++) {
        if (!tg_settings_is_default(&settings->loaded, beside[i])) {
            const tg_detail alone = {.reason = "is set, but SECRET_ARN is not: no data key comes from AWS",
                                     .remedy = "set SECRET_ARN, or remove it"};
            (void)fail(settings, beside[i], &alone, faults).code;
        }
    }
}

static void *run_thread(void *argument)
{
    tg_key_service *self = argument;
    tg_loop_run(self->loop);
    return NULL;
}

tg_result tg_key_service_start(tg_key_service *service)
{
    TG_TRY(tg_thread_start(&service->thread, "keys", run_thread, service));
    service->is_running = true;
    return tg_ok();
}

static tg_result set_up(tg_key_service *self, const tg_enclave_settings *settings, tg_attestation *attestation,
                        tg_faults *faults)
{
    tg_detail detail = {0};
    TG_TRY(read_settings(self, settings, faults));
    TG_TRY(check_endpoints(settings, faults));
    if (attestation == NULL) {
        tg_detail_set_reason(&detail, "is set, and nothing attests here: KMS releases keys to attested enclaves");
        tg_detail_set_remedy(&detail, "run it in a Nitro enclave; see ATTESTATION_DEVICE");
        (void)fail(settings, "SECRET_ARN", &detail, faults).code;
        return tg_fail(TG_ERR_NOT_FOUND);
    }
    TG_TRY(tg_key_report_open());
    TG_TRY(tg_loop_new(&self->loop));
    const tg_aws_key_source delivered = tg_delivered_keys(self->publisher);
    const tg_aws_access_settings access = {.region = self->guards.secret.region,
                                           .proxy_cid = (uint32_t)settings->vsock_proxy_cid,
                                           .proxy_port = (uint32_t)settings->vsock_proxy_port,
                                           .environment = settings->environment,
                                           .keys = &delivered};
    tg_result opened = tg_aws_access_new(self->loop, &access, &self->access, &detail);
    if (!tg_is_ok(opened)) {
        *tg_faults_add(faults) = detail;
        return opened;
    }
    TG_TRY(tg_aws_remote_new(tg_aws_access_client(self->access), &self->remote));
    const tg_kms_source_settings source = {.guards = &self->guards,
                                           .context = self->context,
                                           .num_context = self->num_context,
                                           .interval_ms = settings->dek_rotation_interval_s * 1000,
                                           .device = tg_attestation_device(attestation),
                                           .remote = tg_aws_remote_face(self->remote),
                                           .publish = publish,
                                           .told = tg_key_report,
                                           .owner = self};
    return tg_kms_source_new(self->loop, &source, &self->source);
}

tg_result tg_key_service_new(const tg_enclave_settings *settings, tg_attestation *attestation, tg_publisher *publisher,
                             tg_faults *faults, tg_key_service **out_service)
{
    tg_key_service *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    self->publisher = publisher;
    tg_result made = set_up(self, settings, attestation, faults);
    if (!tg_is_ok(made)) {
        tg_key_service_free(self);
        return made;
    }
    *out_service = self;
    return tg_ok();
}

void tg_key_service_free(tg_key_service *service)
{
    if (service == NULL) {
        return;
    }
    if (service->is_running) {
        tg_loop_stop(service->loop);
        pthread_join(service->thread, NULL);
    }
    tg_kms_source_free(service->source);
    tg_aws_remote_free(service->remote);
    tg_aws_access_free(service->access);
    if (service->loop != NULL) {
        tg_loop_free(service->loop);
    }
    free(service);
}

void tg_key_service_ask(tg_key_service *service)
{
    if (service != NULL) {
        tg_kms_source_ask(service->source);
    }
}

void tg_key_service_now(tg_key_service *service)
{
    if (service != NULL) {
        tg_kms_source_now(service->source);
    }
}
