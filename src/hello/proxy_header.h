/* The PROXY protocol, version 2: who the client in front of a balancer or router was. Read where a listener is
 * configured to expect it (never sniffed), written where a backend is. */
#ifndef TG_HELLO_PROXY_HEADER_H
#define TG_HELLO_PROXY_HEADER_H

#include "base/buf.h"

enum {
    TG_PROXY_HEADER_MIN_BYTES = 16,
    TG_PROXY_HEADER_MAX_BYTES = 4096, /* fixed part, addresses and TLVs; longer ones are refused */
    TG_PROXY_UNIX_PATH_BYTES = 108
};

typedef enum tg_proxy_family { TG_PROXY_UNSPEC, TG_PROXY_INET, TG_PROXY_INET6, TG_PROXY_UNIX } tg_proxy_family;

/* Types of TLVs (version 2, §2.2); ours lies in the range for private use. */
enum {
    TG_PROXY_TLV_ALPN = 0x01,
    TG_PROXY_TLV_AUTHORITY = 0x02,
    TG_PROXY_TLV_CRC32C = 0x03,
    TG_PROXY_TLV_NOOP = 0x04,
    TG_PROXY_TLV_RETURN_PORT = 0xe7 /* hello/return_port.h */
};

typedef struct tg_proxy_header {
    bool is_local;          /* LOCAL: the balancer speaks for itself (a health check); there is no client to name */
    tg_proxy_family family; /* TG_PROXY_UNSPEC: addresses are empty */
    tg_slice source;        /* 4 or 16 bytes in network order, or TG_PROXY_UNIX_PATH_BYTES; empty where unspec */
    tg_slice destination;
    uint16_t source_port; /* 0 for UNIX and unspec */
    uint16_t destination_port;
    tg_slice tlvs; /* all of them, each well-formed; empty for LOCAL */
} tg_proxy_header;

/* tg_proxy_header_read reads a header of version 2 from the beginning of a connection.
 * in    input: every byte since the connection began
 * out   *out_header, whose slices live as long as the input; *out_len: bytes of the header, behind which data begins
 * err   TG_ERR_AGAIN: more bytes are needed
 *       TG_ERR_SYNTAX: no such header (said by the first byte that differs), addresses or TLVs that do not fit in it,
 *       or a TLV twice that may stand once
 *       TG_ERR_UNSUPPORTED: another version, command or family, or datagrams
 *       TG_ERR_LIMIT: longer than TG_PROXY_HEADER_MAX_BYTES
 *       TG_ERR_AUTH: it carries a CRC32c that does not match
 */
TG_FOREIGN TG_MUST_USE tg_result tg_proxy_header_read(tg_slice input, tg_proxy_header *out_header, size_t *out_len);

/* tg_proxy_header_tlv finds the first TLV of a type; false where there is none. */
bool tg_proxy_header_tlv(const tg_proxy_header *header, uint8_t type, tg_slice *out_value);

/* tg_proxy_tlv_append appends a TLV, to be given to tg_proxy_header_append as part of tlvs.
 * err   TG_ERR_RANGE for a value over 65535 bytes, and as tg_buf_append
 */
TG_MUST_USE tg_result tg_proxy_tlv_append(tg_buf *buf, uint8_t type, tg_slice value);

/* tg_proxy_header_append writes a header with its TLVs and, when asked, a CRC32c behind them.
 * err   TG_ERR_RANGE: an address of another length than its family's, or longer than TG_PROXY_HEADER_MAX_BYTES in all;
 *       and as tg_buf_append
 */
TG_MUST_USE tg_result tg_proxy_header_append(tg_buf *buf, const tg_proxy_header *header, bool has_crc32c);

#endif
