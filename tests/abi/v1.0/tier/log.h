/* tier/log.h: interface "tier.log/1": messages to the user; they go to the run's log.txt, and
 * warnings to stderr too. Any thread. */
#ifndef TIER_LOG_H
#define TIER_LOG_H

#include <tier/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TIER_LOG_DEBUG 1
#define TIER_LOG_INFO 2
#define TIER_LOG_WARNING 3

typedef struct tier_log_1 {
  uint32_t struct_size;
  uint32_t reserved;
  void (*message)(int32_t level, const char *text); /* one line, no newline at its end */
} tier_log_1;

#ifdef __cplusplus
}
#endif
#endif
