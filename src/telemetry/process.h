/* What the process itself uses: memory, descriptors, CPU time, and which build it is. */
#ifndef TG_TELEMETRY_PROCESS_H
#define TG_TELEMETRY_PROCESS_H

#include "base/result.h"

/* tg_process_metrics_start adds teegate_process_* and teegate_build_info{program,version}, read anew for every export.
 * err   TG_ERR_LIMIT where no further collector fits; thread: main, once
 */
TG_MUST_USE tg_result tg_process_metrics_start(const char *program);

#endif
