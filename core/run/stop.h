/* SIGINT, SIGTERM and SIGHUP: the first asks to stop after the present step, the second exits at
 * once. */
#ifndef RUN_STOP_H
#define RUN_STOP_H

/* From now on signals are noted. `child`: a process to which they are passed on as well, or 0. */
void stop_watch(void);
void stop_pass_to(int child);
/* In a child process: asks for SIGTERM when the parent dies. */
void stop_with_parent(void);
/* The signal that asked to stop, or 0. */
int stop_asked(void);

#endif
