// room: keys
/* The content of a DEK file: anything but 32 bytes, or their base64, is refused. */
#include "keys/file_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    int fd = memfd_create("dek", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size) {
        abort();
    }
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    tg_key_ring *ring = NULL;
    tg_detail detail = {0};
    tg_result read = tg_key_file_read(path, &ring, &detail);
    if (tg_is_ok(read) != (ring != NULL) || (size == 32 && !tg_is_ok(read)) ||
        (tg_is_ok(read) && size != 32 && size < 44)) {
        abort();
    }
    tg_key_ring_unref(ring);
    close(fd);
    return 0;
}
