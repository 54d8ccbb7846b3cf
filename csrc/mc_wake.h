/* mc_wake: a file descriptor that the media thread makes readable and the control thread clears. */
#ifndef MC_WAKE_H
#define MC_WAKE_H

#include "mc_types.h"

struct mc_wake {
	int read_fd, write_fd; /* the same eventfd on Linux, a pipe elsewhere */
};

int mc_wake_open(struct mc_wake *wake) MC_WUR;
void mc_wake_close(struct mc_wake *wake);
/** Make it readable. One system call that never blocks. */
void mc_wake_signal(const struct mc_wake *wake);
/** Make it unreadable again. */
void mc_wake_clear(const struct mc_wake *wake);

#endif
