/* The host's messages, from its own layers and from plugins ("tier.log/1"). */
#ifndef PLUGIN_LOG_H
#define PLUGIN_LOG_H

#include <tier/log.h>

/* Receives every message, one at a time (calls are serialized). */
typedef void (*log_sink)(void *context, int32_t level, const char *text);
/* NULL: the default, which writes warnings to stderr and drops the rest. */
void log_set_sink(log_sink sink, void *context);
void log_message(int32_t level, const char *format, ...) __attribute__((format(printf, 2, 3)));

extern const tier_log_1 log_interface; /* "tier.log/1" */

#endif
