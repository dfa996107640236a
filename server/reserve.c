/*
 * reserve.c -- holds a pool's UUID on this host with names in the abstract namespace of UNIX sockets.
 *
 * Two names: that of the UUID, and that of the UUID and the file, by which a server that finds the first one taken sees
 * whether it is its own file that is served. That is so only of read-only servers: the lock refuses any other second one.
 */
#include "server/reserve.h"

#include "common/uuid.h"
#include "server/nova/nova.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct reservation {
	int pool;
	int file;
};

struct name {
	struct sockaddr_un address;
	socklen_t length;
};

/* A name in the abstract namespace begins with a NUL and has a length. */
static struct name name_of(const char *text)
{
	struct name name = {.address.sun_family = AF_UNIX};
	size_t length = strnlen(text, sizeof(name.address.sun_path) - 1);

	memcpy(name.address.sun_path + 1, text, length);
	name.length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
	return name;
}

/* A descriptor, or -errno: -EADDRINUSE. It listens so that who finds it in use can ask who has it. */
static int take(const struct name *name)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (bind(fd, (const void *)&name->address, name->length) != 0 || listen(fd, SOMAXCONN) != 0)
		rc = -errno;
	if (!rc)
		return fd;
	close(fd);
	return rc;
}

static bool is_taken(const struct name *name)
{
	int fd = take(name);

	if (fd >= 0)
		close(fd);
	return fd == -EADDRINUSE;
}

/* The process that holds the name; false: it cannot be told. Each question stays in the holder's queue. */
static bool holder_of(const struct name *name, struct ucred *holder)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t length = sizeof(*holder);
	bool known;

	if (fd < 0)
		return false;
	known = connect(fd, (const void *)&name->address, name->length) == 0 &&
	        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, holder, &length) == 0 && holder->pid > 0;
	close(fd);
	return known;
}

static int refuse(const struct name *name, const char *uuid, char *why, size_t why_size)
{
	struct ucred holder;
	char who[64] = "";

	if (!why)
		return -EBUSY;
	if (holder_of(name, &holder))
		snprintf(who, sizeof(who), " (process %ld of uid %lu)", (long)holder.pid, (unsigned long)holder.uid);
	snprintf(
	    why, why_size,
	    "this host already serves a pool with the same UUID, %s%s: one is a copy of the other; stop that server, "
	    "or make the copy a pool of its own with `farnova new-uuid`",
	    uuid, who);
	return -EBUSY;
}

int reserve_pool(const struct pm *pm, struct reservation **out, char *why, size_t why_size)
{
	char uuid[UUID_TEXT], text[sizeof(((struct sockaddr_un *)0)->sun_path)];
	uint8_t bytes[UUID_BYTES];
	struct name pool, file;
	struct stat st;

	*out = NULL;
	if (pm->fd < 0 || nova_pool_uuid(pm, bytes) != 0 || fstat(pm->fd, &st) != 0)
		return 0;
	uuid_text(bytes, uuid);
	snprintf(text, sizeof(text), "farnova/%s", uuid);
	pool = name_of(text);
	/* A device may have several nodes. */
	snprintf(text, sizeof(text), "farnova/%s/%llx/%llx", uuid,
	         S_ISCHR(st.st_mode) ? 0ULL : (unsigned long long)st.st_dev,
	         S_ISCHR(st.st_mode) ? (unsigned long long)st.st_rdev : (unsigned long long)st.st_ino);
	file = name_of(text);

	int fd = take(&pool);
	if (fd == -EADDRINUSE)
		return pm->read_only && is_taken(&file) ? 0 : refuse(&pool, uuid, why, why_size);
	if (fd >= 0)
		*out = malloc(sizeof(**out));
	if (!*out) {
		if (why)
			snprintf(why, why_size, "cannot reserve the UUID of the pool: %s",
			         strerror(fd < 0 ? -fd : ENOMEM));
		if (fd >= 0)
			close(fd);
		return fd < 0 ? fd : -ENOMEM;
	}
	/* Without the second name a server that only reads the same file is refused. */
	**out = (struct reservation){.pool = fd, .file = take(&file)};
	return 0;
}

void reserve_end(struct reservation *reservation)
{
	if (!reservation)
		return;
	if (reservation->file >= 0)
		close(reservation->file);
	close(reservation->pool);
	free(reservation);
}
