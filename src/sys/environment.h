/* Single variables of an environment (`NAME=value` strings, ended by NULL), for protocols that stand there. */
#ifndef TG_SYS_ENVIRONMENT_H
#define TG_SYS_ENVIRONMENT_H

#include "base/slice.h"

/* tg_environment_get gives the value of the first variable of that name, NUL-terminated; NULL where there is none, or
 * where `environment` is NULL.
 */
const char *tg_environment_get(const char *const *environment, const char *name);

#endif
