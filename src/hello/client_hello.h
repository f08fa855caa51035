/* The first flight of a TLS client, read without terminating TLS: the name that it asks for and what the routers log.
 * It arrives over any number of TCP segments and TLS records; every byte of it is forwarded as it came. */
#ifndef TG_HELLO_CLIENT_HELLO_H
#define TG_HELLO_CLIENT_HELLO_H

#include "base/result.h"
#include "base/slice.h"

enum {
    TG_MAX_CLIENT_HELLO_BYTES = 65536, /* all records with their headers, up to the last byte of the ClientHello */
    TG_MAX_SNI_BYTES = 255
};

typedef enum tg_sni_kind {
    TG_SNI_NONE, /* no server_name extension, or none with a host_name */
    TG_SNI_HOST, /* letters, digits, hyphen and underscore in labels of 1 to 63, at most 253 bytes */
    TG_SNI_ODD   /* anything else: IP literal, trailing dot, blank, empty label, too long; it matches no domain */
} tg_sni_kind;

typedef struct tg_client_hello {
    size_t flight_len;  /* raw bytes from the first record's header to the end of the ClientHello */
    size_t hello_len;   /* the handshake message with its header of 4 bytes */
    size_t num_records; /* how many records carried it */
    tg_sni_kind sni_kind;
    uint8_t sni_len;
    uint8_t sni[TG_MAX_SNI_BYTES]; /* as sent, in its own case; cut where kind is TG_SNI_ODD and it is longer */
    bool has_alpn;
    bool has_ech; /* encrypted_client_hello stands in it, real or as grease */
} tg_client_hello;

static inline tg_slice tg_client_hello_sni(const tg_client_hello *hello)
{
    return tg_slice_of(hello->sni, hello->sni_len);
}

/* Where the reader stands, so that a flight that comes byte by byte is walked once. All zeros at the start. */
typedef struct tg_client_hello_reader {
    size_t next_record; /* raw offset of the next record's header */
    size_t have_len;    /* handshake bytes in the records before it */
    size_t need_len;    /* the message with its header; 0 before its length is known */
    size_t num_records;
    uint8_t header[4]; /* the message's header, which may be spread over records */
} tg_client_hello_reader;

/* tg_client_hello_read reads a ClientHello (RFC 8446 §4.1.2, §5.1; RFC 6066 §3) from the beginning of a connection.
 * in    flight: every byte since the connection began; each call passes the earlier bytes and more behind them
 * out   *out_hello, once the message is whole
 * err   TG_ERR_AGAIN: more bytes are needed
 *       TG_ERR_UNSUPPORTED: this is not TLS (said by the first bytes alone)
 *       TG_ERR_SYNTAX: TLS, but no well-formed ClientHello, or other bytes follow it inside its record
 *       TG_ERR_LIMIT: it ends past TG_MAX_CLIENT_HELLO_BYTES, or says that it will
 *       TG_ERR_MEMORY
 */
TG_FOREIGN TG_MUST_USE tg_result tg_client_hello_read(tg_client_hello_reader *reader, tg_slice flight,
                                                      tg_client_hello *out_hello);

/* tg_sni_kind_of classifies a name as host names of configured domains are checked too. */
tg_sni_kind tg_sni_kind_of(tg_slice name);

/* tg_alert_unrecognized_name is the record to answer with before closing (RFC 6066 §3: fatal, 112). */
tg_slice tg_alert_unrecognized_name(void);

#endif
