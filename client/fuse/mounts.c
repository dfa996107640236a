/*
 * mounts.c -- what is mounted where, and a sign of life of the process that serves a farnova mount.
 */
#include "client/fuse/mounts.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* mountinfo writes space, tab, newline and backslash as octal. */
static void unescape(char *text)
{
	char *out = text;

	for (; *text; text++) {
		if (text[0] == '\\' && text[1] && text[2] && text[3]) {
			*out++ = (char)((text[1] - '0') * 64 + (text[2] - '0') * 8 + (text[3] - '0'));
			text += 3;
		} else {
			*out++ = *text;
		}
	}
	*out = 0;
}

enum mount_kind mounts_find(const char *path, char device[MOUNT_DEVICE_SIZE])
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	enum mount_kind found = MOUNT_NONE;
	char *line = NULL;
	size_t size = 0;

	if (!file)
		return MOUNT_NONE;
	/* Fields: id, parent, major:minor, root, mount point, ..., "-", type, ... The last of several lies on top. */
	while (getline(&line, &size, file) > 0) {
		char *rest = NULL, *fields[5] = {strtok_r(line, " ", &rest)};
		for (int i = 1; fields[i - 1] && i < 5; i++)
			fields[i] = strtok_r(NULL, " ", &rest);
		if (!fields[4])
			continue;
		unescape(fields[4]);
		if (strcmp(fields[4], path))
			continue;
		const char *type = strstr(rest, "- ");
		found = type && !strncmp(type + 2, "fuse.farnova ", 13) ? MOUNT_FARNOVA : MOUNT_OTHER;
		snprintf(device, MOUNT_DEVICE_SIZE, "%s", fields[2]);
	}
	free(line);
	fclose(file);
	return found;
}

/* An abstract name: it ends with the process, and no file is left. */
static socklen_t address_of(const char *device, struct sockaddr_un *address)
{
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	int length = snprintf(address->sun_path + 1, sizeof(address->sun_path) - 1, "farnova-mount-%s", device);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
}

static int open_socket(const char *device, int (*attach)(int fd, const struct sockaddr *address, socklen_t length))
{
	struct sockaddr_un address;
	socklen_t length = address_of(device, &address);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (attach(fd, (const struct sockaddr *)&address, length)) {
		int error = -errno;
		close(fd);
		return error;
	}
	return fd;
}

static int bind_and_listen(int fd, const struct sockaddr *address, socklen_t length)
{
	return bind(fd, address, length) || listen(fd, 8) ? -1 : 0;
}

int mounts_announce(const char *device)
{
	return open_socket(device, bind_and_listen);
}

int mounts_watch(const char *device)
{
	return open_socket(device, connect);
}
