/*
 * history.h -- what the clients did, when, and what they were told; and whether it can be explained.
 *
 * File contents are counted in units of a fixed size. Each change has a tag, and each unit it writes is filled from that;
 * tag 0 is a hole.
 */
#ifndef FARNOVA_TESTS_SIM_HISTORY_H
#define FARNOVA_TESTS_SIM_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#define HISTORY_UNITS 48u
#define HISTORY_FILES 4u
#define HISTORY_NAMES 6u
#define HISTORY_CALLS 2048u
#define HISTORY_OPEN  UINT64_MAX /* `ended` of a call that may take effect at any time from its beginning */

enum call_type {
	/* of a file */
	CALL_WRITE,
	CALL_APPEND,
	CALL_TRUNCATE,
	CALL_PUNCH,
	CALL_SET_XATTR,
	CALL_REMOVE_XATTR,
	CALL_GET_XATTR,
	CALL_READ,
	CALL_SIZE,
	/* of names */
	CALL_CREATE,
	CALL_UNLINK,
	CALL_MKDIR,
	CALL_RMDIR,
	CALL_RENAME,
	CALL_RENAME_NOREPLACE,
	CALL_EXCHANGE,
	CALL_LINK,
	CALL_STAT,
	CALL_LIST,
	CALL_TYPES
};
#define CALL_IS_OF_FILE(type)  ((type) <= CALL_SIZE)
#define CALL_IS_OF_XATTR(type) ((type) >= CALL_SET_XATTR && (type) <= CALL_GET_XATTR)

#define HISTORY_DIRECTORY UINT32_C(0x40000000) /* in `ino`: it is one */

struct call {
	enum call_type type;
	unsigned thread;
	unsigned file;
	unsigned a, b; /* first unit and count, or names; SET_XATTR: its flags */
	uint16_t tag;
	uint64_t began, ended; /* moments, counted over all */
	bool perhaps;          /* it may have had no effect */
	int error;             /* an errno, 0: success */
	uint32_t ino;          /* CREATE, MKDIR, LINK, STAT; not seen: 0 */
	unsigned links;        /* STAT, 0: not looked at */
	unsigned count;        /* READ, SIZE: units; GET_XATTR: the tag of its value; LIST: names, by bit */
	uint16_t tags[HISTORY_UNITS];
};

struct history {
	unsigned count;
	uint64_t moments;
	struct call calls[HISTORY_CALLS];
};

/* history_begin -- a call begins now: unless history_end is called it is open, and perhaps. NULL: there is no room. */
struct call *history_begin(struct history *history, enum call_type type, unsigned thread);
void history_end(struct history *history, struct call *call);

/* history_check -- NULL if the calls of each file, and those of names, can be explained; else what cannot, in `text`.
 * The calls are printed to stderr. `undecided` counts searches given up. */
const char *history_check(const struct history *history, char *text, unsigned size, unsigned *undecided);

void history_print(const struct call *call);

#endif
