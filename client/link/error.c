/*
 * error.c -- the text of the calling thread's last error.
 *
 * It adds to errno which server was asked for what, and what the user can do.
 */
#include "client/link/error.h"

#include "client/link/cancel.h"

#include "client/include/farnova.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char last_error[1024];

const char *farnova_last_error(void)
{
	return last_error;
}

/* advice -- what to do about an error, if the advice does not depend on the operation. */
static const char *advice(int error)
{
	switch (error) {
	case ETIMEDOUT:
		return "check that farnovad runs there and can be reached; raise timeout_ms to wait longer";
	case ECONNRESET:
		return "the session was lost, and the server no longer knows whether it was done: look at the file";
	case ECHILD:
		return "a child of fork(2) cannot use the connections of its parent: let it make its own";
	case ECONNREFUSED:
		return "start farnovad there, or check the host and the port";
	case EADDRNOTAVAIL:
		return "check the host's name";
	case EHOSTUNREACH:
	case ENETUNREACH:
		return "check the address and the route to it";
	case EPROTO:
		return "check that a farnova server of a matching version listens at this address";
	case ESTALE:
		return "the file was removed or the pool replaced; open it again";
	case EACCES:
	case EPERM:
		return "check the mode, the owner, the ACL and the flags of the file and of the directories above it";
	case EDQUOT:
		return "the project's limit is reached: remove files, or have the superuser raise it (`farnova "
		       "quota`)";
	case EXDEV:
		return "the directory's project is another, so copy it and remove the original";
	case ENOSPC:
		return "remove files, or serve a larger pool";
	case ENAMETOOLONG:
		return "names have at most 255 bytes and paths at most 4095";
	case ENODATA:
		return "there is no such extended attribute, or not for you; list them to see";
	case E2BIG:
		return "a value has at most 64 KiB";
	case EIO:
		return "run farnova fsck on the pool";
	case ENOENT:
		return "check the path: a part of it is not there";
	case ENOTDIR:
		return "check the path: a part of it is no directory";
	case EISDIR:
		return "name a file in it instead";
	case EEXIST:
		return "take another name, or remove what has this one";
	case ENOTEMPTY:
		return "remove what is in it first";
	case ELOOP:
		return "check the symbolic links: they lead in a circle, or there are more than 40";
	case EROFS:
		return "the pool is served read-only; the server's log says why";
	case EFBIG:
		return "a file has at most 4 PiB";
	case EOPNOTSUPP:
		return "this kind of file cannot have it, or what was named is of no known kind";
	default:
		return NULL;
	}
}

/* say -- store the text, then the reason unless the text has it (`explained`), then the advice. */
static void say(int error, bool explained, const char *format, va_list args)
{
	/* The layers below report a cancelled call as ETIMEDOUT. */
	if (error == ETIMEDOUT && cancel_is_set())
		error = EINTR;
	int used = vsnprintf(last_error, sizeof(last_error), format, args);
	if (used > 0 && (size_t)used < sizeof(last_error)) {
		char words[128];
		const char *what = advice(error);
		snprintf(last_error + used, sizeof(last_error) - (size_t)used, "%s%s%s%s", explained ? "" : ": ",
		         explained ? "" : strerror_r(error, words, sizeof(words)), what ? "; " : "", what ? what : "");
	}
	errno = error;
}

int error_set(int error, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	say(error, false, format, args);
	va_end(args);
	return -1;
}

int error_explained(int error, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	say(error, true, format, args);
	va_end(args);
	return -1;
}
