/*
 * user_memory.c -- the program's memory, from which the library copies and to which it copies.
 *
 * To ask about a page is a system call that cannot do anything but fail for another reason if the page is all right: for
 * reading, rt_sigprocmask with a `how` that there is not, which first reads the set; for writing, getcpu, which writes
 * four bytes that are to be overwritten anyway. That costs some 100 ns a page, where process_vm_readv and its kin cost
 * 800 ns a call and more for the copy than memcpy.
 */
#include "client/link/user_memory.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE      4096u /* the smallest there is */
#define SIGSET    8u    /* bytes that the kernel takes for a set of signals */
#define CPU_BYTES 4u    /* that getcpu writes */

/* can_read -- the page of `address`; errno is lost. */
static bool can_read(const void *address)
{
	uintptr_t aligned = (uintptr_t)address & ~(uintptr_t)(SIGSET - 1);

	return syscall(SYS_rt_sigprocmask, -1, aligned, NULL, SIGSET) == 0 || errno != EFAULT;
}

/* can_write -- the page of `address`, where CPU_BYTES in the same page are garbage afterwards; errno is lost. */
static bool can_write(void *address)
{
	return syscall(SYS_getcpu, address, NULL, NULL) == 0 || errno != EFAULT;
}

/* in_page -- how many of the bytes from `address` on lie in its page. */
static size_t in_page(const void *address, size_t length)
{
	size_t left = PAGE - ((uintptr_t)address & (PAGE - 1));

	return length < left ? length : left;
}

int user_copy_in(void *to, const void *from, size_t length)
{
	int before = errno, error = 0;

	for (size_t done = 0, part; done < length && error == 0; done += part) {
		const uint8_t *at = (const uint8_t *)from + done;
		part = in_page(at, length - done);
		if (can_read(at))
			memcpy((uint8_t *)to + done, at, part);
		else
			error = -EFAULT;
	}
	errno = before;
	return error;
}

/* store_few -- so few bytes that no more may be overwritten to find out; the kernel does both. */
static bool store_few(void *to, const void *from, size_t length)
{
	struct iovec local = {.iov_base = (void *)from, .iov_len = length};
	struct iovec remote = {.iov_base = to, .iov_len = length};
	ssize_t count = process_vm_writev(getpid(), &local, 1, &remote, 1, 0);

	if (count < 0 && errno != EFAULT) {
		memcpy(to, from, length); /* it is forbidden here */
		return true;
	}
	return count == (ssize_t)length;
}

/* store -- `length` bytes within one page, zeros if `from` is NULL; false: it cannot be written. */
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
		uint8_t *at = (uint8_t *)to + done;
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
		size_t part = in_page(from + done, size - done);
		if (!can_read(from + done)) {
			result = -EFAULT;
			break;
		}
		size_t length = strnlen(from + done, part);
		memcpy(to + done, from + done, length);
		done += length;
		if (length < part)
			result = (ssize_t)done;
	}
	to[done < size ? done : size - 1] = '\0';
	errno = before;
	return result;
}
