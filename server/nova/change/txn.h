/*
 * txn.h -- a transaction: the changes of one operation to one or several inodes, committed as one.
 *
 * The inodes are locked for writing. A transaction stores its entries behind the tails; txn_commit commits them.
 * Before that, txn_drop undoes everything. With one log and no life word, the new tail is the commit. Otherwise the
 * commit is a record in the worker's journal ring.
 *
 * The life of an inode, as the LIFE word of its slot says (enum nova_life), and who makes each transition:
 *
 *                  NEVER, or FREE of the generation before
 *                    |             |             |
 *       nova_create, |             |             | nova_tmpfile of what
 *       nova_symlink |             |             | must not be linked
 *                    |             | nova_tmpfile|
 *                    v             v             v
 *                ALLOCATED <--- NAMELESS       ORPHAN
 *                  |   |    nova_link |          ^ |
 *                  |   |              |          | | nova_close of the last that has it open,
 *                  |   +--------------|----------+ | and each mount: inode_free_orphan
 *                  |    the last name |            |
 *                  |    goes while it | nova_close |
 *                  |    is open       v            v
 *                  +---------------> FREE, generation ended: blocks and slot are freed
 *                    the last name goes
 *
 * inode_create_begin and inode_create_done create inodes. nova_unlink, nova_rmdir and nova_rename remove names, through
 * inode_free_begin and inode_free_done. Each of these notes the new state by txn_life; the state is durable once
 * txn_commit has returned. inode_free_orphan stores the word alone. An ORPHAN only becomes FREE, and a FREE generation
 * is never used again.
 */
#ifndef FARNOVA_NOVA_TXN_H
#define FARNOVA_NOVA_TXN_H

#include "server/nova/inode/nova_inode.h"
#include "server/nova/log/inode_log.h"
#include "server/nova/log/journal.h"

#define TXN_LOGS 5u

struct txn {
	struct nova_worker *worker;
	const struct nova_call *call;
	int64_t now; /* the time of the operation */
	unsigned log_count;
	unsigned life_count;
	bool has_effect;    /* this commit carries the effect of the call's request, */
	uint64_t result[2]; /* which has this result */
	struct log_append logs[TXN_LOGS];
	bool is_new[TXN_LOGS]; /* the tail is stored in place: the slot is not valid before its life word changes */
	struct journal_word lives[NOVA_RECORD_WORDS];
};

void txn_start(struct txn *txn, const struct nova_call *call);

/* txn_log -- the append to the inode's log; a transaction has one for each inode. `use` is that of the first call. */
struct log_append *txn_log(struct txn *txn, struct nova_inode *inode, enum alloc_use use);

/* txn_log_new -- the log of an inode that this transaction creates. */
struct log_append *txn_log_new(struct txn *txn, struct nova_inode *inode);

/* txn_life -- set the inode's life word. */
void txn_life(struct txn *txn, const struct nova_inode *inode, enum nova_life life);

/* txn_entry -- append to a log of this transaction. */
int txn_entry(struct txn *txn, struct log_append *log, struct nova_entry *entry, uint64_t *position, uint64_t *line);

/* Entries that several operations make. */
int txn_attr(struct txn *txn, struct log_append *log, unsigned mask, const struct nova_attr_entry *values);

/* txn_name -- add a name, or let a name refer to another inode. In the second case `replaced` is the old entry, with
 * the same bytes: the new entry gets its cookie, and so its place in listings, and needs no txn_name_gone. */
int txn_name(struct txn *txn, struct log_append *log, const char *name, size_t length, uint64_t ino, uint8_t type,
             const struct dir_entry *replaced, struct dir_entry *added);
int txn_name_gone(struct txn *txn, struct log_append *log, const struct dir_entry *gone);

/*
 * txn_effect -- the commit of this transaction carries the effect of the call's request, which has this result (as
 * docs/format.md lists). Then txn_commit stores the call's intent, if it has one. Every operation of a client says this of
 * the one transaction that makes its change, or of the last one.
 */
static inline void txn_effect(struct txn *txn, uint64_t first, uint64_t second)
{
	txn->has_effect = true;
	txn->result[0] = first;
	txn->result[1] = second;
}

void txn_commit(struct txn *txn);
void txn_drop(struct txn *txn);

/* now_ns -- the wall clock. */
int64_t now_ns(void);

#endif
