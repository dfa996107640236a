/*
 * mounts.c -- finds mounts, and tells when the process that serves a farnova mount has ended.
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

/* mountinfo has space, tab, newline and backslash in octal. */
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

int mounts_resolve(const char *directory, char path[PATH_MAX])
{
	char parent[PATH_MAX], resolved[PATH_MAX];
	size_t length = strlen(directory);

	while (length > 1 && directory[length - 1] == '/')
		length--;
	if (length >= sizeof(parent))
		return -ENAMETOOLONG;
	memcpy(parent, directory, length);
	parent[length] = 0;
	char *slash = strrchr(parent, '/');
	char *name = slash ? slash + 1 : parent;
	if (!strcmp(name, ".") || !strcmp(name, "..") || !*name)
		return realpath(directory, path) ? 0 : -errno;
	if (slash)
		*slash = 0;
	if (!realpath(!slash ? "." : slash == parent ? "/" : parent, resolved))
		return -errno;
	int used = snprintf(path, PATH_MAX, "%s/%s", strcmp(resolved, "/") ? resolved : "", name);
	return used < PATH_MAX ? 0 : -ENAMETOOLONG;
}

struct line {
	enum mount_kind kind;
	char device[MOUNT_DEVICE_SIZE], options[MOUNT_OPTIONS_SIZE];
};

/* Fields: id, parent, major:minor, root, mount point, options, ..., "-", type, source, options of the file system. */
static void read_line(char *line, const char *path, struct line *found)
{
	char *rest = NULL, *fields[6] = {strtok_r(line, " ", &rest)};

	for (int i = 1; fields[i - 1] && i < 6; i++)
		fields[i] = strtok_r(NULL, " ", &rest);
	if (!fields[5])
		return;
	unescape(fields[4]);
	if (strcmp(fields[4], path))
		return;
	const char *type = strstr(rest, "- ");
	found->kind = type && !strncmp(type + 2, "fuse.farnova ", 13) ? MOUNT_FARNOVA : MOUNT_OTHER;
	snprintf(found->device, sizeof(found->device), "%s", fields[2]);
	char *last = strrchr(rest, ' ');
	rest[strcspn(rest, "\n")] = 0;
	snprintf(found->options, sizeof(found->options), "%s,%s", fields[5], last ? last + 1 : "");
}

/* Find the topmost mount at `path`: the last one in the file. */
static void find_line(const char *path, struct line *found)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t size = 0;

	found->kind = MOUNT_NONE;
	while (file && getline(&line, &size, file) > 0)
		read_line(line, path, found);
	free(line);
	if (file)
		fclose(file);
}

enum mount_kind mounts_find(const char *path, char device[MOUNT_DEVICE_SIZE])
{
	struct line line;

	find_line(path, &line);
	if (line.kind != MOUNT_NONE)
		memcpy(device, line.device, MOUNT_DEVICE_SIZE);
	return line.kind;
}

enum mount_kind mounts_options(const char *path, char options[MOUNT_OPTIONS_SIZE])
{
	struct line line;

	find_line(path, &line);
	if (line.kind != MOUNT_NONE)
		memcpy(options, line.options, MOUNT_OPTIONS_SIZE);
	return line.kind;
}

/* An abstract socket name: it disappears with the process and leaves no file. */
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
