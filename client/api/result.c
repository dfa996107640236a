/*
 * result.c -- how a public call reports a failure of the server or the connection.
 */
#include "client/api/result.h"

#include "client/link/user_memory.h"

#include <errno.h>
#include <stdio.h>

/* fail -- set the error of request `asked` to `fs`; if the call timed out because the connection is lost, add why. */
static int fail(struct farnova *fs, int error, const char *asked)
{
	char trouble[512] = "";
	if (error == -ETIMEDOUT)
		connection_trouble(&fs->link, trouble, sizeof(trouble));
	return error_set(-error, "%s on %s%s%s", asked, connection_name(&fs->link), *trouble ? ": " : "", trouble);
}

const char *error_text(char out[ERROR_TEXT], const char *text)
{
	/* If it is not readable, the error says so. */
	return user_copy_string(out, ERROR_TEXT, text) == -EFAULT ? "?" : out;
}

int error_path(struct farnova *fs, int error, const char *operation, const char *path)
{
	char asked[256], text[ERROR_TEXT];
	snprintf(asked, sizeof(asked), "%s \"%.200s\"", operation, error_text(text, path));
	return fail(fs, error, asked);
}

int error_handle(struct farnova *fs, int error, const char *operation, unsigned long long ino)
{
	char asked[256];
	snprintf(asked, sizeof(asked), "%s inode %llu", operation, ino);
	return fail(fs, error, asked);
}
