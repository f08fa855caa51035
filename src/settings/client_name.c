#include "settings/client_name.h"

const char *tg_client_name_fault(tg_slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] <= 0x20 || name.ptr[i] >= 0x7f) {
            return "cannot be a certificate's name: it holds blanks or bytes outside ASCII";
        }
        if (name.ptr[i] == '*') {
            return "is a pattern; each name is matched exactly";
        }
    }
    return name.len > TG_MAX_CLIENT_NAME_BYTES ? "is longer than 1024 bytes" : NULL;
}
