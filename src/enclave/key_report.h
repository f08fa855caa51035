/* What is said of the data keys: a log line and a count for each reading of their secret, and the last one's age. */
#ifndef TG_ENCLAVE_KEY_REPORT_H
#define TG_ENCLAVE_KEY_REPORT_H

#include "keys/kms_source.h"

/* tg_key_report_open has the age of the last reading measured from now on; a second call does nothing. err:
 * TG_ERR_LIMIT, TG_ERR_MEMORY */
TG_MUST_USE tg_result tg_key_report_open(void);

/* tg_key_report logs and counts one reading: tg_kms_source_settings.told. owner: not looked at. One thread at a time */
void tg_key_report(const tg_key_event *event, void *owner);

#endif
