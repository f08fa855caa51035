/* What is left of a computation on secrets below the caller's frame: compilers spill what finds no register. */
#ifndef TG_CRYPTO_STACK_H
#define TG_CRYPTO_STACK_H

/* More than what any function takes behind which it is called, with those that it calls. */
enum { TG_STACK_WIPE_BYTES = 1024 };

/* tg_stack_wipe zeroes TG_STACK_WIPE_BYTES of the stack below the caller: where the frames of functions stood that it
 * has called. These are no part of it (noinline), nor does it hold copies itself. */
void tg_stack_wipe(void);

#endif
