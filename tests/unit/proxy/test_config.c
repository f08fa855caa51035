#include "proxy/config.h"

#include "support/case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char users_own[] = "{\"domains\": {\"tee-k.example.org\": {\"cid\": 16, \"kms_key\": "
                                "\"arn:aws:kms:ap-south-1:123456789012:key/a-b\"}},\n"
                                " \"aws\": {\"region\": \"ap-south-1\"},\n"
                                " \"ports\": {\"http\": 80, \"https\": 443, \"kms\": 5000, \"internet\": 8444}}\n";

static tg_proxy_config *config;
static tg_faults faults;

static int set_up(void **state)
{
    (void)state;
    config = NULL;
    tg_faults_init(&faults);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tg_proxy_config_unref(config);
    tg_faults_done(&faults);
    return 0;
}

static tg_result parse(const char *json)
{
    tg_faults_done(&faults);
    tg_proxy_config_unref(config);
    config = NULL;
    return tg_proxy_config_parse("p.json", tg_slice_str(json), NULL, &faults, &config);
}

static void assert_address(const tg_address *address, const char *text)
{
    char got[TG_MAX_ADDRESS_BYTES];
    assert_string_equal(tg_address_format(address, got), text);
}

/* One fault, at this line and pointer, whose reason holds the words. */
static void assert_fault(const char *json, unsigned line, const char *field, const char *words)
{
    assert_code(parse(json), TG_ERR_SYNTAX);
    assert_null(config);
    if (faults.num_faults != 1) {
        fail_msg("%zu faults of %s; the first: %s", faults.num_faults, json,
                 faults.num_faults > 0 ? faults.faults[0].reason : "");
    }
    const tg_detail *fault = &faults.faults[0];
    assert_string_equal(fault->file, "p.json");
    assert_string_equal(fault->field, field);
    assert_int_equal(fault->line, line);
    assert_true(fault->remedy[0] != 0);
    if (strstr(fault->reason, words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", fault->reason, words);
    }
}

static void parse_what_users_have_gives_every_default(void **state)
{
    (void)state;
    assert_ok(parse(users_own));
    assert_int_equal(config->num_domains, 1);
    const tg_proxy_domain *domain = tg_proxy_config_find(config, TG_LIT("TEE-K.example.ORG"));
    assert_non_null(domain);
    assert_int_equal(domain->cid, 16);
    assert_slice(domain->kms_key, "arn:aws:kms:ap-south-1:123456789012:key/a-b");
    assert_address(&domain->http, "vsock:16:8080");
    assert_address(&domain->https, "vsock:16:8443");
    assert_false(domain->allows_plaintext);
    assert_null(domain->egress.rules);
    assert_slice(config->region, "ap-south-1");
    assert_address(&config->listeners[TG_SERVICE_HTTP].listeners[0].address, "tcp:0.0.0.0:80");
    assert_address(&config->listeners[TG_SERVICE_HTTPS].listeners[0].address, "tcp:0.0.0.0:443");
    assert_address(&config->listeners[TG_SERVICE_KMS].listeners[0].address, "vsock:any:5000");
    assert_address(&config->listeners[TG_SERVICE_INTERNET].listeners[0].address, "vsock:any:8444");
    assert_int_equal(config->listeners[TG_SERVICE_ADMIN].num_listeners, 0);
    assert_int_equal(config->num_forwards, 0);
    assert_int_equal(config->limits.connections, 20000);
    assert_int_equal(config->timeouts.connect_ms, 10000);
    assert_int_equal(config->timeouts.total_ms, 0);
}

static void parse_without_ports_gives_the_same_listeners(void **state)
{
    (void)state;
    assert_ok(parse("{\"domains\": {\"a.b\": {\"cid\": 16}}}"));
    assert_address(&config->listeners[TG_SERVICE_HTTPS].listeners[0].address, "tcp:0.0.0.0:443");
    assert_address(&config->listeners[TG_SERVICE_INTERNET].listeners[0].address, "vsock:any:8444");
    assert_ok(parse("{\"forwards\": [{\"listen\": \"tcp:127.0.0.1:1\", \"connect\": \"unix:/a\"}]}"));
    assert_int_equal(config->listeners[TG_SERVICE_HTTPS].num_listeners, 0);
}

static void parse_optional_parts_are_kept(void **state)
{
    (void)state;
    assert_ok(parse(
        "{\"domains\": {"
        "  \"a.b\": {\"http\": \"tcp:127.0.0.1:81\", \"https\": \"unix:/run/a\","
        "           \"egress\": [\"x.y:443\", \"10.0.0.0/8\"], \"allow_plaintext\": true},"
        "  \"*.C.d\": {\"cid\": 17, \"egress\": []}},"
        " \"listen\": {\"https\": [\"tcp:[::1]:443\","
        "                         {\"address\": \"unix:/run/l\", \"accept_proxy\": true, \"send_proxy\": true}],"
        "            \"http\": [], \"internet\": \"unix:/run/e?cid=16\"},"
        " \"admin\": \"tcp:127.0.0.1:9090\","
        " \"forwards\": [{\"listen\": \"vsock:any:9000\", \"connect\": \"tcp:db.example:5432\", \"cids\": [17]}],"
        " \"egress\": [\"*:443\"],"
        " \"limits\": {\"per_cid\": 5, \"pending\": \"7\"}, \"timeouts\": {\"idle_ms\": \"2m\", \"hello_ms\": 500}}"));
    const tg_proxy_domain *exact = tg_proxy_config_find(config, TG_LIT("a.b"));
    assert_non_null(exact);
    assert_false(exact->has_cid);
    assert_true(exact->allows_plaintext);
    assert_int_equal(exact->egress.num_rules, 2);
    assert_address(&exact->https, "unix:/run/a");
    const tg_proxy_domain *wild = tg_proxy_config_find(config, TG_LIT("x.y.c.D"));
    assert_non_null(wild);
    assert_int_equal(wild->cid, 17);
    assert_int_equal(config->num_exact, 1);
    assert_int_equal(config->listeners[TG_SERVICE_HTTP].num_listeners, 0);
    const tg_proxy_listeners *https = &config->listeners[TG_SERVICE_HTTPS];
    assert_int_equal(https->num_listeners, 2);
    assert_false(https->listeners[0].accepts_proxy);
    assert_true(https->listeners[1].accepts_proxy);
    assert_true(https->listeners[1].sends_proxy);
    assert_address(&config->listeners[TG_SERVICE_ADMIN].listeners[0].address, "tcp:127.0.0.1:9090");
    assert_int_equal(config->num_forwards, 1);
    assert_string_equal(config->forwards[0].name, "forward");
    assert_int_equal(config->forwards[0].cids[0], 17);
    assert_int_equal(config->limits.per_cid, 5);
    assert_int_equal(config->limits.pending, 7);
    assert_int_equal(config->timeouts.idle_ms, 120000);
    assert_int_equal(config->timeouts.hello_ms, 500);
    /* rules of a CID: its own, an empty list too, else those for all */
    assert_int_equal(tg_proxy_config_rules_of(config, true, 17)->num_rules, 0);
    assert_non_null(tg_proxy_config_rules_of(config, true, 17)->rules);
    assert_ptr_equal(tg_proxy_config_rules_of(config, true, 18), &config->egress);
    assert_ptr_equal(tg_proxy_config_rules_of(config, false, 17), &config->egress);
    assert_ptr_equal(tg_proxy_config_of_cid(config, 17), wild);
    assert_null(tg_proxy_config_of_cid(config, 18));
}

static void find_prefers_exact_names_then_the_longest_wildcard(void **state)
{
    (void)state;
    assert_ok(parse(
        "{\"domains\": {\"*.org\": {\"cid\": 3}, \"*.example.org\": {\"cid\": 4}, \"a.example.org\": {\"cid\": 5},"
        " \"zz\": {\"cid\": 6}, \"*.zz\": {\"cid\": 7}}}"));
    static const struct {
        const char *host;
        uint32_t cid;
    } cases[] = {{"a.example.org", 5},
                 {"b.example.org", 4},
                 {"c.a.example.org", 4},
                 {"example.org", 3},
                 {"bexample.org", 3},
                 {"org", 0},
                 {"", 0},
                 {"a.example.org.", 0},
                 {"A.EXAMPLE.ORG", 5},
                 {"zz", 6},
                 {"x.zz", 7},
                 {".zz", 0},
                 {"a.example.org\0", 5},
                 {"zzz", 0}};
    for (size_t i = 0; i < TG_COUNT(cases); i++) {
        const tg_proxy_domain *domain = tg_proxy_config_find(config, tg_slice_str(cases[i].host));
        if ((domain != NULL ? domain->cid : 0) != cases[i].cid) {
            fail_msg("%s goes to %u", cases[i].host, domain != NULL ? domain->cid : 0);
        }
    }
    assert_null(tg_proxy_config_find(config, TG_LIT("zz\0")));
    char longest[300];
    memset(longest, 'a', sizeof longest);
    memcpy(longest + 250, ".zz", 3);
    assert_non_null(tg_proxy_config_find(config, tg_slice_of(longest, 253)));
    assert_null(tg_proxy_config_find(config, tg_slice_of(longest, 254)));
}

static void parse_environment_fills_in_what_is_absent(void **state)
{
    (void)state;
    static const char *const environment[] = {"PATH=/bin",      "TEE_K_KMS_KEY=alias/k", "TEE_T_KMS_KEY=1234-abcd",
                                              "EMPTY_KMS_KEY=", "AWS_REGION=eu-west-1",  NULL};
    static const char json[] =
        "{\"domains\": {\"tee-k.x\": {\"cid\": 16}, \"tee-t.x\": {\"cid\": 17, \"kms_key\": \"alias/own\"},"
        " \"empty.x\": {\"cid\": 18}, \"tee-t2.x\": {\"cid\": 19}, \"*.tee-k.y\": {\"cid\": 20}}}";
    assert_ok(tg_proxy_config_parse("p.json", tg_slice_str(json), environment, &faults, &config));
    assert_slice(tg_proxy_config_of_cid(config, 16)->kms_key, "alias/k");
    assert_slice(tg_proxy_config_of_cid(config, 17)->kms_key, "alias/own");
    assert_int_equal(tg_proxy_config_of_cid(config, 18)->kms_key.len, 0);
    assert_int_equal(tg_proxy_config_of_cid(config, 19)->kms_key.len, 0);
    assert_int_equal(tg_proxy_config_of_cid(config, 20)->kms_key.len, 0);
    assert_slice(config->region, "eu-west-1");
}

static void parse_bad_environment_is_a_fault(void **state)
{
    (void)state;
    static const char *const environment[] = {"A_KMS_KEY=not a key", "AWS_REGION=EU West", NULL};
    assert_code(tg_proxy_config_parse("p.json", TG_LIT("{\"domains\":\n{\"a.b\":\n {\"cid\": 16}}}"), environment,
                                      &faults, &config),
                TG_ERR_SYNTAX);
    assert_int_equal(faults.num_faults, 2);
    assert_string_equal(faults.faults[0].field, "/domains/a.b");
    assert_int_equal(faults.faults[0].line, 2);
}

static void parse_bad_endpoint_of_the_environment_is_a_fault(void **state)
{
    (void)state;
    static const char *const environment[] = {"AWS_ENDPOINT_URL_KMS=https://x/path", NULL};
    static const char json[] = "{\"domains\": {\"a.b\": {\"cid\": 16, \"kms_key\": \"alias/k\"}}}";
    assert_code(tg_proxy_config_parse("p.json", tg_slice_str(json), environment, &faults, &config), TG_ERR_SYNTAX);
    assert_int_equal(faults.num_faults, 1);
    assert_string_equal(faults.faults[0].reason,
                        "AWS_ENDPOINT_URL_KMS of the environment: https://x/path is no endpoint");
    tg_faults_done(&faults);
    tg_faults_init(&faults);
    assert_ok(tg_proxy_config_parse("p.json", TG_LIT("{\"domains\": {\"a.b\": {\"cid\": 16}}}"), environment, &faults,
                                    &config)); /* nothing is called */
}

static void parse_each_fault_has_line_pointer_and_reason(void **state)
{
    (void)state;
#define DOMAIN(member) "{\"domains\":\n {\"a.b\":\n  {\"cid\": 16,\n" member "}}}"
    assert_fault("{\"domain\": {\"a.b\": {\"cid\": 16}},\n\"forwards\": []}", 1, "/domain", "no such key");
    assert_fault(DOMAIN("\"kms-key\": \"x\""), 4, "/domains/a.b/kms-key", "no such key");
    assert_fault(DOMAIN("\"kms_key\": 5"), 4, "/domains/a.b/kms_key", "text");
    assert_fault(DOMAIN("\"kms_key\": \"\""), 4, "/domains/a.b/kms_key", "empty");
    assert_fault(DOMAIN("\"kms_key\": \"a\\u0000b\""), 4, "", "JSON");
    assert_fault(DOMAIN("\"kms_key\": \"a\\tb\""), 4, "/domains/a.b/kms_key", "control");
    assert_fault(DOMAIN("\"kms_key\": \"arn:aws:s3:::x\""), 4, "/domains/a.b/kms_key", "no KMS key");
    assert_fault(DOMAIN("\"http\": 8080"), 4, "/domains/a.b/http", "address");
    assert_fault(DOMAIN("\"https\": \"http://x\""), 4, "/domains/a.b/https", "");
    assert_fault(DOMAIN("\"allow_plaintext\": \"yes\""), 4, "/domains/a.b/allow_plaintext", "true or false");
    assert_fault(DOMAIN("\"egress\": \"*:443\""), 4, "/domains/a.b/egress", "list");
    assert_fault(DOMAIN("\"egress\": [\"a:1\",\n\"b:0\"]"), 5, "/domains/a.b/egress/1", "port");
    assert_fault(DOMAIN("\"egress\": [5]"), 4, "/domains/a.b/egress/0", "text");
    assert_fault(DOMAIN("\"egress\": {}"), 4, "/domains/a.b/egress", "allowlist");
    assert_fault("{\"domains\": {\"a.b\": {\"cid\": \"16\"}}}", 1, "/domains/a.b/cid", "number");
    assert_fault("{\"domains\": {\"a.b\": {\"cid\": 0}}}", 1, "/domains/a.b/cid", "range");
    assert_fault("{\"domains\": {\"a.b\": {\"cid\": 4294967295}}}", 1, "/domains/a.b/cid", "range");
    assert_fault("{\"domains\": {\"a.b\": {\"cid\": -3}}}", 1, "/domains/a.b/cid", "range");
    assert_fault("{\"domains\": {\"a.b\": {}}}", 1, "/domains/a.b", "no CID");
    assert_fault("{\"domains\": {\"a.b\": {\"http\": \"unix:/a\"}}}", 1, "/domains/a.b", "no CID");
    assert_fault("{\"domains\": {\"a.b\": 16}}", 1, "/domains/a.b", "object");
    assert_fault("{\"domains\": {\"a.b.\": {\"cid\": 16}}}", 1, "/domains/a.b.", "no domain");
    assert_fault("{\"domains\": {\"a/b\": {\"cid\": 16}}}", 1, "/domains/a~1b", "no domain");
    assert_fault("{\"domains\": {\"*\": {\"cid\": 16}}}", 1, "/domains/*", "no domain");
    assert_fault("{\"domains\": {\"10.0.0.1\": {\"cid\": 16}}}", 1, "/domains/10.0.0.1", "no domain");
    assert_fault("{\"domains\": {\"a.b\": {\"cid\": 16},\n \"A.b\": {\"cid\": 16}}}", 2, "/domains/A.b", "twice");
    assert_fault("{\"domains\": []}", 1, "/domains", "object");
    assert_fault("{\"ports\": {\"http\": 65536}}", 1, "/ports/http", "range");
    assert_fault("{\"ports\": {\"http\": 0}}", 1, "/ports/http", "range");
    assert_fault("{\"ports\": {\"https\": \"443\"}}", 1, "/ports/https", "number");
    assert_fault("{\"ports\": {\"htpp\": 80,\n\"http\": 81}}", 1, "/ports/htpp", "no such key");
    assert_fault("{\"listen\": {\"https\": {\"accept_proxy\": true}}}", 1, "/listen/https", "no address");
    assert_fault("{\"listen\": {\"kms\": [{\"address\": \"unix:/k\", \"accept_proxy\": true}]}}", 1, "/listen/kms",
                 "PROXY headers");
    assert_fault("{\"listen\": {\"internet\": {\"address\": \"vsock:any:8444\", \"accept_proxy\": true}}}", 1,
                 "/listen/internet", "PROXY headers");
    assert_fault("{\"listen\": {\"internet\": {\"address\": \"unix:/i\", \"send_proxy\": true}}}", 1,
                 "/listen/internet", "PROXY headers");
    assert_fault("{\"listen\": {\"https\": [\"tcp:1.2.3.4:5\", 7]}}", 1, "/listen/https/1", "object");
    assert_fault("{\"listen\": {\"https\": {\"address\": \"tcp:1.2.3.4:5\", \"proxy\": 1}}}", 1, "/listen/https/proxy",
                 "key");
    assert_fault("{\"forwards\": {}}", 1, "/forwards", "list");
    assert_fault("{\"forwards\": [{\"listen\": \"unix:/a\"}]}", 1, "/forwards/0", "lacks");
    assert_fault("{\"forwards\": [{\"listen\": \"unix:/a\", \"connect\": \"unix:/b\", \"cids\": []}]}", 1,
                 "/forwards/0/cids", "empty");
    assert_fault("{\"aws\": {\"forwards\": 8000}}", 1, "/aws/forwards", "region");
    assert_fault("{\"aws\": {\"region\": \"AP_SOUTH\"}}", 1, "/aws/region", "region");
    assert_fault("{\"aws\": {\"region\": \"-eu-west-1\"}}", 1, "/aws/region", "region");
    assert_fault("{\"limits\": {\"conections\": 5}}", 1, "/limits/conections", "no such key");
    assert_fault("{\"limits\": {\"connections\": 0}}", 1, "/limits/connections", "");
    assert_fault("{\"timeouts\": {\"idle_ms\": true}}", 1, "/timeouts/idle_ms", "");
    assert_fault("{\"timeouts\": {\"connect_ms\": \"10x\"}}", 1, "/timeouts/connect_ms", "");
    assert_fault("{\"admin\": 9090}", 1, "/admin", "address");
    assert_fault("{\"forwards\": [{\"listen\": \"unix:/a\", \"connect\": \"unix:/b\"},\n"
                 "{\"listen\": \"unix:/a\", \"connect\": \"unix:/b\"}]}",
                 1, "", "two services");
    assert_fault("{}", 1, "", "nothing to do");
    assert_fault("[]", 0, "", "no object");
    assert_fault("{\n\n\"domains\": {},}", 3, "", "JSON");
    assert_fault("{\"domains\": {},\n\"domains\": {}}", 2, "", "twice");
}

static void parse_one_cid_with_two_keys_is_refused(void **state)
{
    (void)state;
    assert_fault("{\"domains\": {\"a.b\": {\"cid\": 16, \"kms_key\": \"alias/a\"},\n\"c.d\": {\"cid\": 16, "
                 "\"kms_key\": \"alias/b\"}}}",
                 2, "/domains/c.d", "another KMS key");
    assert_fault("{\"domains\": {\"a.b\": {\"cid\": 16, \"kms_key\": \"alias/a\"},\n\"c.d\": {\"cid\": 16}}}", 2,
                 "/domains/c.d", "another KMS key");
    assert_fault("{\"domains\": {\"a.b\": {\"cid\": 16},\n\"c.d\": {\"cid\": 16, \"allow_plaintext\": true}}}", 2,
                 "/domains/c.d", "allow_plaintext");
    assert_fault("{\"domains\": {\"a.b\": {\"cid\": 16, \"egress\": []},\n\"c.d\": {\"cid\": 16, \"egress\": []}}}", 2,
                 "/domains/c.d", "egress rules");
    assert_ok(parse("{\"domains\": {\"a.b\": {\"cid\": 16, \"kms_key\": \"alias/a\"},"
                    "\"c.d\": {\"cid\": 16, \"kms_key\": \"alias/a\"}}}"));
}

static void parse_tells_all_faults_at_once(void **state)
{
    (void)state;
    assert_code(
        parse("{\"x\": 1,\n\"domains\": {\"a.b\": {\"cid\": 0, \"y\": 2}},\n\"ports\": {\"http\": 0}, \"admin\": 1}"),
        TG_ERR_SYNTAX);
    assert_int_equal(faults.num_faults, 5);
}

static void parse_aws_forwards_open_the_six(void **state)
{
    (void)state;
    assert_ok(
        parse("{\"domains\": {\"a.b\": {\"cid\": 16}}, \"aws\": {\"region\": \"ap-south-1\", \"forwards\": 8000}}"));
    static const char *const expected[][2] = {
        {"vsock:any:8001", "tcp:kms.ap-south-1.amazonaws.com:443"},
        {"vsock:any:8002", "tcp:secretsmanager.ap-south-1.amazonaws.com:443"},
        {"vsock:any:8003", "tcp:s3.ap-south-1.amazonaws.com:443"},
        {"vsock:any:8004", "tcp:169.254.169.254:80"},
        {"vsock:any:8005", "tcp:sts.ap-south-1.amazonaws.com:443"},
        {"vsock:any:8006", "tcp:169.254.170.2:80"},
    };
    assert_int_equal(config->num_forwards, TG_COUNT(expected));
    for (size_t i = 0; i < TG_COUNT(expected); i++) {
        assert_address(&config->forwards[i].listen.address, expected[i][0]);
        assert_address(&config->forwards[i].connect, expected[i][1]);
        assert_int_equal(config->forwards[i].num_cids, 1);
        assert_int_equal(config->forwards[i].cids[0], 16);
    }
    assert_ok(parse("{\"aws\": {\"region\": \"cn-north-1\", \"forwards\": 8000}}"));
    assert_address(&config->forwards[0].connect, "tcp:kms.cn-north-1.amazonaws.com.cn:443");
    assert_null(config->forwards[0].cids);
}

static void append_reads_back_as_the_same(void **state)
{
    (void)state;
    assert_ok(
        parse("{\"domains\": {\"a.b\": {\"cid\": 16, \"kms_key\": \"alias/a\", \"egress\": [\"*.x:443\"]},"
              "\"*.c.d\": {\"http\": \"unix:/a\", \"https\": \"hvsock:/b:8443\", \"allow_plaintext\": true}},"
              "\"aws\": {\"region\": \"eu-west-1\", \"forwards\": 7000}, \"egress\": [], \"admin\": \"unix:/adm\","
              "\"listen\": {\"http\": []}, \"limits\": {\"per_source\": 9}}"));
    tg_buf first, second;
    tg_buf_init(&first, 1 << 16);
    tg_buf_init(&second, 1 << 16);
    assert_ok(tg_proxy_config_append(config, &first));
    assert_ok(tg_buf_append_byte(&first, 0));
    assert_ok(parse((const char *)tg_buf_slice(&first).ptr));
    assert_ok(tg_proxy_config_append(config, &second));
    assert_ok(tg_buf_append_byte(&second, 0));
    assert_string_equal((const char *)tg_buf_slice(&first).ptr, (const char *)tg_buf_slice(&second).ptr);
    assert_int_equal(config->num_forwards, 6);
    assert_int_equal(config->limits.per_source, 9);
    tg_buf_done(&first);
    tg_buf_done(&second);
}

static void read_missing_file_shows_a_minimal_one(void **state)
{
    (void)state;
    assert_code(tg_proxy_config_read("/nonexistent/p.json", NULL, &faults, &config), TG_ERR_NOT_FOUND);
    assert_int_equal(faults.num_faults, 1);
    assert_non_null(strstr(faults.faults[0].remedy, "{\"domains\""));
    assert_code(tg_proxy_config_read("/", NULL, &faults, &config), TG_ERR_SYNTAX);
}

static void write_file(char *path, const char *text)
{
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void read_files_with_allowlists(void **state)
{
    (void)state;
    char list[] = "/tmp/tg-allow-XXXXXX", path[] = "/tmp/tg-config-XXXXXX", json[1000];
    write_file(list,
               "allowlist:\n- {address: kms.eu-west-1.amazonaws.com, port: 443}\n- {address: 10.0.0.9, port: 5432}\n");
    snprintf(json, sizeof json,
             "{\"egress\": {\"allowlist\": \"%s\"}, \"forwards\": ["
             "{\"listen\": \"unix:/a\", \"connect\": \"tcp:kms.eu-west-1.amazonaws.com:443\", \"allowlist\": \"%s\"},"
             "{\"listen\": \"unix:/b\", \"connect\": \"tcp:10.0.0.9:5432\", \"allowlist\": \"%s\"}]}",
             list, list, list);
    write_file(path, json);
    assert_ok(tg_proxy_config_read(path, NULL, &faults, &config));
    assert_int_equal(config->egress.num_rules, 2);
    assert_int_equal(config->num_forwards, 2);
    snprintf(json, sizeof json,
             "{\"forwards\": [{\"listen\": \"unix:/a\",\n\"connect\": "
             "\"tcp:kms.eu-west-1.amazonaws.com:444\",\n\"allowlist\": \"%s\"}]}",
             list);
    assert_fault(json, 3, "/forwards/0/allowlist", "does not name");
    assert_code(parse("{\"egress\": {\"allowlist\": \"/nonexistent/a\"}}"), TG_ERR_SYNTAX);
    unlink(list);
    unlink(path);
}

static void ref_keeps_a_configuration_alive(void **state)
{
    (void)state;
    assert_ok(parse(users_own));
    tg_proxy_config *second = tg_proxy_config_ref(config);
    tg_proxy_config_unref(config);
    config = second;
    assert_int_equal(config->num_domains, 1);
    assert_string_equal(tg_proxy_service_name(TG_SERVICE_HTTPS), "https");
    assert_string_equal(tg_proxy_service_name(TG_NUM_PROXY_SERVICES), "unknown");
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test_setup_teardown(parse_what_users_have_gives_every_default, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parse_without_ports_gives_the_same_listeners, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parse_optional_parts_are_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(find_prefers_exact_names_then_the_longest_wildcard, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parse_environment_fills_in_what_is_absent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parse_bad_environment_is_a_fault, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parse_bad_endpoint_of_the_environment_is_a_fault, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parse_each_fault_has_line_pointer_and_reason, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parse_one_cid_with_two_keys_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parse_tells_all_faults_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parse_aws_forwards_open_the_six, set_up, tear_down),
        cmocka_unit_test_setup_teardown(append_reads_back_as_the_same, set_up, tear_down),
        cmocka_unit_test_setup_teardown(read_missing_file_shows_a_minimal_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(read_files_with_allowlists, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ref_keeps_a_configuration_alive, set_up, tear_down),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
