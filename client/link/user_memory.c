/*
 * user_memory.c -- copies between the program's memory and the library's.
 *
 * A page is probed with a system call that accesses it and then does nothing, or fails for another reason. To probe for
 * reading: rt_sigprocmask with an invalid `how`, which reads the set first. To probe for writing: getcpu, which writes
 * four bytes that the copy overwrites anyway. A probe costs some 100 ns a page; process_vm_readv and the like cost 800
 * ns a call, and copy more slowly than memcpy.
 */
#include "client/link/user_memory.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE      4096u /* the smallest page size */
#define SIGSET    8u    /* size of the kernel's signal set */
#define CPU_BYTES 4u    /* bytes that getcpu writes */

/* can_read -- whether the page of `address` is readable; changes errno. */
static bool can_read(const void *address)
{
	uintptr_t aligned = (uintptr_t)address & ~(uintptr_t)(SIGSET - 1);

	if (aligned == 0)
		aligned = SIGSET; /* in the same page; the system call takes NULL for no set */
	return syscall(SYS_rt_sigprocmask, -1, aligned, NULL, SIGSET) == 0 || errno != EFAULT;
}

/* can_write -- whether the page of `address` is writable; overwrites CPU_BYTES in that page and changes errno. */
static bool can_write(void *address)
{
	if (!address)
		return false; /* the system call takes it for no wish */
	return syscall(SYS_getcpu, address, NULL, NULL) == 0 || errno != EFAULT;
}

/* in_page -- how many of `length` bytes from `address` on lie in its page. */
static size_t in_page(const void *address, size_t length)
{
	size_t left = PAGE - ((uintptr_t)address & (PAGE - 1));

	return length < left ? length : left;
}

int user_copy_in(void *to, const void *from, size_t length)
{
	int before = errno, error = 0;

	for (size_t done = 0, part; done < length && error == 0; done += part) {
		const uint8_t *at = user_at(from, done);
		part = in_page(at, length - done);
		if (can_read(at))
			memcpy((uint8_t *)to + done, at, part);
		else
			error = -EFAULT;
	}
	errno = before;
	return error;
}

/* store_few -- store fewer bytes than the probe would overwrite: the kernel probes and copies. */
static bool store_few(void *to, const void *from, size_t length)
{
	struct iovec local = {.iov_base = (void *)from, .iov_len = length};
	struct iovec remote = {.iov_base = to, .iov_len = length};
	ssize_t count = process_vm_writev(getpid(), &local, 1, &remote, 1, 0);

	if (count < 0 && errno != EFAULT) {
		memcpy(to, from, length); /* the system call is forbidden here */
		return true;
	}
	return count == (ssize_t)length;
}

/* store -- store `length` bytes within one page, zeros if `from` is NULL; false if it is not writable. */
static bool store(void *to, const void *from, size_t length)
{
	static const uint8_t zeros[CPU_BYTES];

	if (length < CPU_BYTES)
		return store_few(to, from ? from : zeros, length);
	if (!can_write(to))
		return false;
	if (from)
		memcpy(to, from, length);
	else
		memset(to, 0, length);
	return true;
}

static size_t store_all(void *to, const void *from, size_t length)
{
	int before = errno;
	size_t done = 0;

	while (done < length) {
		uint8_t *at = user_at(to, done);
		size_t part = in_page(at, length - done);
		if (!store(at, from ? (const uint8_t *)from + done : NULL, part))
			break;
		done += part;
	}
	errno = before;
	return done;
}

size_t user_copy_out(void *to, const void *from, size_t length)
{
	return store_all(to, from, length);
}

size_t user_zero(void *to, size_t length)
{
	return store_all(to, NULL, length);
}

int user_give(void *to, const void *from, size_t length)
{
	return store_all(to, from, length) == length ? 0 : -EFAULT;
}

ssize_t user_copy_string(char *to, size_t size, const char *from)
{
	int before = errno;
	ssize_t result = -ENAMETOOLONG;
	size_t done = 0;

	to[0] = '\0';
	while (done < size && result == -ENAMETOOLONG) {
		const char *at = user_at(from, done);
		size_t part = in_page(at, size - done);
		if (!can_read(at)) {
			result = -EFAULT;
			break;
		}
		size_t length = strnlen(at, part);
		memcpy(to + done, at, length);
		done += length;
		if (length < part)
			result = (ssize_t)done;
	}
	to[done < size ? done : size - 1] = '\0';
	errno = before;
	return result;
}
