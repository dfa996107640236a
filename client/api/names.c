/*
 * names.c -- operations on names, used by the calls by path and the calls by handle.
 */
#include "client/api/names.h"

#include "client/api/attr.h"
#include "client/link/user_memory.h"
#include "client/session/opening.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

int names_path(const char *path, struct path *out)
{
	ssize_t length = user_copy_string(out->text, sizeof(out->text), path);
	out->string = (struct proto_string){.data = out->text};
	if (length <= 0)
		return length < 0 ? (int)length : -ENOENT;
	out->string.length = (uint32_t)length;
	return 0;
}

int names_name(const char *name, struct path *out)
{
	int error = names_path(name, out);
	return error == 0 && memchr(out->text, '/', out->string.length) ? -EINVAL : error;
}

static int receive_lookup(struct farnova *fs, struct call *call, const struct proto_reply *reply)
{
	struct proto_attr *attr = call->result;

	if (!attr)
		return 0;
	if (!reply->lookup.found)
		return -ENOENT;
	*attr = reply->lookup.attr;
	return 0;
}

struct call *names_lookup_call(struct farnova *fs, struct proto_handle dir, struct proto_string path, uint32_t flags,
                               struct proto_attr *attr)
{
	struct call *call = call_new(fs, PROTO_LOOKUP);

	if (!call)
		return NULL;
	call->receive = receive_lookup;
	call->result = attr;
	call->request.lookup.dir = dir;
	call->request.lookup.flags = flags;
	call->request.lookup.path = path;
	return call;
}

int names_lookup(struct farnova *fs, struct proto_handle dir, struct proto_string path, uint32_t flags,
                 struct proto_attr *attr)
{
	return call_run(fs, names_lookup_call(fs, dir, path, flags, attr));
}

#define ATTEMPTS 10

/* pin -- find a file by an open without rights. */
static int pin(struct farnova *fs, struct proto_string path, uint32_t flags, struct names_way *way,
               struct proto_attr *attr)
{
	struct proto_request request;

	request.op = PROTO_OPEN;
	request.open.dir = fs->root;
	request.open.mode = 0;
	request.open.umask = 0;
	request.open.path = path;
	return file_open(fs, &request, PROTO_OPEN_PATH | (flags & PROTO_LOOKUP_NOFOLLOW ? PROTO_OPEN_NOFOLLOW : 0),
	                 attr, &way->pin);
}

int names_find(struct farnova *fs, const char *path, uint32_t flags, struct names_way *way, struct proto_attr *attr)
{
	struct path copy;
	int error = names_path(path, &copy);

	if (error)
		return error;
	return way->tries > 0 ? pin(fs, copy.string, flags, way, attr)
	                      : names_lookup(fs, fs->root, copy.string, flags, attr);
}

bool names_again(struct farnova *fs, ssize_t result, struct names_way *way)
{
	if (way->pin)
		file_close(way->pin);
	way->pin = NULL;
	return result == -ESTALE && ++way->tries < ATTEMPTS;
}

static int receive_lookup_in(struct farnova *fs, struct call *call, const struct proto_reply *reply)
{
	struct names_found *found = call->result;

	if (!found)
		return 0;
	found->has_directory = reply->lookup.has_directory;
	if (found->has_directory)
		found->directory = reply->lookup.directory;
	if (!reply->lookup.found)
		return -ENOENT;
	found->attr = reply->lookup.attr;
	return 0;
}

int names_lookup_in(struct farnova *fs, struct proto_handle dir, struct proto_string name, struct names_found *found)
{

	found->has_directory = false;
	struct call *call = call_new(fs, PROTO_LOOKUP);

	if (!call)
		return -ENOMEM;
	call->receive = receive_lookup_in;
	call->result = found;
	call->request.lookup.dir = dir;
	call->request.lookup.flags = PROTO_LOOKUP_NOFOLLOW | PROTO_LOOKUP_DIRECTORY;
	call->request.lookup.path = name;
	return call_run(fs, call);
}

int names_access(struct farnova *fs, struct proto_handle handle, int mode)
{

	if (mode & ~(R_OK | W_OK | X_OK))
		return -EINVAL;
	struct call *call = call_new(fs, PROTO_ACCESS);

	if (!call)
		return -ENOMEM;
	call->request.access.handle = handle;
	call->request.access.mask = (uint32_t)mode;
	return call_run(fs, call);
}

struct call *names_create_call(struct farnova *fs, struct proto_handle dir, struct proto_string path, uint32_t mode,
                               uint32_t device, struct proto_attr *attr)
{
	struct call *call = call_new(fs, PROTO_CREATE);

	if (!call)
		return NULL;
	call->receive = attr_receive;
	call->result = attr;
	call->request.create.dir = dir;
	call->request.create.mode = mode;
	call->request.create.umask = cred_umask(&fs->creds);
	call->request.create.rdev = device;
	call->request.create.path = path;
	return call;
}

int names_create(struct farnova *fs, struct proto_handle dir, struct proto_string path, uint32_t mode, dev_t dev,
                 struct proto_attr *attr)
{
	bool device = S_ISCHR(mode) || S_ISBLK(mode);

	/* The protocol's device numbers have 32 bits, like the kernel's new encoding: minor 20 bits, major 12. */
	if (device && (major(dev) > 0xfff || minor(dev) > 0xfffff))
		return -EINVAL;
	return call_run(fs, names_create_call(fs, dir, path, mode, device ? (uint32_t)dev : 0, attr));
}

int names_symlink(struct farnova *fs, const char *target, struct proto_handle dir, struct proto_string path,
                  struct proto_attr *attr)
{
	struct path text;
	int error = names_path(target, &text);

	if (error)
		return error;
	struct call *call = call_new(fs, PROTO_SYMLINK);
	if (!call)
		return -ENOMEM;
	call->receive = attr_receive;
	call->result = attr;
	call->request.symlink.dir = dir;
	call->request.symlink.path = path;
	call->request.symlink.target = text.string;
	return call_run(fs, call);
}

struct link_text {
	char text[PROTO_MAX_PATH];
	size_t length;
};

static int receive_link(struct farnova *fs, struct call *call, const struct proto_reply *reply)
{
	struct link_text *link = call->result;

	if (!link)
		return 0;
	if (reply->readlink.target.length > sizeof(link->text))
		return -EPROTO;
	memcpy(link->text, reply->readlink.target.data, reply->readlink.target.length);
	link->length = reply->readlink.target.length;
	return 0;
}

ssize_t names_readlink(struct farnova *fs, struct proto_handle handle, char *buffer, size_t size)
{
	struct link_text link;

	if (size == 0)
		return -EINVAL;
	struct call *call = call_new(fs, PROTO_READLINK);

	if (!call)
		return -ENOMEM;
	call->receive = receive_link;
	call->result = &link;
	call->request.readlink.handle = handle;
	int error = call_run(fs, call);
	if (error)
		return error;
	size_t length = link.length < size ? link.length : size;
	error = user_give(buffer, link.text, length);
	return error ? error : (ssize_t)length;
}

int names_link(struct farnova *fs, struct proto_handle file, struct proto_handle dir, struct proto_string path,
               struct proto_attr *attr)
{
	struct call *call = call_new(fs, PROTO_LINK);

	if (!call)
		return -ENOMEM;
	call->receive = attr_receive;
	call->result = attr;
	call->request.link.file = file;
	call->request.link.dir = dir;
	call->request.link.path = path;
	return call_run(fs, call);
}

struct call *names_remove_call(struct farnova *fs, uint16_t op, struct proto_handle dir, struct proto_string path)
{
	struct call *call = call_new(fs, op);

	if (!call)
		return NULL;
	call->request.unlink.dir = dir;
	call->request.unlink.path = path;
	return call;
}

int names_remove(struct farnova *fs, uint16_t op, struct proto_handle dir, struct proto_string path)
{
	return call_run(fs, names_remove_call(fs, op, dir, path));
}

int names_rename_call(struct farnova *fs, struct proto_handle from_dir, struct proto_string from,
                      struct proto_handle to_dir, struct proto_string to, unsigned flags, struct call **out)
{
	if (flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE) || flags == (RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	struct call *call = call_new(fs, PROTO_RENAME);
	if (!call)
		return -ENOMEM;
	call->request.rename.from_dir = from_dir;
	call->request.rename.to_dir = to_dir;
	call->request.rename.flags = (flags & RENAME_NOREPLACE ? PROTO_RENAME_NOREPLACE : 0) |
	                             (flags & RENAME_EXCHANGE ? PROTO_RENAME_EXCHANGE : 0);
	call->request.rename.from = from;
	call->request.rename.to = to;
	*out = call;
	return 0;
}

int names_rename(struct farnova *fs, struct proto_handle from_dir, struct proto_string from, struct proto_handle to_dir,
                 struct proto_string to, unsigned flags)
{
	struct call *call;
	int error = names_rename_call(fs, from_dir, from, to_dir, to, flags, &call);

	return error ? error : call_run(fs, call);
}
