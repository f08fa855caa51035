/* The files of a delivered identity, for other programs of the enclave: replaced one by one, each at once. */
#ifndef TG_SECRETS_FILES_H
#define TG_SECRETS_FILES_H

#include "secrets/bundle.h"

/* tg_secrets_files_write writes and syncs the new files beside the old ones, under names of their own.
 * in    bundle: with a client identity
 * err   TG_ERR_SYSTEM, TG_ERR_LIMIT (the directory's name); what was written is removed again. The detail names the
 * file
 */
TG_MUST_USE tg_result tg_secrets_files_write(const char *directory, const tg_bundle *bundle, tg_detail *detail);

/* tg_secrets_files_move puts them in the place of client.crt, client.key and ecs-ca.crt, and syncs the directory.
 * err   TG_ERR_SYSTEM
 */
TG_MUST_USE tg_result tg_secrets_files_move(const char *directory, tg_detail *detail);

/* tg_secrets_files_drop removes what tg_secrets_files_write wrote. */
void tg_secrets_files_drop(const char *directory);

/* tg_secrets_files_prepare makes the directory (0755) and those above it, where they are missing. err: TG_ERR_SYSTEM */
TG_MUST_USE tg_result tg_secrets_files_prepare(const char *directory, tg_detail *detail);

#endif
