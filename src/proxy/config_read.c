#include "proxy/config.h"

#include "aws/access.h"
#include "proxy/config_parts.h"
#include "sys/file.h"
#include "sys/log.h"

#include <errno.h>
#include <stdlib.h>

enum { MAX_ARENA_BYTES = 64 << 20 };

#define MINIMAL_CONFIG                                                                                                 \
    "{\"domains\": {\"tee-k.example.org\": {\"cid\": 16, \"kms_key\": \"arn:aws:kms:...\"}}, "                         \
    "\"aws\": {\"region\": \"ap-south-1\"}}"

static tg_slice variable(const char *const *environment, tg_slice name)
{
    for (; environment != NULL && *environment != NULL; environment++) {
        tg_slice value = tg_slice_str(*environment);
        if (tg_slice_equal(tg_slice_split(&value, '='), name)) {
            return value;
        }
    }
    return (tg_slice){NULL, 0};
}

/* `aws`: {"region", "forwards"}. The environment's region stands where the file has none. */
static uint64_t read_aws(const tg_config_node *root, const char *const *environment, tg_proxy_config *config)
{
    static const char *const known[] = {"region", "forwards", NULL};
    tg_config_node aws, member;
    uint64_t base_port = 0;
    tg_slice region = variable(environment, TG_LIT("AWS_REGION"));
    const tg_config_node *place = root;
    bool has_aws = tg_config_member(root, "aws", &aws) && tg_config_is_object(&aws, "{\"region\": \"ap-south-1\"}");
    if (has_aws) {
        tg_config_refuse_others(&aws, known);
        if (tg_config_member(&aws, "region", &member) && tg_config_text(&member, TG_AWS_MAX_REGION_BYTES, &region)) {
            place = &member;
        }
    }
    if (region.len > 0 && !tg_aws_region_is_valid(region)) {
        tg_detail *fault = tg_config_fault(place);
        tg_detail_set_reason(fault, "the AWS region is no name of one");
        tg_detail_set_remedy(fault, "write it like ap-south-1 (the file's aws.region, or AWS_REGION)");
        region = (tg_slice){NULL, 0};
    }
    if (region.len > 0 && !tg_is_ok(tg_arena_copy(&config->arena, region, &config->region))) {
        root->reader->is_out_of_memory = true;
    }
    if (has_aws && tg_config_member(&aws, "forwards", &member) &&
        tg_config_number(&member, 1, UINT32_MAX - 16, &base_port) && config->region.len == 0) {
        tg_detail *fault = tg_config_fault(&member);
        tg_detail_set_reason(fault, "the forwards need a region");
        tg_detail_set_remedy(fault, "add \"region\" beside it, or set AWS_REGION");
        base_port = 0;
    }
    return base_port;
}

/* Where KMS is to be reached, as far as the environment says. */
static void check_endpoints(const tg_config_node *root, const char *const *environment)
{
    static const tg_aws_service called[] = {TG_AWS_KMS};
    tg_detail detail;
    tg_detail_clear(&detail);
    if (!tg_is_ok(tg_aws_access_check(called, TG_COUNT(called), environment, &detail))) {
        tg_detail *fault = tg_config_fault(root);
        tg_detail_set_reason(fault, "%.40s of the environment: %.200s", detail.field, detail.reason);
        tg_detail_set_remedy(fault, "%s", detail.remedy);
    }
}

/* A member that may be absent: NULL then. */
static const tg_config_node *optional(const tg_config_node *root, const char *key, tg_config_node *storage)
{
    return tg_config_member(root, key, storage) ? storage : NULL;
}

static tg_result read_root(const tg_config_node *root, const char *const *environment, tg_proxy_config *config)
{
    static const char *const known[] = {"domains",  "aws",    "ports",    "listen", "admin",
                                        "forwards", "egress", "timeouts", "limits", NULL};
    tg_config_node storage, ports_storage;
    tg_config_refuse_others(root, known);
    if (tg_config_member(root, "domains", &storage)) {
        tg_config_read_domains(&storage, environment, config);
    }
    uint64_t base_port = read_aws(root, environment, config);
    if (tg_proxy_config_has_keys(config)) {
        check_endpoints(root, environment);
    }
    const tg_config_node *ports = optional(root, "ports", &ports_storage);
    tg_config_read_listeners(root->reader, optional(root, "listen", &storage), ports, config);
    tg_config_read_forwards(root->reader, optional(root, "forwards", &storage), base_port, config);
    if (tg_config_member(root, "egress", &storage)) {
        tg_config_read_egress(&storage, &config->egress);
    }
    if (tg_config_member(root, "admin", &storage)) {
        tg_proxy_listener *admin = tg_config_alloc(root->reader, 1, sizeof *admin);
        if (admin != NULL && tg_config_address(&storage, &admin->address)) {
            config->listeners[TG_SERVICE_ADMIN] = (tg_proxy_listeners){admin, 1};
        }
    }
    TG_TRY(tg_config_read_limits(optional(root, "limits", &storage), &config->limits));
    return tg_config_read_timeouts(optional(root, "timeouts", &storage), &config->timeouts);
}

/* Two listeners at one address cannot be: the second would fail when the program starts. */
static void check_listeners(const tg_config_node *root, const tg_proxy_config *config)
{
    const tg_address *all[TG_NUM_PROXY_SERVICES * TG_MAX_LISTENERS + TG_MAX_FORWARDS + 16];
    size_t num_all = 0;
    for (size_t service = 0; service < TG_NUM_PROXY_SERVICES; service++) {
        for (size_t i = 0; i < config->listeners[service].num_listeners; i++) {
            all[num_all++] = &config->listeners[service].listeners[i].address;
        }
    }
    for (size_t i = 0; i < config->num_forwards; i++) {
        all[num_all++] = &config->forwards[i].listen.address;
    }
    for (size_t i = 0; i < num_all; i++) {
        for (size_t j = 0; j < i; j++) {
            if (tg_address_equal(all[i], all[j])) {
                char text[TG_MAX_ADDRESS_BYTES];
                tg_detail *fault = tg_config_fault(root);
                tg_detail_set_reason(fault, "two services listen at %s", tg_address_format(all[i], text));
                tg_detail_set_remedy(fault, "give one of them another address");
            }
        }
    }
    if (num_all == 0) {
        tg_detail *fault = tg_config_fault(root);
        tg_detail_set_reason(fault, "there is nothing to do: neither domains nor forwards nor listeners");
        tg_detail_set_remedy(fault, "%s", MINIMAL_CONFIG);
    }
}

static tg_proxy_config *make(void)
{
    tg_proxy_config *config = calloc(1, sizeof *config);
    if (config != NULL) {
        tg_refs_init(&config->refs);
        tg_arena_init(&config->arena, MAX_ARENA_BYTES, false);
    }
    return config;
}

tg_result tg_proxy_config_empty(tg_proxy_config **out_config)
{
    tg_proxy_config *config = make();
    if (config == NULL) {
        return tg_fail(TG_ERR_MEMORY);
    }
    tg_result result = tg_config_read_limits(NULL, &config->limits);
    if (tg_is_ok(result)) {
        result = tg_config_read_timeouts(NULL, &config->timeouts);
    }
    if (!tg_is_ok(result)) {
        tg_proxy_config_unref(config);
        return result;
    }
    *out_config = config;
    return tg_ok();
}

tg_result tg_proxy_config_parse(const char *path, tg_slice json, const char *const *environment, tg_faults *faults,
                                tg_proxy_config **out_config)
{
    size_t num_before = faults->num_faults;
    json_t *tree;
    TG_TRY(tg_config_load(path, json, MINIMAL_CONFIG, faults, &tree));
    tg_proxy_config *config = make();
    if (config == NULL) {
        json_decref(tree);
        return tg_fail(TG_ERR_MEMORY);
    }
    tg_config_reader reader = {.file = path, .json = json, .arena = &config->arena, .faults = faults};
    tg_config_node root = {.reader = &reader, .value = tree};
    tg_result result = read_root(&root, environment, config);
    if (tg_is_ok(result) && reader.is_out_of_memory) {
        result = tg_fail(TG_ERR_MEMORY);
    }
    config->files = reader.files;
    if (tg_is_ok(result) && faults->num_faults == num_before) {
        check_listeners(&root, config);
    }
    if (tg_is_ok(result) && faults->num_faults > num_before) {
        result = tg_fail(TG_ERR_SYNTAX);
    }
    json_decref(tree);
    if (!tg_is_ok(result)) {
        tg_proxy_config_unref(config);
        return result;
    }
    *out_config = config;
    return tg_ok();
}

tg_result tg_proxy_config_read(const char *path, const char *const *environment, tg_faults *faults,
                               tg_proxy_config **out_config)
{
    tg_buf bytes;
    tg_buf_init(&bytes, TG_MAX_CONFIG_BYTES);
    tg_result result = tg_file_read(path, &bytes);
    if (tg_is_ok(result)) {
        result = tg_proxy_config_parse(path, tg_buf_slice(&bytes), environment, faults, out_config);
    } else if (result.code != TG_ERR_MEMORY) {
        tg_detail *fault = tg_faults_add(faults);
        tg_detail_set_place(fault, tg_slice_str(path), 0, TG_LIT(""));
        if (result.code == TG_ERR_LIMIT) {
            tg_detail_set_reason(fault, "the configuration is longer than %d bytes", TG_MAX_CONFIG_BYTES);
        } else {
            tg_detail_set_reason(fault, "the configuration cannot be read: %s", tg_log_error_text(result));
            tg_detail_set_remedy(fault, "name it by PROXY_CONFIG, or write one: %s", MINIMAL_CONFIG);
        }
        result = tg_fail(result.os_error == ENOENT ? TG_ERR_NOT_FOUND : TG_ERR_SYNTAX);
    }
    tg_buf_done(&bytes);
    return result;
}
