#include "enclave/clients.h"

#include "base/text.h"

/* A listed name is of the kind that it looks like: an authority that lets clients choose one kind of name does not
 * thereby let them choose another. No DNS name holds a colon or an at sign, every URI holds a colon. */
static tg_peer_name_kind kind_of(tg_slice listed)
{
    if (tg_slice_find(listed, ':') < listed.len) {
        return TG_PEER_NAME_URI;
    }
    return tg_slice_find(listed, '@') < listed.len ? TG_PEER_NAME_EMAIL : TG_PEER_NAME_DNS;
}

static bool is_listed(const tg_setting_list *names, const tg_peer_name *name)
{
    for (size_t i = 0; i < names->num_items; i++) {
        tg_slice listed = tg_slice_str(names->items[i]);
        if (kind_of(listed) != name->kind) {
            continue;
        }
        bool is_equal = name->kind == TG_PEER_NAME_DNS ? tg_text_equal_nocase(listed, name->text)
                                                       : tg_slice_equal(listed, name->text);
        if (is_equal) {
            return true;
        }
    }
    return false;
}

bool tg_clients_allow(const tg_setting_list *names, const tg_peer *peer, int64_t now_unix_s)
{
    const tg_peer_tls *tls = peer->tls;
    if (tls == NULL || !tls->has_certificate || now_unix_s > tls->not_after_unix_s) {
        return false;
    }
    for (size_t i = 0; i < tls->num_names; i++) {
        if (is_listed(names, &tls->names[i])) {
            return true;
        }
    }
    return false;
}

static bool is_server_name(const tg_setting_list *names, tg_slice host)
{
    if (tg_slice_ends(host, TG_LIT("."))) {
        host.len--;
    }
    for (size_t i = 0; i < names->num_items; i++) {
        if (tg_text_equal_nocase(tg_slice_str(names->items[i]), host)) {
            return true;
        }
    }
    return false;
}

/* The host of host[:port]; an IPv6 literal keeps its brackets. */
static tg_slice host_of(tg_slice authority)
{
    size_t end = tg_slice_find(authority, ':');
    if (tg_slice_starts(authority, TG_LIT("["))) {
        end = tg_slice_find(authority, ']') + 1;
    }
    return tg_slice_first(authority, end);
}

bool tg_server_names_match(const tg_setting_list *names, const tg_peer *peer, tg_slice authority)
{
    if (names->num_items == 0) {
        return true;
    }
    if (peer->tls != NULL && peer->tls->server_name.len > 0 && !is_server_name(names, peer->tls->server_name)) {
        return false;
    }
    return is_server_name(names, host_of(authority));
}
