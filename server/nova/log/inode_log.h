/*
 * inode_log.h -- appends to an inode's log, and walks it.
 *
 * An append writes behind the tail, where no reader looks, so it can be dropped at any point before its commit. The
 * inode is locked for writing throughout.
 */
#ifndef FARNOVA_NOVA_INODE_LOG_H
#define FARNOVA_NOVA_INODE_LOG_H

#include "server/nova/core.h"
#include "server/nova/log/log_state.h"
#include "server/nova/media/entry.h"

/* The inode of a log. */
struct log_owner {
	uint64_t ino;
	uint32_t generation;
	enum nova_life life; /* in its slot, until the commit */
};

struct log_append {
	struct log_state *log;
	struct log_owner owner;
	uint64_t position;   /* of the next entry */
	uint64_t page;       /* the page of the previous entry, 0 = the slot */
	uint64_t page_first; /* position of its first line */
	uint64_t first_new;  /* the first page allocated by this append, 0 = none */
	enum alloc_use use;  /* what its pages are for */
	uint32_t born;       /* of the next entry, 0 = the present epoch */
	uint32_t newest;     /* the latest of those stored */
};

/* log_append_start -- stores nothing. */
void log_append_start(struct log_append *append, struct log_state *log, const struct log_owner *owner,
                      enum alloc_use use);

/*
 * log_append_entry -- seal (epochs, CRC) and store one entry; `line`, if not NULL, receives its line in the
 * pool. Adds a page if needed: -ENOSPC.
 */
int log_append_entry(struct nova_worker *worker, struct log_append *append, struct nova_entry *entry,
                     uint64_t *position, uint64_t *line);

/* log_append_room -- lines left in the page (or the slot) for the next entry; 0 = none. */
uint64_t log_append_room(const struct log_append *append);

/* log_append_drop -- free the pages of an append that will not be committed. */
void log_append_drop(struct nova_worker *worker, struct log_append *append);

/* log_append_commit -- commit the append to this one log: two fences. Durable when it returns. */
void log_append_commit(struct nova_worker *worker, struct log_append *append);

/* log_append_done -- a journal record commits the append: update the log's state in DRAM. */
void log_append_done(struct log_append *append);

struct log_walk {
	const struct nova *fs;
	const struct nova_slot *slot; /* a copy of the slot, read instead of it, or NULL */
	uint64_t ino;
	uint32_t generation;
	uint64_t tail;
	uint64_t head;
	bool repair; /* store a good copy over a damaged one */
	/* Called for each page of the log, before its entries; a nonzero return ends the walk. May be NULL. */
	int (*page)(void *context, uint64_t block);
	/* Called for each entry except PAD. */
	int (*entry)(void *context, const struct nova_entry *entry, uint64_t position, uint64_t line);
	void *context;
	/* Results. */
	uint64_t log_start;
	uint64_t last_page;
	uint64_t last_first;
	char why[160];
};

/* log_walk -- call the callbacks for all entries in order. -EIO with `why` if the log is damaged below the tail. */
int log_walk(struct log_walk *walk);

/* log_free_pages -- free the chain of pages from block `head` to `last_page`. */
void log_free_pages(struct nova_worker *worker, uint32_t generation, uint64_t head, uint64_t last_page);

#endif
