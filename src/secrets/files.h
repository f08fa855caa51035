/* The files of a delivered identity, for other programs of the enclave. Each takes its place at once (rename(2)), and
 * all of them or none: the old ones stand beside them until the new set is in force, so that whatever fails in between
 * is undone, by this process or, where it was killed, by the next one's tg_secrets_files_prepare.
 *
 * Nothing is synced. After a start no secret is in force before it is delivered again, so the files need not outlive a
 * machine that loses power, and a delivery need not wait for a disk; in a Nitro enclave there is none. */
#ifndef TG_SECRETS_FILES_H
#define TG_SECRETS_FILES_H

#include "secrets/bundle.h"

enum { TG_NUM_SECRET_FILES = 3 };

/* One replacement that is under way: what can be undone. */
typedef struct tg_secrets_files {
    const char *directory; /* the caller's, as long */
    bool has_old[TG_NUM_SECRET_FILES];
    size_t num_moved;
} tg_secrets_files;

/* tg_secrets_files_replace writes client.crt, client.key and ecs-ca.crt beside the old ones and moves each to its
 * place.
 * in    bundle: with a client identity
 * out   files: to be given to tg_secrets_files_keep or tg_secrets_files_undo; not after a failure
 * err   TG_ERR_SYSTEM; TG_ERR_LIMIT: the directory's name; TG_ERR_UNSUPPORTED: a name is taken by what is no
 *       file. All is as it was then. The detail names the file
 */
TG_MUST_USE tg_result tg_secrets_files_replace(tg_secrets_files *files, const char *directory, const tg_bundle *bundle,
                                               tg_detail *detail);

/* tg_secrets_files_keep forgets the old ones. */
void tg_secrets_files_keep(const tg_secrets_files *files);

/* tg_secrets_files_undo puts the old ones back, or takes the new ones away where there were none. */
void tg_secrets_files_undo(const tg_secrets_files *files);

/* tg_secrets_files_prepare makes the directory (0755) and those above it, where they are missing, and undoes the
 * replacement that another process was killed in.
 * err   TG_ERR_SYSTEM, TG_ERR_LIMIT: its name
 */
TG_MUST_USE tg_result tg_secrets_files_prepare(const char *directory, tg_detail *detail);

#endif
