/*
 * user_memory.h -- the program's memory, from which the library copies and to which it copies.
 *
 * All of the program's memory is touched through these functions, by the thread that made the call and with no lock
 * held: a fault may take long, and a handler of the program that serves it may call the library. Memory that is not
 * there is found out by asking the kernel about each page beforehand, so that it is EFAULT, as with a system call.
 * Memory that another thread unmaps in the very moment of the copy is a SIGSEGV of the calling thread, as with memcpy.
 */
#ifndef FARNOVA_CLIENT_USER_MEMORY_H
#define FARNOVA_CLIENT_USER_MEMORY_H

#include <stddef.h>
#include <sys/types.h>

/* user_copy_in -- from the program's memory; -EFAULT if a part of it cannot be read. */
int user_copy_in(void *to, const void *from, size_t length);

/* user_copy_out -- to the program's memory. Returns how many bytes: fewer than `length` where it cannot be written. */
size_t user_copy_out(void *to, const void *from, size_t length);
/* user_zero -- the same with zeros. */
size_t user_zero(void *to, size_t length);

/* user_give -- a structure as a whole: 0, or -EFAULT. */
int user_give(void *to, const void *from, size_t length);

/* user_copy_string -- into `to`, terminated; its length, -EFAULT, or -ENAMETOOLONG if it needs more than `size` bytes.
 * `to` then has what there is room for. */
ssize_t user_copy_string(char *to, size_t size, const char *from);

#endif
