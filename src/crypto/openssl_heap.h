/* OpenSSL's memory is wiped when it is given back: its decoders leave copies of private keys, and CMS of what it
 * decrypted, in blocks that they free as they are. And private keys have memory of their own. */
#ifndef TG_CRYPTO_OPENSSL_HEAP_H
#define TG_CRYPTO_OPENSSL_HEAP_H

#include "base/result.h"

#include <stddef.h>

/* The longest block that is wiped: keys, certificates and messages of KMS are shorter. TLS records (16 KiB) are longer;
 * wiping them cost 0.3 us a request, and OpenSSL takes plaintext out of them itself (SSL_OP_CLEANSE_PLAINTEXT). */
enum { TG_OPENSSL_WIPED_BYTES = 8192 };

/* tg_openssl_heap_wipe makes it so for the whole process; false where OpenSSL has allocated already, and then nothing
 * changes. tg_crypto_init calls it. thread: main, before any other starts
 */
bool tg_openssl_heap_wipe(void);

/* tg_openssl_heap_lock has OpenSSL keep private numbers (of EC, Ed25519 and RSA keys, and of key exchanges) in memory
 * of their own: between guard pages, locked, left out of core dumps, wiped. It never grows: past it keys cannot be
 * made. in    num_connections: TLS connections at one time; each keeps its key exchange's number, up to 64 bytes err
 * TG_ERR_SYSTEM: it is there but could not be locked (RLIMIT_MEMLOCK); TG_ERR_MEMORY: there is none, and all stays as
 * it was; TG_ERR_RANGE: more than 16 million connections thread  once, from main, before OpenSSL reads or makes a key;
 * a second call does nothing
 */
TG_MUST_USE tg_result tg_openssl_heap_lock(size_t num_connections);

#endif
