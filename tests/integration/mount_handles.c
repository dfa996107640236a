/*
 * mount_handles.c -- file handles of a mount (name_to_handle_at, open_by_handle_at), kept in a file between runs.
 *
 *   mount_handles take DIR FILE COUNT   -- the handles of DIR/0 .. DIR/COUNT-1 into FILE
 *   mount_handles check DIR FILE COUNT  -- each opens the file of that name, which contains its name, or fails with
 *                                          ESTALE if there is no such name any more
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HANDLE_MAX 128

struct handle {
	struct file_handle head;
	unsigned char bytes[HANDLE_MAX];
};

static _Noreturn void end(const char *what, const char *name)
{
	fprintf(stderr, "%s %s: %s\n", what, name, strerror(errno));
	exit(1);
}

static void take(const char *directory, FILE *file, int count)
{
	for (int i = 0; i < count; i++) {
		struct handle handle = {.head.handle_bytes = HANDLE_MAX};
		char path[4096];
		int mount_id;

		snprintf(path, sizeof(path), "%s/%d", directory, i);
		if (name_to_handle_at(AT_FDCWD, path, &handle.head, &mount_id, 0))
			end("no handle of", path);
		if (fwrite(&handle, sizeof(handle), 1, file) != 1)
			end("cannot write", path);
	}
}

/* Whether the file is the one of that name. */
static void compare(int fd, const char *directory, int number)
{
	char name[16], path[4096], got[16] = "";

	snprintf(name, sizeof(name), "%d", number);
	snprintf(path, sizeof(path), "%s/%d", directory, number);
	if (read(fd, got, sizeof(got) - 1) < 0)
		end("cannot read by the handle of", path);
	if (access(path, F_OK)) {
		fprintf(stderr, "the handle of %s, which is gone, opened a file that contains '%s'\n", path, got);
		exit(1);
	}
	if (strcmp(name, got)) {
		fprintf(stderr, "the handle of %s opened a file that contains '%s'\n", path, got);
		exit(1);
	}
}

static void check(const char *directory, FILE *file, int count)
{
	int root = open(directory, O_RDONLY | O_DIRECTORY);

	if (root < 0)
		end("cannot open", directory);
	for (int i = 0; i < count; i++) {
		struct handle handle;
		char path[4096];

		if (fread(&handle, sizeof(handle), 1, file) != 1)
			end("cannot read the handles of", directory);
		snprintf(path, sizeof(path), "%s/%d", directory, i);
		int fd = open_by_handle_at(root, &handle.head, O_RDONLY);
		if (fd < 0) {
			int error = errno;
			if (error != ESTALE || access(path, F_OK) == 0) {
				errno = error;
				end("cannot open by the handle of", path);
			}
			continue;
		}
		compare(fd, directory, i);
		close(fd);
	}
	close(root);
}

int main(int argc, char **argv)
{
	if (argc != 5)
		return 2;
	FILE *file = fopen(argv[3], strcmp(argv[1], "take") ? "r" : "w");
	if (!file)
		end("cannot open", argv[3]);
	if (strcmp(argv[1], "take"))
		check(argv[2], file, atoi(argv[4]));
	else
		take(argv[2], file, atoi(argv[4]));
	return fclose(file) ? 1 : 0;
}
