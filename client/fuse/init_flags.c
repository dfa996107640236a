/*
 * init_flags.c -- negotiates features with the kernel that this version of libfuse does not know.
 */
#include "client/fuse/init_flags.h"

#include "client/fuse/mount_state.h"

#include <errno.h>
#include <linux/fuse.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* The kernel's FUSE_DIRECT_IO_ALLOW_MMAP, bit 36 of the flags. */
#define FLAGS2_DIRECT_IO_ALLOW_MMAP (1u << (36 - 32))

/* INIT is the first request, and no other request is in progress until it is answered. */
static struct {
	bool answered, offered;
	uint64_t unique; /* of the INIT request, 0 before it has arrived */
} init;

static void look_at_request(const void *message, size_t length)
{
	struct fuse_in_header header;
	struct fuse_init_in in;

	if (length < sizeof(header) + offsetof(struct fuse_init_in, unused))
		return;
	memcpy(&header, message, sizeof(header));
	if (header.opcode != FUSE_INIT)
		return;
	memcpy(&in, (const char *)message + sizeof(header), offsetof(struct fuse_init_in, unused));
	init.unique = header.unique;
	init.offered = in.flags & FUSE_INIT_EXT && in.flags2 & FLAGS2_DIRECT_IO_ALLOW_MMAP;
}

static ssize_t take_request(int fd, void *buffer, size_t size, void *userdata)
{
	ssize_t length = read(fd, buffer, size);

	if (length > 0 && !init.answered && !init.unique)
		look_at_request(buffer, (size_t)length);
	return length;
}

/* libfuse sends header and body as separate parts. */
static void amend(struct iovec *parts, int count)
{
	struct fuse_out_header header;
	struct fuse_init_out *out;

	if (count != 2 || parts[0].iov_len != sizeof(header) || parts[1].iov_len < sizeof(*out))
		return;
	memcpy(&header, parts[0].iov_base, sizeof(header));
	if (header.unique != init.unique || header.error)
		return;
	init.answered = true;
	if (!init.offered)
		return;
	out = parts[1].iov_base;
	out->flags |= FUSE_INIT_EXT;
	out->flags2 |= FLAGS2_DIRECT_IO_ALLOW_MMAP;
}

static ssize_t send_reply(int fd, struct iovec *parts, int count, void *userdata)
{
	if (!init.answered && init.unique)
		amend(parts, count);
	return writev(fd, parts, count);
}

int init_flags_map_shared(struct fuse_session *session)
{
	static const struct fuse_custom_io io = {.read = take_request, .writev = send_reply};

	return fuse_session_custom_io(session, &io, fuse_session_fd(session));
}

bool init_flags_offered(void)
{
	return init.offered;
}
