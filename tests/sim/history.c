/*
 * history.c -- records calls, and explains them by two models: a file's contents, and the names of a directory.
 */
#include "tests/sim/history.h"

#include "tests/sim/linearize.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#define STEPS_MAX 2000000u
#define UNSEEN    UINT32_C(0x80000000) /* the inode of a CREATE whose number is not known, by its tag */

struct call *history_begin(struct history *history, enum call_type type, unsigned thread)
{
	struct call *call = &history->calls[history->count];

	if (history->count == HISTORY_CALLS)
		return NULL;
	history->count++;
	*call = (struct call){.type = type,
	                      .thread = thread,
	                      .tag = (uint16_t)history->count,
	                      .began = ++history->moments,
	                      .ended = HISTORY_OPEN,
	                      .perhaps = true};
	return call;
}

void history_end(struct history *history, struct call *call)
{
	call->ended = ++history->moments;
	call->perhaps = false;
}

/* ---- a file ----------------------------------------------------------------------------------------------------- */

struct file_state {
	uint16_t size;
	uint16_t xattr; /* 0: there is none */
	uint16_t tags[HISTORY_UNITS];
};

static void fill(struct file_state *file, unsigned first, unsigned count, uint16_t tag)
{
	for (unsigned i = first; i < first + count; i++)
		file->tags[i] = tag;
}

static void set_size(struct file_state *file, unsigned size)
{
	for (unsigned i = size; i < file->size; i++)
		file->tags[i] = 0;
	file->size = (uint16_t)size;
}

static bool write_at(struct file_state *file, unsigned first, unsigned count, uint16_t tag)
{
	if (first + count > HISTORY_UNITS)
		return false;
	fill(file, first, count, tag);
	if (first + count > file->size)
		file->size = (uint16_t)(first + count);
	return true;
}

static int xattr_error(const struct file_state *file, const struct call *call)
{
	if (call->type == CALL_SET_XATTR && call->a == XATTR_CREATE)
		return file->xattr ? EEXIST : 0;
	return file->xattr || (call->type == CALL_SET_XATTR && call->a != XATTR_REPLACE) ? 0 : ENODATA;
}

static bool xattr_step(struct file_state *file, const struct call *call)
{
	int error = xattr_error(file, call);

	if (!call->perhaps && call->error != error)
		return false;
	if (error || call->type == CALL_GET_XATTR)
		return error || call->count == file->xattr;
	file->xattr = call->type == CALL_SET_XATTR ? call->tag : 0;
	return true;
}

static bool file_step(void *state, const void *argument)
{
	const struct call *call = argument;
	struct file_state *file = state;
	unsigned left = call->a < file->size ? file->size - call->a : 0;

	if (call->error == ENOSPC)
		return true;
	switch (call->type) {
	case CALL_WRITE:
		return write_at(file, call->a, call->b, call->tag);
	case CALL_APPEND:
		return write_at(file, file->size, call->b, call->tag);
	case CALL_TRUNCATE:
		set_size(file, call->a);
		return true;
	case CALL_PUNCH:
		fill(file, call->a, left < call->b ? left : call->b, 0);
		return true;
	case CALL_SET_XATTR:
	case CALL_REMOVE_XATTR:
	case CALL_GET_XATTR:
		return xattr_step(file, call);
	case CALL_READ:
		return call->perhaps || (call->count == (left < call->b ? left : call->b) &&
		                         memcmp(call->tags, file->tags + call->a, call->count * sizeof(uint16_t)) == 0);
	case CALL_SIZE:
		return call->perhaps || call->count == file->size;
	default:
		return false;
	}
}

/* ---- names ------------------------------------------------------------------------------------------------------ */

struct names_state {
	uint32_t ino[HISTORY_NAMES]; /* 0: there is no such name */
};

static bool found(const struct call *call, struct names_state *names)
{
	uint32_t was = names->ino[call->a];
	unsigned links = 0;

	for (unsigned i = 0; i < HISTORY_NAMES; i++) {
		if ((was & UNSEEN) && names->ino[i] == call->ino)
			return false; /* that one is another's */
		links += names->ino[i] == was;
	}
	if ((was & HISTORY_DIRECTORY) != (call->ino & HISTORY_DIRECTORY) || (!(was & UNSEEN) && was != call->ino))
		return false;
	if (call->links && !(was & HISTORY_DIRECTORY) && links != call->links)
		return false;
	for (unsigned i = 0; i < HISTORY_NAMES; i++)
		if (names->ino[i] == was)
			names->ino[i] = call->ino;
	return true;
}

static void rename_it(const struct call *call, struct names_state *names)
{
	uint32_t from = names->ino[call->a], to = names->ino[call->b];

	if (call->type == CALL_EXCHANGE) {
		names->ino[call->a] = to;
		names->ino[call->b] = from;
	} else if (from != to) { /* two names of one file stay (POSIX) */
		names->ino[call->b] = from;
		names->ino[call->a] = 0;
	}
}

static bool exists(const struct names_state *names, uint32_t ino)
{
	for (unsigned i = 0; i < HISTORY_NAMES; i++)
		if (names->ino[i] == ino)
			return true;
	return false;
}

/* The error that the call gets in this state; where two are possible, any of them is right. */
static bool right_error(const struct call *call, const struct names_state *names, int error)
{
	bool a = names->ino[call->a] != 0, b = names->ino[call->b] != 0;
	bool a_dir = names->ino[call->a] & HISTORY_DIRECTORY, b_dir = names->ino[call->b] & HISTORY_DIRECTORY;
	bool enoent = false, eexist = false, enotdir = false, eisdir = false;

	switch (call->type) {
	case CALL_CREATE:
	case CALL_MKDIR:
		eexist = a;
		break;
	case CALL_UNLINK:
		enoent = !a;
		eisdir = a_dir;
		break;
	case CALL_RMDIR:
		enoent = !a;
		enotdir = a && !a_dir;
		break;
	case CALL_RENAME:
		enoent = !a;
		enotdir = a_dir && b && !b_dir;
		eisdir = a && !a_dir && b_dir;
		break;
	case CALL_STAT:
		enoent = !a;
		break;
	case CALL_RENAME_NOREPLACE:
		enoent = !a;
		eexist = b;
		break;
	case CALL_LINK:
		enoent = !exists(names, call->ino);
		eexist = b;
		break;
	case CALL_EXCHANGE:
		enoent = !a || !b;
		break;
	default:
		break;
	}
	switch (error) {
	case 0:
		return !enoent && !eexist && !enotdir && !eisdir;
	case ENOENT:
		return enoent;
	case EEXIST:
		return eexist;
	case ENOTDIR:
		return enotdir;
	default:
		return error == EISDIR && eisdir;
	}
}

static unsigned listed(const struct names_state *names)
{
	unsigned bits = 0;

	for (unsigned i = 0; i < HISTORY_NAMES; i++)
		bits |= names->ino[i] ? 1u << i : 0;
	return bits;
}

static bool names_step(void *state, const void *argument)
{
	const struct call *call = argument;
	struct names_state *names = state;

	if (call->error == ENOSPC)
		return true;
	if (call->perhaps && !right_error(call, names, 0))
		return true; /* it failed, and changed nothing */
	if (!call->perhaps && !right_error(call, names, call->error))
		return false;
	if (!call->perhaps && call->error)
		return true;
	switch (call->type) {
	case CALL_CREATE:
		names->ino[call->a] = call->ino ? call->ino : UNSEEN | call->tag;
		return true;
	case CALL_MKDIR:
		names->ino[call->a] = HISTORY_DIRECTORY | (call->ino ? call->ino : UNSEEN | call->tag);
		return true;
	case CALL_UNLINK:
	case CALL_RMDIR:
		names->ino[call->a] = 0;
		return true;
	case CALL_LIST:
		return call->perhaps || call->count == listed(names);
	case CALL_STAT:
		return call->perhaps || found(call, names);
	case CALL_LINK:
		names->ino[call->b] = call->ino;
		return true;
	default:
		rename_it(call, names);
		return true;
	}
}

/* ---- all -------------------------------------------------------------------------------------------------------- */

static const struct linearize_model file_model = {sizeof(struct file_state), file_step};
static const struct linearize_model names_model = {sizeof(struct names_state), names_step};

static bool belongs(const struct call *call, unsigned part)
{
	return part < HISTORY_FILES ? CALL_IS_OF_FILE(call->type) && call->file == part : !CALL_IS_OF_FILE(call->type);
}

static bool changes(const struct call *call)
{
	return call->type != CALL_READ && call->type != CALL_SIZE && call->type != CALL_GET_XATTR &&
	       call->type != CALL_STAT && call->type != CALL_LIST;
}

static unsigned collect(const struct history *history, unsigned part, struct linearize_call *calls)
{
	unsigned count = 0;

	for (unsigned i = 0; i < history->count; i++) {
		const struct call *call = &history->calls[i];

		if (belongs(call, part) && (!call->perhaps || changes(call)))
			calls[count++] = (struct linearize_call){call->began, call->ended, call->perhaps, call};
	}
	return count;
}

static void print_part(const struct history *history, unsigned part)
{
	for (unsigned i = 0; i < history->count; i++)
		if (belongs(&history->calls[i], part))
			history_print(&history->calls[i]);
}

static void print_end(const struct linearize_end *end, unsigned part)
{
	const struct file_state *file = (const void *)end->state;
	const struct names_state *names = (const void *)end->state;

	fprintf(stderr, "%u calls can be put into an order, to the state", end->length);
	for (unsigned i = 0; part < HISTORY_FILES && i < file->size; i++)
		fprintf(stderr, " %u", file->tags[i]);
	for (unsigned i = 0; part == HISTORY_FILES && i < HISTORY_NAMES; i++)
		fprintf(stderr, " %u", names->ino[i]);
	fprintf(stderr, "; then one of these must be next:\n");
	for (unsigned i = 0; i < end->next_count; i++)
		history_print(end->next[i]);
}

const char *history_check(const struct history *history, char *text, unsigned size, unsigned *undecided)
{
	struct linearize_call *calls = calloc(HISTORY_CALLS, sizeof(*calls));
	const char *fault = NULL;

	for (unsigned part = 0; part <= HISTORY_FILES && !fault && calls; part++) {
		const struct linearize_model *model = part < HISTORY_FILES ? &file_model : &names_model;
		const uint8_t empty[LINEARIZE_STATE_MAX] = {0};
		unsigned count = collect(history, part, calls);
		struct linearize_end end;
		enum linearize_result result = linearize(model, empty, calls, count, STEPS_MAX, &end);

		*undecided += result == LINEARIZE_UNDECIDED;
		if (result != LINEARIZE_NO)
			continue;
		if (part < HISTORY_FILES)
			snprintf(text, size, "no order explains the calls on file %u (%u of %u)", part, end.length,
			         count);
		else
			snprintf(text, size, "no order explains the calls on names (%u of %u)", end.length, count);
		print_part(history, part);
		print_end(&end, part);
		fault = text;
	}
	free(calls);
	return fault;
}

void history_print(const struct call *call)
{
	static const char *const names[CALL_TYPES] = {
	    "write", "append", "truncate", "punch", "setxattr", "removexattr", "getxattr",         "read",
	    "size",  "create", "unlink",   "mkdir", "rmdir",    "rename",      "rename noreplace", "exchange",
	    "link",  "stat",   "list"};

	fprintf(stderr, "  %5" PRIu64 " to ", call->began);
	if (call->ended == HISTORY_OPEN)
		fprintf(stderr, "  ...");
	else
		fprintf(stderr, "%5" PRIu64, call->ended);
	fprintf(stderr, "  thread %2u  %-8s %u %u  tag %u%s", call->thread, names[call->type], call->a, call->b,
	        call->tag, call->perhaps ? ", perhaps" : "");
	if (call->type == CALL_LINK)
		fprintf(stderr, " of inode %u", call->ino);
	if (call->error)
		fprintf(stderr, ": %s", strerror(call->error));
	else if (call->type == CALL_GET_XATTR || call->type == CALL_LIST)
		fprintf(stderr, ": %#x", call->count);
	else if (!CALL_IS_OF_FILE(call->type))
		fprintf(stderr, ": inode %u, %u links", call->ino, call->links);
	else if (call->type == CALL_READ || call->type == CALL_SIZE)
		fprintf(stderr, ": %u units", call->count);
	for (unsigned i = 0; call->type == CALL_READ && !call->error && i < call->count; i++)
		fprintf(stderr, " %u", call->tags[i]);
	fprintf(stderr, "\n");
}
