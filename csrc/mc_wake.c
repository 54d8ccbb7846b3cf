#include "mc_wake.h"

#include <fcntl.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/eventfd.h>

int mc_wake_open(struct mc_wake *wake)
{
	wake->read_fd = wake->write_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return wake->read_fd < 0 ? MC_EIO : MC_OK;
}

#else

int mc_wake_open(struct mc_wake *wake)
{
	int fds[2];
	if (pipe(fds) < 0)
		return MC_EIO;
	for (int i = 0; i < 2; i++) {
		(void)fcntl(fds[i], F_SETFL, O_NONBLOCK);
		(void)fcntl(fds[i], F_SETFD, FD_CLOEXEC);
	}
	wake->read_fd = fds[0];
	wake->write_fd = fds[1];
	return MC_OK;
}

#endif

void mc_wake_close(struct mc_wake *wake)
{
	if (wake->write_fd != wake->read_fd)
		close(wake->write_fd);
	close(wake->read_fd);
}

void mc_wake_signal(const struct mc_wake *wake)
{
	uint64_t one = 1;
	ssize_t done = write(wake->write_fd, &one, sizeof(one));
	(void)done; /* full means that it is readable already */
}

void mc_wake_clear(const struct mc_wake *wake)
{
	uint64_t buf[16];
	while (read(wake->read_fd, buf, sizeof(buf)) == (ssize_t)sizeof(buf))
		;
}
