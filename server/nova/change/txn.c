/*
 * txn.c -- commits changes of several logs and life words as one.
 */
#include "server/nova/change/txn.h"

#include "common/assert.h"
#include "common/clock.h"
#include "server/nova/change/gc.h"
#include "server/nova/change/intent.h"
#include "server/nova/inode/inode.h"
#include "server/nova/media/slot_words.h"
#include "server/nova/media/words.h"
#include "server/nova/space/worker.h"

#include <string.h>
#include <time.h>

int64_t now_ns(void)
{
	return clock_wall_ns();
}

void txn_start(struct txn *txn, const struct nova_call *call)
{
	txn->worker = call->worker;
	txn->call = call;
	txn->now = now_ns();
	txn->log_count = txn->life_count = 0;
	txn->has_effect = false;
}

struct log_append *txn_log(struct txn *txn, struct nova_inode *inode, enum alloc_use use)
{
	for (unsigned i = 0; i < txn->log_count; i++)
		if (txn->logs[i].log == &inode->log)
			return &txn->logs[i];
	fn_assert(txn->log_count < TXN_LOGS);
	gc_if_due(txn->worker, inode);
	txn->is_new[txn->log_count] = false;
	inode_append_start(&txn->logs[txn->log_count], inode, use);
	return &txn->logs[txn->log_count++];
}

struct log_append *txn_log_new(struct txn *txn, struct nova_inode *inode)
{
	fn_assert(txn->log_count < TXN_LOGS);
	txn->is_new[txn->log_count] = true;
	inode_append_start(&txn->logs[txn->log_count], inode, ALLOC_GROWS);
	return &txn->logs[txn->log_count++];
}

/* See the diagram in txn.h: within a generation the state only grows; the next generation begins after FREE. */
static bool may_become(enum nova_life from, enum nova_life to)
{
	return from == NOVA_LIFE_FREE ? to > NOVA_LIFE_NEVER && to < NOVA_LIFE_FREE : to > from;
}

void txn_life(struct txn *txn, const struct nova_inode *inode, enum nova_life life)
{
	fn_assert(txn->life_count < NOVA_RECORD_WORDS);
	fn_assert(may_become((enum nova_life)inode->life, life));
	txn->lives[txn->life_count++] = (struct journal_word){
	    .ino = inode->ino,
	    .generation = inode->generation,
	    .value = life_value(inode->generation, life),
	    .kind = NOVA_WORD_LIFE,
	};
}

int txn_entry(struct txn *txn, struct log_append *log, struct nova_entry *entry, uint64_t *position, uint64_t *line)
{
	return log_append_entry(txn->worker, log, entry, position, line);
}

int txn_attr(struct txn *txn, struct log_append *log, unsigned mask, const struct nova_attr_entry *values)
{
	struct entry_buffer buffer;
	struct nova_entry *entry = entry_start(&buffer, NOVA_ENTRY_ATTR);
	struct nova_attr_entry *attr = ENTRY_PAYLOAD(nova_attr_entry, entry);

	if (values)
		*attr = *values;
	attr->mask = le16_of((uint16_t)mask);
	attr->time_ns = le64_of((uint64_t)txn->now);
	return txn_entry(txn, log, entry, NULL, NULL);
}

int txn_name(struct txn *txn, struct log_append *log, const char *name, size_t length, uint64_t ino, uint8_t type,
             const struct dir_entry *replaced, struct dir_entry *added)
{
	struct entry_buffer buffer;
	struct nova_entry *entry = entry_start(&buffer, NOVA_ENTRY_NAME);
	struct nova_name_entry *payload = ENTRY_PAYLOAD(nova_name_entry, entry);
	uint8_t *bytes = (uint8_t *)&buffer + ENTRY_NAME_OFFSET;
	uint64_t room;
	uint64_t cookie;
	uint64_t line;
	int rc;

	entry->lines = entry_name_lines(length);
	if (entry->lines > 1)
		memset(buffer.more, 0, (size_t)(entry->lines - 1) * NOVA_LINE_SIZE);
	payload->ino = le64_of(ino);
	payload->time_ns = le64_of((uint64_t)txn->now);
	payload->file_type = type;
	payload->name_length = (uint8_t)length;
	memcpy(bytes, name, length);
	/* A new cookie is the entry's position, known before the append: the next line, or the first after padding. */
	room = log->page_first + (log->page ? NOVA_PAGE_LINES : NOVA_SLOT_LINES) - log->position;
	cookie = replaced ? replaced->cookie : log->position + (room < entry->lines ? room : 0);
	payload->cookie = le64_of(cookie);
	rc = txn_entry(txn, log, entry, NULL, &line);
	if (rc)
		return rc;
	*added =
	    (struct dir_entry){.cookie = cookie, .line = line, .ino = ino, .type = type, .length = (uint8_t)length};
	added->hash = dir_index_hash(txn->worker->fs->hash_seed, name, length);
	return 0;
}

int txn_name_gone(struct txn *txn, struct log_append *log, const struct dir_entry *gone)
{
	struct entry_buffer buffer;
	struct nova_entry *entry = entry_start(&buffer, NOVA_ENTRY_NAME_GONE);
	struct nova_name_gone_entry *payload = ENTRY_PAYLOAD(nova_name_gone_entry, entry);

	payload->cookie = le64_of(gone->cookie);
	payload->ino = le64_of(gone->ino);
	payload->time_ns = le64_of((uint64_t)txn->now);
	return txn_entry(txn, log, entry, NULL, NULL);
}

void txn_drop(struct txn *txn)
{
	for (unsigned i = 0; i < txn->log_count; i++)
		log_append_drop(txn->worker, &txn->logs[i]);
	txn->log_count = txn->life_count = 0;
}

/*
 * The words of a new inode are stored directly into its slot. No reader evaluates them while the life word keeps its
 * old value: NEVER, or FREE of the generation before.
 */
static void store_new_words(struct nova *fs, const struct log_append *log)
{
	uint32_t last = log->owner.generation - 1;
	struct slot_word_values values = {
	    .life = life_value(last, last ? NOVA_LIFE_FREE : NOVA_LIFE_NEVER),
	    .tail = log->position,
	    .head = log->first_new,
	};

	slot_words_store(fs, log->owner.ino, log->owner.generation, &values);
}

static void commit_record(struct txn *txn)
{
	struct journal_word words[NOVA_RECORD_WORDS];
	unsigned count = txn->life_count;

	memcpy(words, txn->lives, count * sizeof words[0]);
	for (unsigned i = 0; i < txn->log_count; i++) {
		struct log_append *log = &txn->logs[i];

		fn_assert(txn->is_new[i] || count < NOVA_RECORD_WORDS);
		if (txn->is_new[i])
			store_new_words(txn->worker->fs, log);
		else
			words[count++] = (struct journal_word){
			    .ino = log->owner.ino,
			    .generation = log->owner.generation,
			    .value = log->position,
			    .kind = NOVA_WORD_TAIL,
			};
		log_append_done(&txn->logs[i]);
	}
	journal_commit(txn->worker, words, count);
}

/*
 * The intent is judged by an inode that existed before: whatever becomes of a new one, that one's TAIL tells. Stored
 * before the first fence of the commit, after all that can fail.
 */
static void store_intent(struct txn *txn)
{
	struct intent_values values = {.result = {txn->result[0], txn->result[1]}};
	const struct log_append *log = &txn->logs[0];

	fn_assert(txn->log_count > 0);
	if (txn->is_new[0] && txn->log_count > 1)
		log = &txn->logs[1];
	values.ino = log->owner.ino;
	values.generation = log->owner.generation;
	values.position = log->position;
	intent_store(txn->worker->fs, txn->call->intent, &values);
}

void txn_commit(struct txn *txn)
{
	if (txn->has_effect && txn->call->intent)
		store_intent(txn);
	/* From here on the operation must not be deferred: a second run would make the change twice. */
	txn->worker->may_defer = false;
	if (txn->log_count == 1 && txn->life_count == 0)
		log_append_commit(txn->worker, &txn->logs[0]);
	else
		commit_record(txn);
}
