/* How a client is named in a list of those who may call. */
#ifndef TG_SETTINGS_CLIENT_NAME_H
#define TG_SETTINGS_CLIENT_NAME_H

#include "base/slice.h"

enum { TG_MAX_CLIENT_NAME_BYTES = 1024 };

/* tg_client_name_fault says what is wrong with a name that is not empty, as the end of a sentence that begins with it
 * (a tg_setting_check_fn); NULL where it can be a SAN's value as it stands in a certificate: nothing is expanded or
 * normalised.
 */
const char *tg_client_name_fault(tg_slice name);

#endif
