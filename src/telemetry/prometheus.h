/* The metrics of the process as Prometheus reads them: text exposition format 0.0.4. */
#ifndef TG_TELEMETRY_PROMETHEUS_H
#define TG_TELEMETRY_PROMETHEUS_H

#include "base/buf.h"

#define TG_PROMETHEUS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* tg_prometheus_append runs the collectors and appends every family, in order of name.
 * err   TG_ERR_LIMIT past the buffer's maximum, TG_ERR_MEMORY; part of the text may then stand in buf
 */
TG_MUST_USE tg_result tg_prometheus_append(tg_buf *buf);

#endif
