#include "proxy/config_parts.h"

#include "base/text.h"
#include "hello/client_hello.h"
#include "proxy/allowlist.h"

#include <stdio.h>
#include <stdlib.h>

enum { DEFAULT_HTTP_PORT = 8080, DEFAULT_HTTPS_PORT = 8443, MAX_KEY_BYTES = 2048, MAX_RULE_BYTES = 300 };

static tg_result refuse(const tg_config_node *node, const char *reason, const char *remedy)
{
    tg_detail *fault = tg_config_fault(node);
    tg_detail_set_reason(fault, "%s", reason);
    tg_detail_set_remedy(fault, "%s", remedy);
    return tg_fail(TG_ERR_SYNTAX);
}

/* A host name, or one behind `*.`; kept in lower case. */
static bool read_name(const tg_config_node *node, tg_proxy_domain *domain)
{
    tg_slice name = tg_slice_str(node->key);
    domain->is_wildcard = tg_slice_starts(name, TG_LIT("*."));
    tg_slice below = domain->is_wildcard ? tg_slice_from(name, 2) : name;
    if (tg_sni_kind_of(below) != TG_SNI_HOST) {
        (void)refuse(node, "this is no domain", "write a host name without a dot at its end, or one behind `*.`");
        return false;
    }
    name = domain->is_wildcard ? tg_slice_from(name, 1) : name;
    uint8_t *copy = tg_config_alloc(node->reader, name.len, 1);
    if (copy == NULL) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        copy[i] = tg_ascii_lower(name.ptr[i]);
    }
    domain->name = tg_slice_of(copy, name.len);
    return true;
}

/* The value of the variable that `<FIRST LABEL>_KMS_KEY` names, dashes as underscores: TEE_K_KMS_KEY for tee-k.x. */
static tg_slice key_of_environment(tg_slice name, const char *const *environment)
{
    tg_slice rest = name;
    tg_slice label = tg_slice_split(&rest, '.');
    for (; environment != NULL && *environment != NULL; environment++) {
        tg_slice value = tg_slice_str(*environment);
        tg_slice variable = tg_slice_split(&value, '=');
        if (label.len == 0 || variable.len != label.len + 8 || !tg_slice_ends(variable, TG_LIT("_KMS_KEY"))) {
            continue;
        }
        bool is_same = true;
        for (size_t i = 0; i < label.len; i++) {
            uint8_t c = label.ptr[i] == '-' ? '_' : tg_ascii_upper(label.ptr[i]);
            is_same = is_same && c == variable.ptr[i];
        }
        if (is_same && value.len > 0) {
            return value;
        }
    }
    return (tg_slice){NULL, 0};
}

/* A key's ARN, its id, or an alias: what KMS takes as KeyId. */
static bool is_key(tg_slice key)
{
    for (size_t i = 0; i < key.len; i++) {
        uint8_t c = key.ptr[i];
        if (!tg_ascii_is_alpha(c) && !tg_ascii_is_digit(c) && c != ':' && c != '/' && c != '-' && c != '_') {
            return false;
        }
    }
    if (!tg_slice_starts(key, TG_LIT("arn:"))) {
        return key.len > 0 && tg_slice_find(key, ':') == key.len;
    }
    size_t num_colons = 0;
    for (size_t i = 0; i < key.len; i++) {
        num_colons += key.ptr[i] == ':';
    }
    tg_slice rest = tg_slice_from(key, 4);
    (void)tg_slice_split(&rest, ':'); /* partition */
    return num_colons == 5 && tg_slice_starts(rest, TG_LIT("kms:"));
}

static void read_key(const tg_config_node *node, const char *const *environment, tg_proxy_domain *domain)
{
    tg_config_node member;
    tg_slice key = {NULL, 0};
    bool is_in_file = tg_config_member(node, "kms_key", &member);
    if (is_in_file && !tg_config_text(&member, MAX_KEY_BYTES, &key)) {
        return;
    }
    key = is_in_file ? key : key_of_environment(domain->name, environment);
    if (key.len == 0) {
        return;
    }
    if (!is_key(key) || key.len > MAX_KEY_BYTES) {
        (void)refuse(is_in_file ? &member : node,
                     is_in_file ? "this is no KMS key" : "the environment's KMS key for this domain is none",
                     "write its ARN (arn:aws:kms:REGION:ACCOUNT:key/ID), its id, or alias/NAME");
        return;
    }
    if (!tg_is_ok(tg_arena_copy(node->reader->arena, key, &domain->kms_key))) {
        node->reader->is_out_of_memory = true;
    }
}

static void read_addresses(const tg_config_node *node, tg_proxy_domain *domain)
{
    tg_config_node member;
    uint64_t cid;
    bool has_member = tg_config_member(node, "cid", &member);
    if (has_member && tg_config_number(&member, 1, UINT32_MAX - 1, &cid)) {
        domain->has_cid = true;
        domain->cid = (uint32_t)cid;
        domain->http = (tg_address){.kind = TG_ADDRESS_VSOCK, .cid = domain->cid, .port = DEFAULT_HTTP_PORT};
        domain->https = (tg_address){.kind = TG_ADDRESS_VSOCK, .cid = domain->cid, .port = DEFAULT_HTTPS_PORT};
    }
    bool has_http = tg_config_member(node, "http", &member);
    if (has_http) {
        (void)tg_config_address(&member, &domain->http);
    }
    bool has_https = tg_config_member(node, "https", &member);
    if (has_https) {
        (void)tg_config_address(&member, &domain->https);
    }
    if (!has_member && (!has_http || !has_https)) {
        (void)refuse(node, "the domain has no CID", "add \"cid\": NUMBER, or both \"http\" and \"https\" addresses");
    }
}

void tg_config_read_egress(const tg_config_node *egress, tg_egress_rules *out_rules)
{
    tg_config_reader *reader = egress->reader;
    tg_config_node member;
    if (json_is_object(egress->value)) {
        static const char *const known[] = {"allowlist", NULL};
        tg_config_refuse_others(egress, known);
        tg_slice path;
        if (!tg_config_member(egress, "allowlist", &member)) {
            (void)refuse(egress, "the allowlist is not named", "write {\"allowlist\": PATH}");
        } else if (tg_config_text(&member, 4095, &path)) {
            tg_config_note_file(reader, path);
            tg_result read = tg_allowlist_read((const char *)path.ptr, reader->arena, reader->faults, out_rules);
            reader->is_out_of_memory = reader->is_out_of_memory || read.code == TG_ERR_MEMORY;
        }
        return;
    }
    if (!tg_config_is_array(egress, "a list of rules, or {\"allowlist\": PATH}")) {
        return;
    }
    size_t num_rules = json_array_size(egress->value);
    if (num_rules > TG_MAX_EGRESS_RULES) {
        (void)refuse(egress, "the list has more than 1024 rules", "shorten it");
        return;
    }
    tg_egress_rule *rules = tg_config_alloc(reader, num_rules + 1, sizeof *rules);
    size_t num_good = 0;
    for (size_t i = 0; rules != NULL && i < num_rules; i++) {
        tg_config_node item = tg_config_item(egress, i);
        tg_slice text;
        tg_detail found;
        tg_detail_clear(&found);
        if (tg_config_text(&item, MAX_RULE_BYTES, &text)) {
            tg_result parsed = tg_egress_rule_parse(text, reader->arena, &rules[num_good], &found);
            reader->is_out_of_memory = reader->is_out_of_memory || parsed.code == TG_ERR_MEMORY;
            num_good += tg_is_ok(parsed);
        }
        if (found.reason[0] != 0) {
            (void)refuse(&item, found.reason, found.remedy);
        }
    }
    *out_rules = (tg_egress_rules){rules, num_good};
}

static bool read_domain(const tg_config_node *node, const char *const *environment, tg_proxy_domain *domain)
{
    static const char *const known[] = {"cid", "kms_key", "http", "https", "egress", "allow_plaintext", NULL};
    tg_config_node member;
    if (!read_name(node, domain) || !tg_config_is_object(node, "{\"cid\": NUMBER, \"kms_key\": ARN}")) {
        return false;
    }
    tg_config_refuse_others(node, known);
    read_addresses(node, domain);
    read_key(node, environment, domain);
    if (tg_config_member(node, "egress", &member)) {
        tg_config_read_egress(&member, &domain->egress);
    }
    if (tg_config_member(node, "allow_plaintext", &member)) {
        (void)tg_config_bool(&member, &domain->allows_plaintext);
    }
    return true;
}

static int compare(const void *a, const void *b)
{
    const tg_proxy_domain *left = a, *right = b;
    if (left->is_wildcard != right->is_wildcard) {
        return left->is_wildcard ? 1 : -1;
    }
    return tg_slice_compare(left->name, right->name);
}

/* What one CID may do is said once: two domains of it agree on the key, the plaintext and the egress rules. */
static void check_pair(const tg_config_node *node, const tg_proxy_domain *domain, const tg_proxy_domain *other)
{
    if (!domain->has_cid || !other->has_cid || domain->cid != other->cid) {
        return;
    }
    tg_detail *fault;
    if (!tg_slice_equal(domain->kms_key, other->kms_key)) {
        fault = tg_config_fault(node);
        tg_detail_set_reason(fault, "CID %u has another KMS key in %.*s", domain->cid, (int)other->name.len,
                             (const char *)other->name.ptr);
        tg_detail_set_remedy(fault, "give both domains the same key, or an enclave of its own to each");
    } else if (domain->allows_plaintext != other->allows_plaintext) {
        fault = tg_config_fault(node);
        tg_detail_set_reason(fault, "CID %u has another allow_plaintext in %.*s", domain->cid, (int)other->name.len,
                             (const char *)other->name.ptr);
        tg_detail_set_remedy(fault, "say the same in both domains");
    } else if (domain->egress.rules != NULL && other->egress.rules != NULL) {
        fault = tg_config_fault(node);
        tg_detail_set_reason(fault, "CID %u has egress rules in %.*s already", domain->cid, (int)other->name.len,
                             (const char *)other->name.ptr);
        tg_detail_set_remedy(fault, "write the rules of one CID in one domain");
    }
}

static tg_config_node member_at(const tg_config_node *domains, const char *key)
{
    tg_config_node node = {.reader = domains->reader, .parent = domains, .key = key};
    node.value = json_object_get(domains->value, key);
    return node;
}

void tg_config_read_domains(const tg_config_node *domains, const char *const *environment, tg_proxy_config *config)
{
    if (!tg_config_is_object(domains, "{\"NAME\": {\"cid\": NUMBER}, ...}")) {
        return;
    }
    if (json_object_size(domains->value) > TG_MAX_DOMAINS) {
        (void)refuse(domains, "there are more than 1024 domains", "remove some");
        return;
    }
    tg_proxy_domain *sorted = tg_config_alloc(domains->reader, json_object_size(domains->value) + 1, sizeof *sorted);
    size_t num_domains = 0;
    void *each = json_object_iter((json_t *)(uintptr_t)domains->value);
    for (; sorted != NULL && each != NULL; each = json_object_iter_next((json_t *)(uintptr_t)domains->value, each)) {
        tg_config_node node = member_at(domains, json_object_iter_key(each));
        tg_proxy_domain *domain = &sorted[num_domains];
        *domain = (tg_proxy_domain){.name = {NULL, 0}};
        if (!read_domain(&node, environment, domain)) {
            continue;
        }
        for (size_t i = 0; i < num_domains; i++) {
            if (compare(domain, &sorted[i]) == 0) {
                (void)refuse(&node, "the domain stands here twice, in other cases", "keep one");
            }
            check_pair(&node, domain, &sorted[i]);
        }
        num_domains++;
    }
    if (sorted != NULL) {
        qsort(sorted, num_domains, sizeof *sorted, compare);
    }
    config->domains = sorted;
    config->num_domains = sorted != NULL ? num_domains : 0;
    while (config->num_exact < config->num_domains && !config->domains[config->num_exact].is_wildcard) {
        config->num_exact++;
    }
}
