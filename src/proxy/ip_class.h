/* What an IP address is good for, by the registries of special addresses (RFC 6890 and what followed it). The egress
 * proxy dials nothing but public addresses unless a rule says otherwise. */
#ifndef TG_PROXY_IP_CLASS_H
#define TG_PROXY_IP_CLASS_H

#include "base/result.h"
#include "base/slice.h"

typedef enum tg_ip_class {
    TG_IP_PUBLIC,
    TG_IP_UNSPECIFIED,   /* 0.0.0.0/8, ::, which the kernel takes for this host */
    TG_IP_LOOPBACK,      /* 127.0.0.0/8, ::1 */
    TG_IP_LINK_LOCAL,    /* 169.254.0.0/16, fe80::/10 */
    TG_IP_METADATA,      /* a cloud's own services: instance metadata, container and pod credentials */
    TG_IP_PRIVATE,       /* RFC 1918, fc00::/7, the old fec0::/10 */
    TG_IP_SHARED,        /* 100.64.0.0/10 */
    TG_IP_BENCHMARK,     /* 198.18.0.0/15, 2001:2::/48 */
    TG_IP_DOCUMENTATION, /* 192.0.2.0/24 and the like */
    TG_IP_MULTICAST,
    TG_IP_BROADCAST,
    TG_IP_TRANSLATED, /* IPv6 that carries an IPv4 address: mapped, compatible, SIIT, NAT64, 6to4, Teredo */
    TG_IP_RESERVED,   /* everything that is not assigned for use between hosts */
    TG_IP_OWN,        /* an address of this host (proxy/own_addresses.h) */
    TG_NUM_IP_CLASSES
} tg_ip_class;

/* tg_ip_class_of classifies 4 or 16 bytes in network order; any other length is TG_IP_RESERVED. It never gives
 * TG_IP_OWN.
 */
tg_ip_class tg_ip_class_of(tg_slice address);

/* tg_ip_class_name is its lower-case name (`link_local`); static storage. */
const char *tg_ip_class_name(tg_ip_class class);

/* A block of addresses: 10.0.0.0/8, fd00::/8. One address is a block of 32 or 128 bits. */
typedef struct tg_cidr {
    uint8_t bytes[16]; /* the first 4 or 16; bits behind the prefix are zero */
    uint8_t len;       /* 4 or 16 */
    uint8_t num_bits;
} tg_cidr;

/* tg_ip_parse reads an IPv4 address of four decimal numbers or an IPv6 address (RFC 4291 §2.2), without brackets
 * and zone.
 * out   4 or 16 bytes, and their number
 * err   TG_ERR_SYNTAX
 */
TG_FOREIGN TG_MUST_USE tg_result tg_ip_parse(tg_slice text, uint8_t out_bytes[16], size_t *out_len);

/* tg_cidr_parse reads ADDRESS or ADDRESS/BITS.
 * err   TG_ERR_SYNTAX; TG_ERR_RANGE: more bits than the address has; TG_ERR_MISMATCH: bits are set behind the prefix
 */
TG_FOREIGN TG_MUST_USE tg_result tg_cidr_parse(tg_slice text, tg_cidr *out_cidr);

/* tg_cidr_holds says whether an address of 4 or 16 bytes lies in the block; one of another length never does. */
bool tg_cidr_holds(const tg_cidr *cidr, tg_slice address);

#endif
