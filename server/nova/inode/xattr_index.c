/*
 * xattr_index.c -- the index of an inode's extended attributes, and their entries and blobs.
 */
#include "server/nova/inode/xattr_index.h"

#include "common/crc.h"
#include "server/nova/inode/acl_eval.h"
#include "server/nova/inode/incore.h"
#include "server/nova/space/alloc.h"
#include "server/nova/space/project.h"
#include "server/nova/space/release.h"
#include "server/nova/space/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LINES_SHORT 8u

static const char *const prefixes[] = {
    [NOVA_XATTR_USER] = "user.",
    [NOVA_XATTR_TRUSTED] = "trusted.",
    [NOVA_XATTR_SECURITY] = "security.",
    [NOVA_XATTR_ACCESS] = "system.posix_acl_access",
    [NOVA_XATTR_DEFAULT] = "system.posix_acl_default",
};

const char *xattr_prefix(unsigned space)
{
	return space < sizeof prefixes / sizeof prefixes[0] ? prefixes[space] : NULL;
}

static uint32_t listed_length(enum nova_xattr_space space, size_t length)
{
	return (uint32_t)(strlen(prefixes[space]) + length + 1);
}

static uint32_t hash_of(const struct nova *fs, const struct xattr_name *name)
{
	return dir_index_hash(fs->hash_seed ^ name->space, name->name, name->length);
}

/* ---- entries ---------------------------------------------------------------------------------------------------- */

static const struct nova_xattr_entry *payload_of(const struct nova_entry *entry)
{
	return ENTRY_CONST_PAYLOAD(nova_xattr_entry, entry);
}

static const uint8_t *bytes_of(const struct nova_entry *entry)
{
	return (const uint8_t *)entry + ENTRY_XATTR_OFFSET;
}

struct xattr_name xattr_entry_name(const struct nova_entry *entry)
{
	return (struct xattr_name){
	    .space = payload_of(entry)->space,
	    .name = (const char *)bytes_of(entry),
	    .length = payload_of(entry)->name_length,
	};
}

static uint64_t get_run(const struct nova_entry *entry, unsigned i, uint64_t *count)
{
	le64 run;

	memcpy(&run, entry_xattr_value(entry) + i * sizeof run, sizeof run);
	*count = le64_get(run) & 0xffff;
	return le64_get(run) >> 16;
}

int xattr_each_run(const struct nova_entry *entry, int (*run)(void *context, uint64_t first, uint64_t count),
                   void *context)
{
	for (unsigned i = 0; i < payload_of(entry)->runs; i++) {
		uint64_t count;
		uint64_t first = get_run(entry, i, &count);
		int rc = run(context, first, count);

		if (rc)
			return rc;
	}
	return 0;
}

static uint64_t blob_blocks(const struct nova_entry *entry)
{
	uint64_t length = le32_get(payload_of(entry)->value_length);

	return payload_of(entry)->runs ? (length + NOVA_BLOCK_SIZE - 1) >> NOVA_BLOCK_SHIFT : 0;
}

/* ---- look-up ---------------------------------------------------------------------------------------------------- */

static struct xattr_ref *find_ref(const struct nova *fs, const struct nova_inode *inode, const struct xattr_name *name,
                                  uint32_t hash)
{
	for (uint32_t i = 0; i < xattr_count(inode); i++) {
		struct xattr_ref *ref = &inode->xattrs->refs[i];
		struct xattr_name there;

		if (ref->hash != hash)
			continue;
		there = xattr_entry_name(line_at(fs, ref->line));
		if (there.space == name->space && there.length == name->length &&
		    memcmp(there.name, name->name, name->length) == 0)
			return ref;
	}
	return NULL;
}

uint32_t xattr_place(const struct nova *fs, const struct nova_inode *inode, const struct nova_entry *entry,
                     uint64_t line)
{
	const struct xattr_name name = xattr_entry_name(entry);
	const struct xattr_ref *ref = inode->xattrs ? find_ref(fs, inode, &name, hash_of(fs, &name)) : NULL;

	return ref && ref->line == line ? (uint32_t)(ref - inode->xattrs->refs) : xattr_count(inode);
}

const struct nova_entry *xattr_find(const struct nova *fs, const struct nova_inode *inode,
                                    const struct xattr_name *name)
{
	const struct xattr_ref *ref = inode->xattrs ? find_ref(fs, inode, name, hash_of(fs, name)) : NULL;

	return ref ? line_at(fs, ref->line) : NULL;
}

struct reading {
	const struct nova *fs;
	uint8_t *to;
	uint64_t left;
};

static int read_run(void *context, uint64_t first, uint64_t count)
{
	struct reading *reading = context;
	uint64_t bytes = count << NOVA_BLOCK_SHIFT;

	if (bytes > reading->left)
		bytes = reading->left;
	memcpy(reading->to, block_at(reading->fs, first), bytes);
	reading->to += bytes;
	reading->left -= bytes;
	return 0;
}

int xattr_read(const struct nova *fs, const struct nova_inode *inode, const struct nova_entry *entry, uint8_t *value)
{
	const struct nova_xattr_entry *payload = payload_of(entry);
	uint32_t length = le32_get(payload->value_length);
	struct reading reading = {.fs = fs, .to = value, .left = length};

	if (!payload->runs) {
		memcpy(value, entry_xattr_value(entry), length);
		return 0;
	}
	xattr_each_run(entry, read_run, &reading);
	if (crc32c(entry_blob_seed(inode->ino, inode->generation), value, length) == le32_get(payload->blob_crc))
		return 0;
	log_error_limited(NOVA_LOG_NAME, "inode %llu: the value of its extended attribute %s%.*s is damaged",
	                  (unsigned long long)inode->ino, prefixes[payload->space], (int)payload->name_length,
	                  (const char *)bytes_of(entry));
	return -EIO;
}

uint64_t xattr_index_bytes(const struct nova_inode *inode)
{
	return inode->xattrs ? sizeof *inode->xattrs + inode->xattrs->capacity * sizeof inode->xattrs->refs[0] : 0;
}

/* ---- the index -------------------------------------------------------------------------------------------------- */

/* Make room for one more, so that the update after the commit cannot fail. */
static int make_room(struct nova_inode *inode)
{
	struct xattr_index *index = inode->xattrs;
	uint32_t capacity = index ? 2 * index->capacity : 2;

	if (index && index->count < index->capacity)
		return 0;
	index = realloc(index, sizeof *index + capacity * sizeof index->refs[0]);
	if (!index)
		return -ENOMEM;
	if (!inode->xattrs)
		*index = (struct xattr_index){0};
	index->capacity = capacity;
	inode->xattrs = index;
	return 0;
}

void xattr_forget(struct nova_inode *inode)
{
	free(inode->xattrs);
	inode->xattrs = NULL;
}

/*
 * How many lines of the log an entry takes at most, with padding: a long entry may leave much of the page before it
 * unused, but of two adjacent pages never more than one page in all.
 */
static uint32_t lines_taken(const struct nova_entry *entry)
{
	uint32_t twice = 2u * entry->lines;

	if (entry->lines <= LINES_SHORT)
		return entry->lines;
	return twice < NOVA_PAGE_LINES ? twice : NOVA_PAGE_LINES;
}

/* Let the index refer to `entry`; returns the entry that it replaces, or NULL. The caller has made room. */
static const struct nova_entry *index_set(const struct nova *fs, struct nova_inode *inode,
                                          const struct nova_entry *entry, uint64_t line, uint32_t hash)
{
	const struct xattr_name name = xattr_entry_name(entry);
	struct xattr_index *index = inode->xattrs;
	struct xattr_ref *ref = find_ref(fs, inode, &name, hash);
	const struct nova_entry *old = ref ? line_at(fs, ref->line) : NULL;

	if (ref) {
		index->blocks -= blob_blocks(old);
		index->lines -= lines_taken(old);
		ref->line = line;
	} else {
		index->refs[index->count++] = (struct xattr_ref){.line = line, .hash = hash};
		index->list_length += listed_length(name.space, name.length);
		inode->has_xattrs = true;
	}
	index->blocks += blob_blocks(entry);
	index->lines += lines_taken(entry);
	if (name.space == NOVA_XATTR_ACCESS)
		inode->acl = entry;
	return old;
}

static const struct nova_entry *index_remove(const struct nova *fs, struct nova_inode *inode,
                                             const struct xattr_name *name, uint32_t hash)
{
	struct xattr_index *index = inode->xattrs;
	struct xattr_ref *ref = find_ref(fs, inode, name, hash);
	const struct nova_entry *old;

	if (!ref)
		return NULL;
	old = line_at(fs, ref->line);
	index->blocks -= blob_blocks(old);
	index->lines -= lines_taken(old);
	index->list_length -= listed_length(name->space, name->length);
	index->count--;
	memmove(ref, ref + 1, (size_t)(&index->refs[index->count] - ref) * sizeof *ref);
	if (name->space == NOVA_XATTR_ACCESS)
		inode->acl = NULL;
	inode->has_xattrs = index->count > 0;
	if (!inode->has_xattrs)
		xattr_forget(inode);
	return old;
}

void xattr_moved(const struct nova *fs, struct nova_inode *inode, uint32_t i, uint64_t line)
{
	const struct nova_entry *entry = line_at(fs, line);

	inode->xattrs->refs[i].line = line;
	if (payload_of(entry)->space == NOVA_XATTR_ACCESS)
		inode->acl = entry;
}

/* ---- changes ---------------------------------------------------------------------------------------------------- */

/* Charge the project for the blocks that the new value has beyond those of the old one. */
static int charge_blob(struct nova_inode *inode, size_t length, uint64_t old_blocks)
{
	uint64_t blocks = (length + NOVA_BLOCK_SIZE - 1) >> NOVA_BLOCK_SHIFT;

	return blocks > old_blocks ? project_grow(&inode->space, blocks - old_blocks) : 0;
}

static int take_blocks(struct nova_worker *worker, struct xattr_change *change)
{
	uint64_t blocks = (change->length + NOVA_BLOCK_SIZE - 1) >> NOVA_BLOCK_SHIFT;

	while (blocks) {
		int64_t got = alloc_run(worker, blocks, ALLOC_GROWS, &change->blob->first[change->runs]);

		if (got < 0)
			return (int)got;
		change->blob->count[change->runs++] = (uint64_t)got;
		blocks -= (uint64_t)got;
	}
	return 0;
}

/* The end of the last block is zeroed, so that it holds no old data. */
static void store_blob(struct nova *fs, const struct xattr_change *change)
{
	const uint8_t *from = change->value;
	size_t left = change->length;

	for (unsigned i = 0; i < change->runs; i++) {
		uint8_t *to = block_at(fs, change->blob->first[i]);
		size_t whole = change->blob->count[i] << NOVA_BLOCK_SHIFT;

		if (whole > left)
			whole = left & ~(size_t)(NOVA_BLOCK_SIZE - 1);
		if (whole)
			pm_copy(fs->pm, to, from, whole);
		from += whole;
		left -= whole;
		if (whole < change->blob->count[i] << NOVA_BLOCK_SHIFT) {
			uint8_t last[NOVA_BLOCK_SIZE] __attribute__((aligned(64)));

			memcpy(last, from, left);
			memset(last + left, 0, sizeof last - left);
			pm_copy(fs->pm, to + whole, last, sizeof last);
			left = 0;
		}
	}
}

static void put_runs(const struct xattr_change *change, uint8_t *to)
{
	for (unsigned i = 0; i < change->runs; i++) {
		le64 run = le64_of(change->blob->first[i] << 16 | change->blob->count[i]);

		memcpy(to + i * sizeof run, &run, sizeof run);
	}
}

static int check_list(const struct nova_inode *inode, const struct xattr_change *change)
{
	uint32_t length = listed_length(change->name.space, change->name.length);

	return inode->xattrs && inode->xattrs->list_length + length > NOVA_XATTR_LIST_MAX ? -ENOSPC : 0;
}

int xattr_append(struct nova_worker *worker, struct nova_inode *inode, struct log_append *log,
                 struct xattr_change *change, int64_t now)
{
	struct nova *fs = worker->fs;
	bool blob = change->value && change->name.length + change->length > NOVA_XATTR_INLINE_MAX;
	size_t length = change->name.length + (change->value && !blob ? change->length : 0);
	struct entry_page page;
	struct nova_xattr_entry *payload;
	uint8_t *bytes = (uint8_t *)&page + ENTRY_XATTR_OFFSET;
	int rc;

	change->runs = 0;
	if (change->value) {
		const struct nova_entry *old = xattr_find(fs, inode, &change->name);

		rc = old ? 0 : check_list(inode, change);
		if (!rc)
			rc = make_room(inode);
		if (!rc && blob)
			rc = charge_blob(inode, change->length, old ? blob_blocks(old) : 0);
		if (!rc && blob)
			rc = take_blocks(worker, change);
		if (rc)
			return rc;
	}
	length += change->runs * sizeof(le64);
	memset(&page, 0, (size_t)entry_xattr_lines(length) * NOVA_LINE_SIZE);
	page.entry.type = NOVA_ENTRY_XATTR;
	page.entry.lines = entry_xattr_lines(length);
	payload = ENTRY_PAYLOAD(nova_xattr_entry, &page.entry);
	payload->time_ns = le64_of((uint64_t)now);
	payload->space = (uint8_t)change->name.space;
	payload->name_length = (uint8_t)change->name.length;
	payload->runs = (uint8_t)change->runs;
	payload->gone = !change->value;
	memcpy(bytes, change->name.name, change->name.length);
	if (blob) {
		store_blob(fs, change);
		put_runs(change, bytes + change->name.length);
		payload->blob_crc =
		    le32_of(crc32c(entry_blob_seed(inode->ino, inode->generation), change->value, change->length));
	} else if (change->value) {
		memcpy(bytes + change->name.length, change->value, change->length);
	}
	if (change->value)
		payload->value_length = le32_of((uint32_t)change->length);
	return log_append_entry(worker, log, &page.entry, NULL, &change->line);
}

void xattr_drop(struct nova_worker *worker, struct xattr_change *change)
{
	for (unsigned i = 0; i < change->runs; i++)
		alloc_free(worker, change->blob->first[i], change->blob->count[i]);
	change->runs = 0;
}

static int release_run(void *context, uint64_t first, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		release_block(context, first + i);
	return 0;
}

void xattr_show(struct nova_worker *worker, struct nova_inode *inode, const struct xattr_change *change)
{
	struct nova *fs = worker->fs;
	struct release release = {.worker = worker, .ino = inode->ino, .space = &inode->space};
	uint32_t hash = hash_of(fs, &change->name);
	uint64_t others = inode->space.blocks - xattr_blocks(inode);
	const struct nova_entry *old;

	if (change->value)
		old = index_set(fs, inode, line_at(fs, change->line), change->line, hash);
	else
		old = index_remove(fs, inode, &change->name, hash);
	if (old)
		xattr_each_run(old, release_run, &release);
	release_flush(&release);
	inode->space.blocks = others + xattr_blocks(inode);
}

void xattr_release(struct release *release, struct nova_inode *inode)
{
	for (uint32_t i = 0; i < xattr_count(inode); i++)
		xattr_each_run(line_at(release->worker->fs, inode->xattrs->refs[i].line), release_run, release);
}

/* ---- replay ----------------------------------------------------------------------------------------------------- */

struct bounds {
	const struct nova *fs;
	uint64_t blocks;
};

/* This does not check whether the blocks are inode slots: a later entry may have freed them, and they may have any use
 * now. xattr_check_places checks the blobs that are left. */
static int check_run(void *context, uint64_t first, uint64_t count)
{
	struct bounds *bounds = context;

	bounds->blocks += count;
	return alloc_valid(bounds->fs, first, count) ? 0 : -EIO;
}

static int check_place(void *context, uint64_t first, uint64_t count)
{
	const struct nova *fs = context;

	for (uint64_t chunk = chunk_of_block(first); chunk <= chunk_of_block(first + count - 1); chunk++)
		if (__atomic_load_n(&fs->chunks[chunk], __ATOMIC_ACQUIRE))
			return -EIO;
	return 0;
}

const char *xattr_check_places(struct nova *fs, const struct nova_inode *inode)
{
	for (uint32_t i = 0; inode->xattrs && i < inode->xattrs->count; i++)
		if (xattr_each_run(line_at(fs, inode->xattrs->refs[i].line), check_place, fs))
			return "an extended attribute among inode slots";
	return NULL;
}

/* ACLs are checked here only; their users rely on it. */
static bool acl_sound(const struct nova_entry *entry)
{
	struct acl acl;

	if (acl_parse(entry_xattr_value(entry), le32_get(payload_of(entry)->value_length), &acl) || !acl.count)
		return false;
	return payload_of(entry)->space == NOVA_XATTR_DEFAULT || acl.has_mask;
}

static const char *check_entry(const struct nova *fs, const struct nova_entry *entry)
{
	const struct nova_xattr_entry *payload = payload_of(entry);
	bool acl = payload->space == NOVA_XATTR_ACCESS || payload->space == NOVA_XATTR_DEFAULT;
	uint64_t length = le32_get(payload->value_length);
	struct bounds bounds = {.fs = fs};

	if (!xattr_prefix(payload->space) || payload->gone > 1)
		return "an extended attribute of unknown kind";
	if ((payload->name_length == 0) != acl ||
	    listed_length(payload->space, payload->name_length) > NOVA_XATTR_NAME_MAX + 1)
		return "an extended attribute with an impossible name";
	if (length > NOVA_XATTR_VALUE_MAX || payload->runs > NOVA_XATTR_RUNS_MAX ||
	    (payload->name_length + length > NOVA_XATTR_INLINE_MAX) != (payload->runs != 0) ||
	    (payload->gone && length) || (acl && payload->runs))
		return "an extended attribute of impossible length";
	if (entry->lines !=
	    entry_xattr_lines(payload->name_length + (payload->runs ? payload->runs * sizeof(le64) : length)))
		return "an extended attribute of wrong length";
	if (memchr(bytes_of(entry), 0, payload->name_length))
		return "an extended attribute with an impossible name";
	if (xattr_each_run(entry, check_run, &bounds) || bounds.blocks != blob_blocks(entry))
		return "an extended attribute outside the space for data";
	if (acl && !payload->gone && !acl_sound(entry))
		return "an invalid ACL";
	return NULL;
}

const char *xattr_replay(struct nova *fs, struct nova_inode *inode, const struct nova_entry *entry, uint64_t line,
                         int *rc)
{
	const char *wrong = check_entry(fs, entry);
	struct xattr_name name;
	uint32_t hash;

	*rc = 0;
	if (wrong)
		return wrong;
	name = xattr_entry_name(entry);
	hash = hash_of(fs, &name);
	if (payload_of(entry)->gone) {
		/* GC may have cut off the entry that set the attribute: then there is nothing to remove. */
		index_remove(fs, inode, &name, hash);
	} else {
		*rc = make_room(inode);
		if (*rc)
			return NULL;
		index_set(fs, inode, entry, line, hash);
	}
	inode->ctime_ns = (int64_t)le64_get(payload_of(entry)->time_ns);
	return NULL;
}
