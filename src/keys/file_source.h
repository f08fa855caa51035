/* A data key from a file: for local mode and for the tool. In production keys come from KMS to an attested enclave. */
#ifndef TG_KEYS_FILE_SOURCE_H
#define TG_KEYS_FILE_SOURCE_H

#include "keys/ring.h"

/* tg_key_file_read makes a ring of one current key, id `file`, from a file of exactly 32 bytes, or of their padded
 * base64 (44 characters, a newline may follow).
 * err   TG_ERR_NOT_FOUND, TG_ERR_SYSTEM, TG_ERR_SYNTAX (another length or content), TG_ERR_UNSUPPORTED (no regular
 *       file), and what tg_secret_new says; out_detail names the file and the remedy, never its content
 * keep  the caller owns the ring
 */
TG_FOREIGN TG_MUST_USE tg_result tg_key_file_read(const char *path, tg_key_ring **out_ring, tg_detail *out_detail);

#endif
