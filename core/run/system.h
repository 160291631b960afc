/* What this machine and this build are, for provenance and `tier doctor`. */
#ifndef RUN_SYSTEM_H
#define RUN_SYSTEM_H

#include "manifest/json.h"

char *system_cpu_model(void);      /* of /proc/cpuinfo, "unknown" if it says nothing; free() it */
int system_cpus(void);             /* that this process may use */
const char *system_version(void);  /* "0.1.0" */
const char *system_compiler(void); /* "gcc 12.2.0" */
/* The file of the running program; free() it; NULL if it cannot be told. */
char *system_program(void);
/* Its SHA-256 in hex, computed once; "" if it cannot be read. */
const char *system_program_hash(void);

/* The most resident memory of this process since the reset (or, where the system does not let it be
 * reset, since its start), in bytes; 0 if the system does not tell. */
void system_reset_peak(void);
int64_t system_peak(void);

#endif
