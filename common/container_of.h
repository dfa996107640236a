/* container_of.h -- from a member of a structure to the structure. */
#ifndef FARNOVA_COMMON_CONTAINER_OF_H
#define FARNOVA_COMMON_CONTAINER_OF_H

#include <stddef.h>

/* container_of -- the structure of `type` whose `member` is at `pointer`. */
#ifndef container_of /* tests/lint/cppcheck has one of its own */
#define container_of(pointer, type, member)                                                                            \
	({                                                                                                             \
		__typeof__(((type *)0)->member) *container_of_member = (pointer);                                      \
		(type *)(void *)((char *)container_of_member - offsetof(type, member));                                \
	})
#endif

#endif
