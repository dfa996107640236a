/*
 * user_memory.h -- copies between the program's memory and the library's.
 *
 * The library accesses the program's memory only through these functions, in the thread that made the call and with no
 * lock held: a fault may take long, and the program's fault handler may call the library. Each page is probed with a
 * system call before the copy, so that missing memory yields EFAULT, as for a system call. If another thread unmaps the
 * memory between the probe and the copy, the calling thread gets SIGSEGV, as with memcpy.
 */
#ifndef FARNOVA_CLIENT_USER_MEMORY_H
#define FARNOVA_CLIENT_USER_MEMORY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* user_copy_in -- copy from the program's memory; -EFAULT if a part of it is not readable. */
int user_copy_in(void *to, const void *from, size_t length);

/* user_copy_out -- copy to the program's memory. Returns the bytes copied: fewer than `length` if the rest is not
 * writable. */
size_t user_copy_out(void *to, const void *from, size_t length);
/* user_zero -- the same with zeros. */
size_t user_zero(void *to, size_t length);

/* user_give -- copy a whole structure: 0 or -EFAULT. */
int user_give(void *to, const void *from, size_t length);

/* user_copy_string -- copy a string to `to`, terminated. Returns its length, -EFAULT, or -ENAMETOOLONG if it needs more
 * than `size` bytes; then `to` holds the part that fits. */
ssize_t user_copy_string(char *to, size_t size, const char *from);

/* user_at -- an address in the program's memory. C does not define adding to a null pointer, which a program may give. */
static inline void *user_at(const void *base, size_t offset)
{
	return (void *)((uintptr_t)base + offset);
}

#endif
