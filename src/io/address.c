#include "io/address.h"

#include "base/num.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <stdio.h>

static const struct {
    const char *prefix;
    tg_address_kind kind;
} kinds[] = {
    {"tcp:", TG_ADDRESS_TCP},
    {"vsock:", TG_ADDRESS_VSOCK},
    {"unix:", TG_ADDRESS_UNIX},
    {"hvsock:", TG_ADDRESS_HVSOCK},
};

static const struct {
    const char *name;
    uint32_t cid;
} cid_names[] = {
    {"any", VMADDR_CID_ANY},
    {"local", VMADDR_CID_LOCAL},
    {"host", VMADDR_CID_HOST},
    {"parent", 3},
};

static tg_result refuse(tg_code code, tg_detail *detail, const char *reason, const char *remedy)
{
    tg_detail_set_reason(detail, "%s", reason);
    tg_detail_set_remedy(detail, "%s", remedy);
    return tg_fail(code);
}

/* Splits at the last colon. */
static bool split_port(tg_slice text, tg_slice *out_rest, tg_slice *out_port)
{
    for (size_t i = text.len; i > 0; i--) {
        if (text.ptr[i - 1] == ':') {
            *out_rest = tg_slice_first(text, i - 1);
            *out_port = tg_slice_from(text, i);
            return true;
        }
    }
    return false;
}

static tg_result parse_number(tg_slice text, uint32_t max, const char *what, uint32_t *out_number, tg_detail *detail)
{
    uint64_t number = 0;
    tg_result result = text.len <= 10 ? tg_num_parse_u64(text, max, &number) : tg_fail(TG_ERR_RANGE);
    if (!tg_is_ok(result)) {
        tg_detail_set_reason(detail, "%s is not a number from 0 to %u", what, max);
        return result;
    }
    *out_number = (uint32_t)number;
    return tg_ok();
}

/* host = 1*253( ALPHA / DIGIT / "-" / "_" / "." ), labels of 1 to 63, a final dot allowed, and the last label not a
 * number: resolvers read `127.1` and `0x7f000001` as addresses, which no rule written for names would notice. */
static bool is_host_name(tg_slice host)
{
    tg_slice rest = tg_slice_ends(host, TG_LIT(".")) ? tg_slice_first(host, host.len - 1) : host;
    tg_slice label = {NULL, 0};
    do {
        label = tg_slice_split(&rest, '.');
        if (label.len == 0 || label.len > 63 || label.ptr[0] == '-' || label.ptr[label.len - 1] == '-') {
            return false;
        }
        for (size_t i = 0; i < label.len; i++) {
            uint8_t c = label.ptr[i];
            if (!tg_ascii_is_alpha(c) && !tg_ascii_is_digit(c) && c != '-' && c != '_') {
                return false;
            }
        }
    } while (rest.ptr != NULL);
    uint64_t number = 0;
    tg_slice digits =
        label.len > 2 && label.ptr[0] == '0' && (label.ptr[1] | 0x20) == 'x' ? tg_slice_from(label, 2) : TG_LIT("g");
    return tg_num_parse_u64(label, 0, &number).code == TG_ERR_SYNTAX &&
           tg_num_parse_hex_u64(digits, 0, &number).code == TG_ERR_SYNTAX;
}

static bool parse_ip(int family, tg_slice text, char *out_name, size_t cap)
{
    char plain[INET6_ADDRSTRLEN];
    uint8_t bytes[16];
    if (text.len >= sizeof plain || memchr(text.ptr, 0, text.len) != NULL) {
        return false;
    }
    memcpy(plain, text.ptr, text.len);
    plain[text.len] = 0;
    return inet_pton(family, plain, bytes) == 1 && inet_ntop(family, bytes, out_name, (socklen_t)cap) != NULL;
}

static tg_result parse_tcp(tg_slice text, tg_address *address, tg_detail *detail)
{
    tg_slice host = {NULL, 0};
    tg_slice port = {NULL, 0};
    if (!split_port(text, &host, &port) || host.len == 0) {
        return refuse(TG_ERR_SYNTAX, detail, "a host and a port are needed", "write tcp:HOST:PORT");
    }
    TG_TRY(parse_number(port, 65535, "the port", &address->port, detail));
    if (host.ptr[0] == '[' && host.ptr[host.len - 1] == ']') {
        address->is_numeric = true;
        if (host.len < 3 ||
            !parse_ip(AF_INET6, tg_slice_of(host.ptr + 1, host.len - 2), address->name, sizeof address->name)) {
            return refuse(TG_ERR_SYNTAX, detail, "what stands in the brackets is not an IPv6 address", "");
        }
        return tg_ok();
    }
    address->is_numeric = parse_ip(AF_INET, host, address->name, sizeof address->name);
    if (address->is_numeric) {
        return tg_ok();
    }
    if (host.len > TG_MAX_HOST_BYTES) {
        return refuse(TG_ERR_LIMIT, detail, "the host name is longer than 253 bytes", "");
    }
    if (!is_host_name(host)) {
        bool is_ipv6 = tg_slice_find(host, ':') < host.len;
        return refuse(TG_ERR_SYNTAX, detail, "the host is neither a name nor an IP address",
                      is_ipv6 ? "write IPv6 addresses in brackets" : "");
    }
    memcpy(address->name, host.ptr, host.len);
    return tg_ok();
}

static tg_result parse_vsock(tg_slice text, tg_address *address, tg_detail *detail)
{
    tg_slice cid = {NULL, 0};
    tg_slice port = {NULL, 0};
    if (!split_port(text, &cid, &port)) {
        return refuse(TG_ERR_SYNTAX, detail, "a CID and a port are needed", "write vsock:CID:PORT");
    }
    TG_TRY(parse_number(port, UINT32_MAX, "the port", &address->port, detail));
    address->has_cid = true;
    for (size_t i = 0; i < TG_COUNT(cid_names); i++) {
        if (tg_slice_equal(cid, tg_slice_str(cid_names[i].name))) {
            address->cid = cid_names[i].cid;
            return tg_ok();
        }
    }
    tg_result result = parse_number(cid, UINT32_MAX, "the CID", &address->cid, detail);
    if (!tg_is_ok(result)) {
        tg_detail_set_remedy(detail, "write a number, any, parent, host or local");
    }
    return result;
}

static tg_result parse_path(tg_slice path, tg_address *address, tg_detail *detail)
{
    if (path.len == 0 || tg_slice_equal(path, TG_LIT("@"))) {
        return refuse(TG_ERR_SYNTAX, detail, "a path is needed", "write unix:/run/NAME.sock or unix:@NAME");
    }
    if (path.len > TG_MAX_UNIX_PATH_BYTES) {
        return refuse(TG_ERR_LIMIT, detail, "the path is longer than 107 bytes", "");
    }
    for (size_t i = 0; i < path.len; i++) {
        if (path.ptr[i] < 0x21 || path.ptr[i] == 0x7f || path.ptr[i] == ',' || path.ptr[i] == '?') {
            return refuse(TG_ERR_SYNTAX, detail, "blanks, control characters, ',' and '?' may not stand in a path", "");
        }
    }
    memcpy(address->name, path.ptr, path.len);
    return tg_ok();
}

static tg_result parse_unix(tg_slice text, tg_address *address, tg_detail *detail)
{
    size_t query = tg_slice_find(text, '?');
    if (query < text.len) {
        tg_slice label = tg_slice_from(text, query + 1);
        if (!tg_slice_starts(label, TG_LIT("cid="))) {
            return refuse(TG_ERR_SYNTAX, detail, "what stands behind '?' is not known", "write ?cid=NUMBER");
        }
        TG_TRY(parse_number(tg_slice_from(label, 4), UINT32_MAX, "the CID", &address->cid, detail));
        address->has_cid = true;
    }
    return parse_path(tg_slice_first(text, query), address, detail);
}

static tg_result parse_hvsock(tg_slice text, tg_address *address, tg_detail *detail)
{
    tg_slice path = {NULL, 0};
    tg_slice port = {NULL, 0};
    if (!split_port(text, &path, &port)) {
        return refuse(TG_ERR_SYNTAX, detail, "a path and a port are needed", "write hvsock:PATH:PORT");
    }
    TG_TRY(parse_number(port, UINT32_MAX, "the port", &address->port, detail));
    return parse_path(path, address, detail);
}

static tg_result parse_kind(tg_slice text, tg_address *address, tg_detail *detail)
{
    for (size_t i = 0; i < TG_COUNT(kinds); i++) {
        tg_slice prefix = tg_slice_str(kinds[i].prefix);
        if (tg_slice_starts(text, prefix)) {
            tg_slice rest = tg_slice_from(text, prefix.len);
            address->kind = kinds[i].kind;
            switch (kinds[i].kind) {
            case TG_ADDRESS_TCP:
                return parse_tcp(rest, address, detail);
            case TG_ADDRESS_VSOCK:
                return parse_vsock(rest, address, detail);
            case TG_ADDRESS_UNIX:
                return parse_unix(rest, address, detail);
            case TG_ADDRESS_HVSOCK:
                return parse_hvsock(rest, address, detail);
            }
        }
    }
    return refuse(TG_ERR_UNSUPPORTED, detail, "the kind of address is not known",
                  "write tcp:HOST:PORT, vsock:CID:PORT, unix:PATH or hvsock:PATH:PORT");
}

tg_result tg_address_parse(tg_slice text, tg_address *out_address, tg_detail *detail)
{
    tg_address address = {0};
    tg_detail_clear(detail);
    tg_detail_set_place(detail, TG_LIT(""), 0, text);
    TG_TRY(parse_kind(text, &address, detail));
    *out_address = address;
    return tg_ok();
}

tg_result tg_address_parse_host_port(tg_slice text, tg_address *out_address, tg_detail *detail)
{
    tg_address address = {.kind = TG_ADDRESS_TCP};
    tg_detail_clear(detail);
    tg_detail_set_place(detail, TG_LIT(""), 0, text);
    TG_TRY(parse_tcp(text, &address, detail));
    if (address.port == 0) {
        return refuse(TG_ERR_RANGE, detail, "port 0 cannot be dialled", "");
    }
    *out_address = address;
    return tg_ok();
}

tg_result tg_address_parse_list(tg_slice text, tg_address_list *out_list, tg_detail *detail)
{
    tg_address addresses[TG_MAX_ADDRESSES];
    size_t num_addresses = 0;
    tg_slice rest = text;
    do {
        tg_slice item = tg_slice_split(&rest, ',');
        if (num_addresses == TG_MAX_ADDRESSES) {
            tg_detail_clear(detail);
            return refuse(TG_ERR_LIMIT, detail, "a list holds at most 16 addresses", "");
        }
        TG_TRY(tg_address_parse(item, &addresses[num_addresses], detail));
        num_addresses++;
    } while (rest.ptr != NULL);
    memcpy(out_list->addresses, addresses, num_addresses * sizeof addresses[0]);
    out_list->num_addresses = num_addresses;
    return tg_ok();
}

tg_result tg_address_append(const tg_address *address, tg_buf *buf)
{
    switch (address->kind) {
    case TG_ADDRESS_TCP: {
        bool is_ipv6 = strchr(address->name, ':') != NULL;
        return tg_buf_printf(buf, is_ipv6 ? "tcp:[%s]:%u" : "tcp:%s:%u", address->name, address->port);
    }
    case TG_ADDRESS_VSOCK:
        if (address->cid == VMADDR_CID_ANY) {
            return tg_buf_printf(buf, "vsock:any:%u", address->port);
        }
        return tg_buf_printf(buf, "vsock:%u:%u", address->cid, address->port);
    case TG_ADDRESS_UNIX:
        if (address->has_cid) {
            return tg_buf_printf(buf, "unix:%s?cid=%u", address->name, address->cid);
        }
        return tg_buf_printf(buf, "unix:%s", address->name);
    case TG_ADDRESS_HVSOCK:
        return tg_buf_printf(buf, "hvsock:%s:%u", address->name, address->port);
    }
    return tg_fail(TG_ERR_UNSUPPORTED);
}

const char *tg_address_format(const tg_address *address, char out[TG_MAX_ADDRESS_BYTES])
{
    tg_buf buf;
    tg_buf_init(&buf, TG_MAX_ADDRESS_BYTES - 1);
    out[0] = 0;
    if (tg_is_ok(tg_address_append(address, &buf))) {
        tg_slice text = tg_buf_slice(&buf);
        if (text.ptr != NULL) {
            memcpy(out, text.ptr, text.len);
        }
        out[text.len] = 0;
    }
    tg_buf_done(&buf);
    return out;
}

bool tg_address_equal(const tg_address *a, const tg_address *b)
{
    return a->kind == b->kind && a->port == b->port && a->cid == b->cid && a->has_cid == b->has_cid &&
           (a->kind == TG_ADDRESS_TCP ? tg_text_equal_nocase(tg_slice_str(a->name), tg_slice_str(b->name))
                                      : strcmp(a->name, b->name) == 0);
}

static tg_result unix_sockaddr(const char *path, tg_sockaddr *out)
{
    size_t len = strlen(path);
    if (len > TG_MAX_UNIX_PATH_BYTES) {
        return tg_fail(TG_ERR_LIMIT);
    }
    out->un.sun_family = AF_UNIX;
    memcpy(out->un.sun_path, path, len + 1);
    out->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
    if (path[0] == '@') { /* unix(7): abstract names begin with NUL, and their length counts */
        out->un.sun_path[0] = 0;
        out->len--;
    }
    return tg_ok();
}

tg_result tg_address_to_sockaddr(const tg_address *address, bool is_listening, tg_sockaddr *out_sockaddr)
{
    tg_sockaddr result = {.len = 0};
    char path[TG_MAX_HOST_BYTES + 16];
    switch (address->kind) {
    case TG_ADDRESS_TCP:
        if (inet_pton(AF_INET, address->name, &result.in.sin_addr) == 1) {
            result.in.sin_family = AF_INET;
            result.in.sin_port = htons((uint16_t)address->port);
            result.len = sizeof result.in;
        } else if (inet_pton(AF_INET6, address->name, &result.in6.sin6_addr) == 1) {
            result.in6.sin6_family = AF_INET6;
            result.in6.sin6_port = htons((uint16_t)address->port);
            result.len = sizeof result.in6;
        } else {
            return tg_fail(TG_ERR_UNSUPPORTED);
        }
        break;
    case TG_ADDRESS_VSOCK:
        result.vm.svm_family = AF_VSOCK;
        result.vm.svm_cid = address->cid;
        result.vm.svm_port = address->port;
        result.len = sizeof result.vm;
        break;
    case TG_ADDRESS_UNIX:
        TG_TRY(unix_sockaddr(address->name, &result));
        break;
    case TG_ADDRESS_HVSOCK:
        snprintf(path, sizeof path, is_listening ? "%s_%u" : "%s", address->name, address->port);
        TG_TRY(unix_sockaddr(path, &result));
        break;
    }
    *out_sockaddr = result;
    return tg_ok();
}
