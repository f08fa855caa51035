/* OpenSSL's memory is wiped when it is given back: its decoders leave copies of private keys, and CMS of what it
 * decrypted, in blocks that they free as they are. */
#ifndef TG_CRYPTO_OPENSSL_HEAP_H
#define TG_CRYPTO_OPENSSL_HEAP_H

#include <stdbool.h>

/* The longest block that is wiped: keys, certificates and messages of KMS are shorter. TLS records (16 KiB) are longer;
 * wiping them cost 0.3 us a request, and OpenSSL takes plaintext out of them itself (SSL_OP_CLEANSE_PLAINTEXT). */
enum { TG_OPENSSL_WIPED_BYTES = 8192 };

/* tg_openssl_heap_wipe makes it so for the whole process; false where OpenSSL has allocated already, and then nothing
 * changes. tg_crypto_init calls it. thread: main, before any other starts
 */
bool tg_openssl_heap_wipe(void);

#endif
