/*
 * inode_log.h -- append to an inode's log, and walk it.
 *
 * An append writes beyond the tail, where nothing is judged: until its commit it can be dropped at any point. The inode
 * is locked for writing throughout.
 */
#ifndef FARNOVA_NOVA_INODE_LOG_H
#define FARNOVA_NOVA_INODE_LOG_H

#include "server/nova/core.h"
#include "server/nova/log/log_state.h"
#include "server/nova/media/entry.h"

/* Whose log it is. */
struct log_owner {
	uint64_t ino;
	uint32_t generation;
	enum nova_life life; /* as its slot has it until the commit */
};

struct log_append {
	struct log_state *log;
	struct log_owner owner;
	uint64_t position;   /* where the next entry goes */
	uint64_t page;       /* the page that `position` follows on in, 0 = the slot */
	uint64_t page_first; /* position of its first line */
	uint64_t first_new;  /* the first page taken by this append, 0 = none */
	bool privileged;     /* may use the reserve */
	struct nova_request request;
};

/* log_append_start -- nothing is stored. */
void log_append_start(struct log_append *append, struct log_state *log, const struct log_owner *owner,
                      const struct nova_request *request, bool privileged);

/*
 * log_append_entry -- seals (request, epoch, CRC) and stores one entry; `line`, if not NULL, is where it lies. Adds a
 * page where needed: -ENOSPC.
 */
int log_append_entry(struct nova_worker *worker, struct log_append *append, struct nova_entry *entry,
                     uint64_t *position, uint64_t *line);

/* log_append_room -- lines that are left in the page (or the slot) in which the next entry would go; 0 = none. */
uint64_t log_append_room(const struct log_append *append);

/* log_append_drop -- give back the pages of an append that will not be committed. */
void log_append_drop(struct nova_worker *worker, struct log_append *append);

/* log_append_commit -- the commit of one inode alone: two fences. Durable when it returns. */
void log_append_commit(struct nova_worker *worker, struct log_append *append);

/* log_append_done -- the append was committed by a record: take it over in DRAM. */
void log_append_done(struct log_append *append);

struct log_walk {
	const struct nova *fs;
	const struct nova_slot *slot; /* a copy to be read in its place, or NULL */
	uint64_t ino;
	uint32_t generation;
	uint64_t tail;
	uint64_t head;
	bool repair; /* store a good copy over a damaged one */
	/* A page of the log, before its entries; a nonzero return ends the walk. May be NULL. */
	int (*page)(void *context, uint64_t block);
	/* An entry but PAD. */
	int (*entry)(void *context, const struct nova_entry *entry, uint64_t position, uint64_t line);
	void *context;
	/* Results. */
	uint64_t log_start;
	uint64_t last_page;
	uint64_t last_first;
	char why[160];
};

/* log_walk -- every live entry in order. -EIO with `why` if the log is damaged below the tail. */
int log_walk(struct log_walk *walk);

/* log_free_pages -- give back the chain from block `head` to the page that holds line tail - 1. */
void log_free_pages(struct nova_worker *worker, uint32_t generation, uint64_t head, uint64_t last_page);

#endif
