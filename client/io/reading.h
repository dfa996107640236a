/*
 * reading.h -- one read of up to READING_MAX bytes of a file: by RDMA READ under a layout, else by message.
 *
 * docs/client.md has the states. Data arrive in memory of the library; reading_copy_out brings them to the program
 * (client/link/user_memory.h). The connection's lock guards a reading until it is done.
 */
#ifndef FARNOVA_CLIENT_READING_H
#define FARNOVA_CLIENT_READING_H

#include "client/io/round.h"
#include "client/session/call.h"
#include "client/session/open_files.h"

#define READING_MAX      BUFFER_SIZE
#define READING_MESSAGES 8u /* READ messages in flight */

/*
 * A reading works in rounds: each reads what the layout covers, or some messages. It belongs to who made it until it is
 * freed or abandoned.
 */
struct reading {
	struct farnova *fs;
	struct farnova_file *file; /* with a reference until it is done */
	uint64_t offset;
	size_t length;
	/* It is done: a thread that waits is woken, or `on_done` is called with the lock held. */
	struct waiter *waiter;
	void (*on_done)(struct farnova *fs, struct reading *reading);
	void *owner; /* for `on_done` */
	bool done;
	ssize_t count; /* of one that is done: bytes, or -errno */
	bool end;      /* the same: it met the end of the file */

	/* private to reading.c */
	bool abandoned, stalled;
	TAILQ_ENTRY(reading) entry;           /* in fs->stalled */
	size_t filled;                        /* bytes of earlier rounds, in `memory` */
	uint8_t *memory;                      /* `length` bytes; NULL: not allocated yet */
	bool asked;                           /* it has requested a layout, */
	uint64_t missing;                     /* which was to cover this offset */
	struct call *calls[READING_MESSAGES]; /* NULL: it has ended */
	uint32_t got[READING_MESSAGES];
	int status[READING_MESSAGES];
	bool less[READING_MESSAGES]; /* a reply had less than was asked for */
	unsigned call_count, pending;
	struct round round;
};

/* reading_new -- a reading of `length` bytes (1..READING_MAX) at `offset`; NULL without memory. */
struct reading *reading_new(struct farnova_file *file, size_t length, uint64_t offset);

/* reading_start -- begin; does not wait. It may be done on return, without having told. Lock held. */
void reading_start(struct reading *reading);

/* reading_abandon -- nobody is interested in it any more: it ends, and is freed, by itself. Lock held. */
void reading_abandon(struct reading *reading);

/* reading_copy_out -- copy what has been read to the program's memory at `to`, up to `length` bytes from `from` on;
 * the lock is not held. Returns the bytes copied: fewer if the rest is not writable. */
size_t reading_copy_out(const struct reading *reading, size_t from, uint8_t *to, size_t length);

/* reading_free -- free a reading that is done or was not started; the lock is not held. */
void reading_free(struct reading *reading);

/* reading_may_ask -- whether a layout may be requested now. reading_ask -- the call that requests one that covers
 * `offset`, to be started; NULL without memory. reading_asked -- take note of its result: true if the layout covers
 * `offset` now. Lock held, but for reading_ask. */
bool reading_may_ask(const struct farnova_file *file);
struct call *reading_ask(struct farnova_file *file, uint64_t offset);
bool reading_asked(struct farnova_file *file, uint64_t offset, int status);

/* reading_polled -- a handler of the connection: receive_polled, and readings that could not go on. */
void reading_polled(struct connection *link);

#endif
