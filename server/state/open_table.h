/*
 * open_table.h -- the open files of a session, by open id and by inode.
 *
 * An inode is pinned in the core (nova_open) while the session has any open of it. Used by the session's thread only.
 */
#ifndef FARNOVA_SERVER_OPEN_TABLE_H
#define FARNOVA_SERVER_OPEN_TABLE_H

#include "proto/proto.h"
#include "server/nova/nova.h"

#include <stddef.h>
#include <stdint.h>

/* An inode that the session has open. */
struct open_file {
	struct open_file *next; /* in its bucket */
	struct proto_handle handle;
	uint32_t mode; /* type bits */
	unsigned opens;
};

struct open {
	struct open_file *file; /* NULL: not in use */
	uint64_t id;
	uint32_t flags;     /* PROTO_OPEN_READ, WRITE, APPEND, DIRECTORY */
	uint32_t next_free; /* index + 1 */
};

struct open_table {
	struct open *items;
	size_t size, count, limit;
	uint32_t first_free; /* index + 1, 0 = none */
	uint64_t serial;
	struct open_file **buckets;
	size_t bucket_count, file_count;
	struct open_file *spare; /* for the next inode */
};

void open_table_init(struct open_table *opens, size_t limit);

/*
 * open_table_reserve -- make room for the next open_table_add. Call it before the open creates or truncates a file,
 * because an open that fails must not. A second call before open_table_add has no effect. -EMFILE beyond the limit,
 * -ENOMEM.
 */
int open_table_reserve(struct open_table *opens);

/*
 * open_table_add -- add an open of the inode, which is pinned with `call`; room was reserved. The id is never 0 and is
 * never used again. Errors as from nova_open (-ESTALE).
 */
int open_table_add(struct open_table *opens, const struct nova_call *call, struct proto_handle handle, uint32_t flags,
                   uint32_t mode, uint64_t *id);

/* open_table_get -- NULL if the session has no such open. Valid until the next call of open_table_reserve, _add or
 * _remove. */
const struct open *open_table_get(const struct open_table *opens, uint64_t id);

/* open_table_is_last -- whether closing `open` leaves the session without an open of its inode. */
static inline int open_table_is_last(const struct open *open)
{
	return open->file->opens == 1;
}

/* open_table_remove -- close an open; the last one of an inode unpins it, which frees an orphan. */
void open_table_remove(struct open_table *opens, const struct nova_call *call, uint64_t id);

/* open_table_close_all -- close all opens. open_table_free -- free the memory, without unpinning. */
void open_table_close_all(struct open_table *opens, const struct nova_call *call);
void open_table_free(struct open_table *opens);

#endif
