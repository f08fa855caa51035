#include "crypto/stack.h"

#include "base/buf.h"

#include <stdint.h>

__attribute__((noinline)) void tg_stack_wipe(void)
{
    TG_UNINITIALIZED uint8_t dead[TG_STACK_WIPE_BYTES];
    tg_wipe(dead, sizeof dead);
}
