#include "proxy/activated.h"

#include "sys/fd.h"

#include <stdio.h>
#include <string.h>

static tg_detail *fault(tg_faults *faults, const char *name)
{
    tg_detail *detail = tg_faults_add(faults);
    tg_detail_set_place(detail, TG_LIT("LISTEN_FDNAMES"), 0, tg_slice_str(name));
    return detail;
}

static bool find_service(const char *name, tg_proxy_service *out_service)
{
    for (int service = 0; service < TG_NUM_PROXY_SERVICES; service++) {
        if (strcmp(tg_proxy_service_name((tg_proxy_service)service), name) == 0) {
            *out_service = (tg_proxy_service)service;
            return true;
        }
    }
    return false;
}

static void adopt(const tg_activated *socket, int fd, tg_faults *faults, tg_proxy_activated *activated)
{
    tg_proxy_service service;
    tg_bound *bound = NULL;
    tg_detail found;
    if (!find_service(socket->name, &service)) {
        tg_detail *detail = fault(faults, socket->name);
        tg_detail_set_reason(detail, "there is no such service");
        tg_detail_set_remedy(detail, "FileDescriptorName= is http, https, internet, kms, forward, sidecar or admin");
        tg_fd_close(&fd);
    } else if (!tg_is_ok(tg_bound_adopt(fd, &bound, &found))) {
        *fault(faults, socket->name) = found;
        tg_fd_close(&fd);
    } else {
        activated->sockets[activated->num_sockets].bound = bound;
        activated->sockets[activated->num_sockets].service = service;
        activated->num_sockets++;
    }
}

tg_result tg_proxy_activated_adopt(tg_activation *activation, tg_faults *faults, tg_proxy_activated *out_activated)
{
    size_t num_before = faults->num_faults;
    for (size_t i = 0; i < activation->num_sockets; i++) {
        adopt(&activation->sockets[i], tg_fd_take(&activation->sockets[i].fd), faults, out_activated);
    }
    return faults->num_faults == num_before ? tg_ok() : tg_fail(TG_ERR_SYNTAX);
}

void tg_proxy_activated_done(tg_proxy_activated *activated)
{
    for (size_t i = 0; i < activated->num_sockets; i++) {
        tg_bound_close(activated->sockets[i].bound);
    }
    activated->num_sockets = 0;
}

static bool is_wildcard(const char *host)
{
    return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

static bool stands_for(const tg_address *is, const tg_address *asked)
{
    if (is->kind != asked->kind) {
        return false;
    }
    switch (asked->kind) {
    case TG_ADDRESS_TCP:
        return is->port == asked->port &&
               (strcmp(is->name, asked->name) == 0 || (is_wildcard(is->name) && is_wildcard(asked->name)));
    case TG_ADDRESS_VSOCK:
        return is->port == asked->port;
    case TG_ADDRESS_UNIX: /* the CID that it stands for is that of the start */
        return strcmp(is->name, asked->name) == 0 && (!is->has_cid || (asked->has_cid && is->cid == asked->cid));
    case TG_ADDRESS_HVSOCK:
        break;
    }
    return false;
}

tg_bound *tg_proxy_activated_find(tg_proxy_activated *activated, tg_proxy_service service, const tg_address *asked)
{
    for (size_t i = 0; i < activated->num_sockets; i++) {
        tg_bound *bound = activated->sockets[i].bound;
        if (activated->sockets[i].service == service && stands_for(tg_bound_address(bound), asked)) {
            if (asked->kind == TG_ADDRESS_UNIX && asked->has_cid) {
                tg_bound_stand_for(bound, asked->cid);
            }
            activated->sockets[i].is_used = true;
            return bound;
        }
    }
    return NULL;
}

tg_result tg_proxy_activated_check(const tg_proxy_activated *activated, tg_faults *faults)
{
    tg_result result = tg_ok();
    for (size_t i = 0; i < activated->num_sockets; i++) {
        if (!activated->sockets[i].is_used) {
            char text[TG_MAX_ADDRESS_BYTES];
            const char *name = tg_proxy_service_name(activated->sockets[i].service);
            tg_detail *detail = fault(faults, name);
            tg_detail_set_reason(detail, "the service manager listens at %s, and no listener of the configuration does",
                                 tg_address_format(tg_bound_address(activated->sockets[i].bound), text));
            tg_detail_set_remedy(detail, "add the address to the service %s, or disable the .socket unit", name);
            result = tg_fail(TG_ERR_SYNTAX);
        }
    }
    return result;
}
