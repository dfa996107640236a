/*
 * names.c -- operations on names, used by the calls by path and the calls by handle.
 */
#include "client/api/names.h"

#include "client/api/attr.h"
#include "client/link/user_memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
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

int names_copy_paths(const char *first, const char *second, char **memory, struct proto_string out[2])
{
	struct path paths[2];
	int error = names_path(first, &paths[0]);

	if (error == 0 && second)
		error = names_path(second, &paths[1]);
	if (error)
		return error;
	size_t lengths[2] = {paths[0].string.length, second ? paths[1].string.length : 0};
	*memory = malloc(lengths[0] + lengths[1]);
	if (!*memory)
		return -ENOMEM;
	memcpy(*memory, paths[0].text, lengths[0]);
	out[0] = (struct proto_string){.data = *memory, .length = (uint32_t)lengths[0]};
	if (second) {
		memcpy(*memory + lengths[0], paths[1].text, lengths[1]);
		out[1] = (struct proto_string){.data = *memory + lengths[0], .length = (uint32_t)lengths[1]};
	}
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

int names_access(struct action *action, int mode)
{
	if (mode & ~(R_OK | W_OK | X_OK))
		return -EINVAL;
	action->call = call_new(action->fs, PROTO_ACCESS);
	if (!action->call)
		return -ENOMEM;
	action->handle = &action->call->request.access.handle;
	action->call->request.access.mask = (uint32_t)mode;
	return 0;
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

struct call *names_symlink_call(struct farnova *fs, struct proto_string target, struct proto_handle dir,
                                struct proto_string path, struct proto_attr *attr)
{
	struct call *call = call_new(fs, PROTO_SYMLINK);

	if (!call)
		return NULL;
	call->receive = attr_receive;
	call->result = attr;
	call->request.symlink.dir = dir;
	call->request.symlink.path = path;
	call->request.symlink.target = target;
	return call;
}

int names_symlink(struct farnova *fs, const char *target, struct proto_handle dir, struct proto_string path,
                  struct proto_attr *attr)
{
	struct path text;
	int error = names_path(target, &text);

	return error ? error : call_run(fs, names_symlink_call(fs, text.string, dir, path, attr));
}

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

int names_readlink(struct action *action, struct link_text *link)
{
	action->call = call_new(action->fs, PROTO_READLINK);
	if (!action->call)
		return -ENOMEM;
	action->handle = &action->call->request.readlink.handle;
	action->call->receive = receive_link;
	action->call->result = link;
	return 0;
}

ssize_t names_give_link(const struct link_text *link, char *buffer, size_t size)
{
	size_t length = link->length < size ? link->length : size;
	int error = user_give(buffer, link->text, length);

	return error ? error : (ssize_t)length;
}

/* linked -- a pinned file that has lost its last name gets ENOENT: the path leads to another by now. */
static bool linked(struct action *action, int *status)
{
	if (*status == -ENOENT && action->pin)
		*status = -ESTALE;
	return false;
}

int names_link(struct action *action, struct proto_handle dir, struct proto_string path, struct proto_attr *attr)
{
	struct call *call = action->call = call_new(action->fs, PROTO_LINK);

	if (!call)
		return -ENOMEM;
	action->handle = &call->request.link.file;
	action->again = linked;
	call->receive = attr_receive;
	call->result = attr;
	call->request.link.dir = dir;
	call->request.link.path = path;
	return 0;
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
