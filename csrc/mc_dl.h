/* mc_dl: functions of a library that is found at run time. */
#ifndef MC_DL_H
#define MC_DL_H

#include <dlfcn.h>
#include <string.h>

#include "mc_types.h"

/** slot [size]: gets the function's address. ISO C has no cast from dlsym's object pointer to a
 *  function pointer; POSIX wants the copy. return 0 | MC_ENOTSUP (slot unchanged) */
static inline int mc_dl_bind(void *handle, const char *name, void *slot, size_t size)
{
	void *symbol = dlsym(handle, name);
	if (!symbol)
		return MC_ENOTSUP;
	memcpy(slot, &symbol, size);
	return MC_OK;
}

#endif
