/* Whole files, bounded by the buffer that takes them. */
#ifndef TG_SYS_FILE_H
#define TG_SYS_FILE_H

#include "base/buf.h"

/* tg_file_read appends all bytes of the file (or pipe) at `path` to buf, up to the buffer's maximum.
 * err   TG_ERR_SYSTEM with errno (a directory: EISDIR), TG_ERR_LIMIT past the maximum, TG_ERR_MEMORY
 */
TG_MUST_USE tg_result tg_file_read(const char *path, tg_buf *buf);

/* tg_file_read_regular does so for a regular file alone: it never waits for a FIFO's writer or a device.
 * err   as above; TG_ERR_UNSUPPORTED: another kind of file, a directory too
 */
TG_MUST_USE tg_result tg_file_read_regular(const char *path, tg_buf *buf);

/* tg_file_read_fd reads `fd` to its end; it stays open and blocking reads are waited for. Errors as above.
 * on_read  NULL, or told of the bytes read so far after each read
 */
typedef void tg_file_progress_fn(size_t num_bytes, void *owner);
TG_MUST_USE tg_result tg_file_read_fd(int fd, tg_buf *buf, tg_file_progress_fn *on_read, void *owner);

/* tg_file_write_new makes a file that did not exist, with `mode` whatever the umask, writes all bytes and syncs them;
 * on failure the file is removed again.
 * err   TG_ERR_EXISTS, TG_ERR_SYSTEM
 */
TG_MUST_USE tg_result tg_file_write_new(const char *path, unsigned mode, tg_slice bytes);

/* tg_file_write_new_unsynced leaves it to the kernel when they reach the disk: for what need not outlive a machine that
 * loses power, since a sync may take as long as the disk likes. Else as tg_file_write_new. */
TG_MUST_USE tg_result tg_file_write_new_unsynced(const char *path, unsigned mode, tg_slice bytes);

/* tg_file_write_all writes every byte to `fd`, waiting where it must. err: TG_ERR_SYSTEM */
TG_MUST_USE tg_result tg_file_write_all(int fd, tg_slice bytes);

#endif
