/*
 * check_log.c -- checks one inode: its header, every entry of its log, its blocks, its attributes.
 */
#include "common/crc.h"
#include "server/pool/check/check_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_BLOCK_LIMIT (1ULL << 40) /* of a file: 4 PiB */
#define KNOWN_MASK                                                                                                     \
	(NOVA_ATTR_MODE | NOVA_ATTR_UID | NOVA_ATTR_GID | NOVA_ATTR_NLINK | NOVA_ATTR_SIZE | NOVA_ATTR_FLAGS |         \
	 NOVA_ATTR_PROJECT | NOVA_ATTR_MTIME | NOVA_ATTR_BIRTH | NOVA_ATTR_ATIME)

/* The state of reading one log. */
struct reading {
	struct check *check;
	struct check_inode *inode;
	uint64_t position; /* of the present entry */
	uint64_t start;    /* position at which the log begins: 0, or where GC has cut it off */
	unsigned seen;     /* attributes that ATTR entries have set, as a mask */
	struct check_run *runs;
	size_t run_count, run_room;
	struct check_dir *dir;
	uint64_t last_block; /* the block of the file's last, partial file block, 0 = a hole */
	uint64_t blob;
	uint32_t project;
	bool has_target;
	struct check_xattrs *xattrs; /* NULL before the first XATTR entry */
};

__attribute__((format(printf, 2, 3))) static void say(struct reading *r, const char *format, ...)
{
	char text[200];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	check_say(r->check, "log", r->inode->ino, 0, "entry at position %llu %s", (unsigned long long)r->position,
	          text);
	check_fix(r->check, FIX_ENTRY, r->inode->ino, r->position, 0, 0);
}

static unsigned long long ull(uint64_t v)
{
	return v;
}

static bool is_type(const struct reading *r, mode_t type)
{
	return r->inode->type == type >> 12;
}

/* Whether the number is that of an inode slot, in use or not. */
static bool is_slot(const struct reading *r, uint64_t ino)
{
	return image_slot(&r->check->image, ino) &&
	       r->check->owner[ino / (NOVA_BLOCK_SIZE / NOVA_SLOT_SIZE)] == CHECK_SLOTS;
}

static void add_run(struct reading *r, uint64_t file_block, uint64_t count, uint64_t block, bool unwritten)
{
	struct check_run *runs = check_grow(r->check, r->runs, r->run_count, &r->run_room, sizeof(*runs));

	if (!runs)
		return;
	r->runs = runs;
	r->runs[r->run_count++] = (struct check_run){file_block, count, block, unwritten};
}

static void set_size(struct reading *r, uint64_t size)
{
	if (size > FILE_BLOCK_LIMIT * NOVA_BLOCK_SIZE)
		say(r, "gives the size %llu, more than a file can have", ull(size));
	else
		r->inode->size = size;
}

/* A size that is not greater than the present one drops all blocks beyond it, reserved ones too. */
static void resize(struct reading *r, uint64_t size)
{
	uint64_t blocks = size / NOVA_BLOCK_SIZE + (size % NOVA_BLOCK_SIZE != 0);

	if (size <= r->inode->size && is_type(r, S_IFREG))
		add_run(r, blocks, UINT64_MAX - blocks, 0, false);
	set_size(r, size);
}

static void read_attr(struct reading *r, const struct nova_attr_entry *attr)
{
	unsigned mask = le16_get(attr->mask);

	r->inode->patched |= mask == 0;
	if (mask & ~KNOWN_MASK)
		say(r, "sets attributes of unknown kind (mask %#x)", mask);
	if (mask & NOVA_ATTR_MODE && le16_get(attr->mode) & ~07777)
		say(r, "gives the mode %#o, more than permission bits", le16_get(attr->mode));
	if (mask & NOVA_ATTR_FLAGS && le32_get(attr->flags) & ~NOVA_FLAGS_KNOWN)
		say(r, "sets flags of unknown kind (%#x)", le32_get(attr->flags));
	if (mask & NOVA_ATTR_ATIME && mask != NOVA_ATTR_ATIME)
		say(r, "sets an access time with other attributes (mask %#x)", mask);
	if (mask & NOVA_ATTR_PROJECT)
		r->project = le32_get(attr->project);
	if (mask & NOVA_ATTR_NLINK)
		r->inode->nlink = le32_get(attr->nlink);
	if (mask & NOVA_ATTR_SIZE)
		resize(r, le64_get(attr->size));
	r->seen |= mask;
}

static bool lies_in_zone(const struct reading *r, uint64_t block, uint64_t count)
{
	const struct image *image = &r->check->image;

	return count <= NOVA_ZONE_BLOCKS && image_usable_block(image, block) &&
	       image_usable_block(image, block + count - 1) && image_zone_of(block) == image_zone_of(block + count - 1);
}

static void read_write(struct reading *r, const struct nova_write_entry *write)
{
	uint64_t file_block = le64_get(write->file_block), block = le64_get(write->block);
	uint64_t count = le32_get(write->count), size = le64_get(write->size);
	uint32_t flags = le32_get(write->flags);

	if (!is_type(r, S_IFREG)) {
		say(r, "writes data, but the inode is no regular file");
		return;
	}
	if (count == 0 || file_block >= FILE_BLOCK_LIMIT || count > FILE_BLOCK_LIMIT - file_block) {
		say(r, "writes %llu blocks at file block %llu", ull(count), ull(file_block));
		return;
	}
	if (flags & ~NOVA_WRITE_UNWRITTEN || (flags && !block)) {
		say(r, "has flags of unknown meaning (%#x)", flags);
		return;
	}
	if (block && !flags && file_block + count > size / NOVA_BLOCK_SIZE + (size % NOVA_BLOCK_SIZE != 0)) {
		say(r, "writes file blocks %llu to %llu though the file has only %llu bytes", ull(file_block),
		    ull(file_block + count - 1), ull(size));
		return;
	}
	if (size < r->inode->size)
		say(r, "writes and shrinks the file from %llu to %llu bytes", ull(r->inode->size), ull(size));
	if (block && !lies_in_zone(r, block, count)) {
		say(r, "puts data into blocks %llu to %llu, not in the pool's usable blocks", ull(block),
		    ull(block + count - 1));
		return;
	}
	add_run(r, file_block, count, block, flags);
	set_size(r, size);
}

/* One extent of an EXTENTS entry. */
static void read_extent(struct reading *r, unsigned i, uint64_t place, uint64_t where, uint64_t size)
{
	uint64_t file_block = place >> 16, count = place & 0xffff;
	bool unwritten = where >> 63;
	uint64_t block = where & ~(1ULL << 63);

	if (count == 0 || file_block >= FILE_BLOCK_LIMIT || count > FILE_BLOCK_LIMIT - file_block)
		say(r, "has extent %u of %llu blocks at file block %llu", i, ull(count), ull(file_block));
	else if (!unwritten && file_block + count > size / NOVA_BLOCK_SIZE + (size % NOVA_BLOCK_SIZE != 0))
		say(r, "has as extent %u the file blocks %llu to %llu though the file has only %llu bytes", i,
		    ull(file_block), ull(file_block + count - 1), ull(size));
	else if (!lies_in_zone(r, block, count))
		say(r, "has extent %u in blocks %llu to %llu, not in the pool's usable blocks", i, ull(block),
		    ull(block + count - 1));
	else
		add_run(r, file_block, count, block, unwritten);
}

static void read_extents(struct reading *r, const struct nova_entry *entry)
{
	const struct nova_extents_entry *payload = (const struct nova_extents_entry *)(const void *)entry->payload;
	const uint8_t *bytes = entry->payload + offsetof(struct nova_extents_entry, extents);
	unsigned count = le16_get(payload->count);
	uint64_t size = le64_get(payload->size);

	if (!is_type(r, S_IFREG)) {
		say(r, "has extents, but the inode is no regular file");
		return;
	}
	/* Two extents end the first line, and each other line holds four. */
	if (count == 0 || entry->lines != 1 + (count > 2 ? (count - 2 + 3) / 4 : 0)) {
		say(r, "has %u lines for %u extents", entry->lines, count);
		return;
	}
	if (size < r->inode->size)
		say(r, "has extents and shrinks the file from %llu to %llu bytes", ull(r->inode->size), ull(size));
	for (unsigned i = 0; i < count; i++) {
		struct nova_packed_extent extent;

		memcpy(&extent, bytes + i * sizeof(extent), sizeof(extent));
		read_extent(r, i, le64_get(extent.place), le64_get(extent.block), size);
	}
	set_size(r, size);
}

static bool name_sane(const struct nova_name_entry *name)
{
	if (name->name_length == 0 || memchr(name->name, '/', name->name_length) ||
	    memchr(name->name, '\0', name->name_length))
		return false;
	return !(name->name[0] == '.' && (name->name_length == 1 || (name->name_length == 2 && name->name[1] == '.')));
}

static void read_name(struct reading *r, const struct nova_entry *entry)
{
	const struct nova_name_entry *name = (const struct nova_name_entry *)(const void *)entry->payload;
	unsigned more = name->name_length > NOVA_NAME_INLINE ? name->name_length - NOVA_NAME_INLINE : 0;
	uint64_t cookie = le64_get(name->cookie);
	int rc;

	if (!r->dir) {
		say(r, "adds a name, but the inode is no directory");
		return;
	}
	if (entry->lines != 1 + (more + NOVA_LINE_SIZE - 1) / NOVA_LINE_SIZE) {
		say(r, "has %u lines for a name of %u bytes", entry->lines, name->name_length);
		return;
	}
	if (!is_slot(r, le64_get(name->ino)))
		say(r, "has a name for inode %llu, which is no inode slot", ull(le64_get(name->ino)));
	if (!name_sane(name))
		say(r, "has a name that is empty, '.' or '..', or with '/' or NUL in it");
	if (cookie > r->position)
		say(r, "has the cookie %llu, which is beyond its position", ull(cookie));
	if (cookie == 0)
		say(r, "has the cookie 0, which no name can have");
	rc = check_dir_add(r->dir, cookie, name);
	if (rc == -EEXIST)
		say(r, "uses the cookie %llu a second time", ull(cookie));
	else if (rc)
		r->check->error = rc;
}

static void read_name_gone(struct reading *r, const struct nova_name_gone_entry *gone)
{
	const struct nova_name_entry *name;

	if (!r->dir) {
		say(r, "removes a name, but the inode is no directory");
		return;
	}
	name = check_dir_remove(r->dir, le64_get(gone->cookie));
	/* If GC has cut off the name's NAME entry, its NAME_GONE may be left, which is harmless. */
	if (!name && le64_get(gone->cookie) >= r->start)
		say(r, "removes the name with the cookie %llu, which does not exist", ull(le64_get(gone->cookie)));
	if (name && le64_get(name->ino) != le64_get(gone->ino))
		say(r, "removes a name of inode %llu, but the name refers to inode %llu", ull(le64_get(gone->ino)),
		    ull(le64_get(name->ino)));
}

static void read_symlink(struct reading *r, const struct nova_entry *entry)
{
	const struct nova_symlink_entry *link = (const struct nova_symlink_entry *)(const void *)entry->payload;
	unsigned length = le16_get(link->length);
	uint64_t blob = le64_get(link->blob);
	unsigned more = length > NOVA_SYMLINK_INLINE ? length - NOVA_SYMLINK_INLINE : 0;
	const uint8_t *target = link->target;

	if (!is_type(r, S_IFLNK)) {
		say(r, "sets a target, but the inode is no symlink");
		return;
	}
	if (length == 0 || length > NOVA_SYMLINK_MAX || (length > NOVA_SYMLINK_INLINE_MAX) != (blob != 0)) {
		say(r, "has a target of %u bytes", length);
		return;
	}
	r->has_target = true;
	r->inode->size = length;
	r->blob = blob;
	if (blob) {
		target = image_usable_block(&r->check->image, blob) ? image_block(&r->check->image, blob) : NULL;
		if (!target)
			say(r, "has its target in block %llu, not in the pool's usable blocks", ull(blob));
		else if (crc32c(0xffffffffu, target, length) != le32_get(link->blob_crc))
			say(r, "has a target in block %llu that fails its CRC", ull(blob));
		if (!target)
			r->blob = 0;
	} else if (entry->lines != 1 + (more + NOVA_LINE_SIZE - 1) / NOVA_LINE_SIZE) {
		say(r, "has %u lines for a target of %u bytes", entry->lines, length);
		return;
	}
	if (target && memchr(target, '\0', length))
		say(r, "has a target with NUL in it");
}

static void read_xattr(struct reading *r, const struct nova_entry *entry)
{
	const char *fault;

	if (!r->xattrs && !(r->xattrs = check_xattrs_new())) {
		r->check->error = -ENOMEM;
		return;
	}
	fault = check_xattr_entry(r->check, r->xattrs, entry, r->position);
	if (fault)
		say(r, "%s", fault);
}

static void read_parent(struct reading *r, const struct nova_parent_entry *parent)
{
	if (!is_type(r, S_IFDIR))
		say(r, "sets a parent, but the inode is no directory");
	else if (!is_slot(r, le64_get(parent->parent)))
		say(r, "gives inode %llu as parent, which is no inode slot", ull(le64_get(parent->parent)));
	r->inode->parent = le64_get(parent->parent);
}

static void read_quota(struct reading *r, const struct nova_quota_entry *quota)
{
	if (r->inode->ino != r->check->root)
		say(r, "sets limits of a project, but the inode is not the root directory");
	else if (le32_get(quota->project) == 0)
		say(r, "sets limits of project 0, which can have none");
	else
		check_project_limits(r->check, quota,
		                     (uint64_t)((const uint8_t *)quota - r->check->image.base) / NOVA_LINE_SIZE);
}

/* All types but those with a name, a target, a value or extents behind the first line. */
static bool has_one_line(unsigned type)
{
	return type != NOVA_ENTRY_PAD && type != NOVA_ENTRY_NAME && type != NOVA_ENTRY_SYMLINK &&
	       type != NOVA_ENTRY_XATTR && type != NOVA_ENTRY_EXTENTS;
}

static void read_entry(struct reading *r, const struct nova_entry *entry)
{
	const void *payload = entry->payload;

	if (le32_get(entry->epoch) > r->check->epoch) {
		check_say(r->check, "log", r->inode->ino, 0,
		          "entry at position %llu is of epoch %u, later than the pool's %llu", ull(r->position),
		          le32_get(entry->epoch), ull(r->check->epoch));
		check_fix(r->check, FIX_EPOCH, r->inode->ino, le32_get(entry->epoch), 0, 0);
	}
	if (le16_get(entry->flags) || le32_get(entry->view) || le32_get(entry->born) > le32_get(entry->epoch)) {
		say(r, "has flags, a view or an epoch of birth that cannot be");
		return;
	}
	if (has_one_line(entry->type) && entry->lines != 1) {
		say(r, "has %u lines instead of one", entry->lines);
		return;
	}
	switch ((enum nova_entry_type)entry->type) {
	case NOVA_ENTRY_PAD:
	case NOVA_ENTRY_TIMES:
		return;
	case NOVA_ENTRY_XATTR:
		read_xattr(r, entry);
		return;
	case NOVA_ENTRY_ATTR:
		read_attr(r, payload);
		return;
	case NOVA_ENTRY_WRITE:
		read_write(r, payload);
		return;
	case NOVA_ENTRY_EXTENTS:
		read_extents(r, entry);
		return;
	case NOVA_ENTRY_NAME:
		read_name(r, entry);
		return;
	case NOVA_ENTRY_NAME_GONE:
		read_name_gone(r, payload);
		return;
	case NOVA_ENTRY_SYMLINK:
		read_symlink(r, entry);
		return;
	case NOVA_ENTRY_PARENT:
		read_parent(r, payload);
		return;
	case NOVA_ENTRY_QUOTA:
		read_quota(r, payload);
		return;
	}
	say(r, "is of unknown type %u", entry->type);
}

static void note_client_run(struct check *check, const struct check_run *run)
{
	struct check_run *runs =
	    check_grow(check, check->client_runs, check->client_run_count, &check->client_run_room, sizeof(*runs));

	if (!runs)
		return;
	check->client_runs = runs;
	runs[check->client_run_count++] = *run;
}

static void take_extent(void *context, const struct check_run *run)
{
	struct reading *r = context;
	uint64_t size = r->inode->size;
	uint64_t blocks = size / NOVA_BLOCK_SIZE + (size % NOVA_BLOCK_SIZE != 0);

	check_claim_content(r->check, r->inode, CHECK_DATA, run->file_block, run->block, run->count);
	if (run->unwritten)
		r->check->unwritten += run->count;
	r->check->report->data_blocks += run->count;
	if (r->inode->ino == r->check->clients)
		note_client_run(r->check, run);
	if (!run->unwritten && run->file_block + run->count > blocks) {
		check_say(r->check, "block", r->inode->ino, run->block,
		          "it has file blocks %llu to %llu, but the file has only %llu bytes", ull(run->file_block),
		          ull(run->file_block + run->count - 1), ull(size));
		check_fix(r->check, FIX_TRUNCATE, r->inode->ino, 0, 0, 0);
	}
	if (!run->unwritten && size % NOVA_BLOCK_SIZE && run->file_block < blocks &&
	    blocks - 1 < run->file_block + run->count)
		r->last_block = run->block + (blocks - 1 - run->file_block);
}

/* The bytes behind the end of the file must be zero: when the file grows, they become readable. */
static void check_end_of_file(struct reading *r)
{
	const uint8_t *block;

	if (!r->last_block)
		return;
	block = image_block(&r->check->image, r->last_block);
	for (size_t i = r->inode->size % NOVA_BLOCK_SIZE; i < NOVA_BLOCK_SIZE; i++) {
		if (block[i] == 0)
			continue;
		check_say(r->check, "block", r->inode->ino, r->last_block,
		          "byte %zu of the block, behind the end of the file of %llu bytes, is not zero", i,
		          ull(r->inode->size));
		check_fix(r->check, FIX_ZERO, r->inode->ino, r->inode->size % NOVA_BLOCK_SIZE, r->last_block, 0);
		return;
	}
}

static void note_names(struct reading *r)
{
	const struct nova_name_entry **names = NULL;
	size_t count = 0;

	if (check_dir_live(r->dir, &names, &count)) {
		r->check->error = -ENOMEM;
		return;
	}
	for (size_t i = 0; i < count; i++) {
		struct check *check = r->check;
		struct check_name *all =
		    check_grow(check, check->names, check->name_count, &check->name_room, sizeof(*all));

		if (!all)
			break;
		check->names = all;
		all[check->name_count++] = (struct check_name){r->inode->ino, le64_get(names[i]->ino),
		                                               le64_get(names[i]->cookie), names[i]->file_type};
		if (i > 0 && check_name_compare(names[i - 1], names[i]) == 0) {
			bool later = le64_get(names[i]->cookie) > le64_get(names[i - 1]->cookie);
			const struct nova_name_entry *drop = names[later ? i : i - 1];

			check_say(check, "name", r->inode->ino, 0, "the directory has the name '%.*s' twice",
			          (int)names[i]->name_length, (const char *)names[i]->name);
			check_fix(check, FIX_DROP_NAME, r->inode->ino, le64_get(drop->cookie), le64_get(drop->ino), 0);
		}
	}
	free(names);
}

static void check_result(struct reading *r)
{
	const unsigned needed = NOVA_ATTR_MODE | NOVA_ATTR_UID | NOVA_ATTR_GID;

	if ((r->seen & needed) != needed) {
		check_say(r->check, "inode", r->inode->ino, 0, "its log does not set mode, owner and group");
		check_fix(r->check, FIX_ATTR, r->inode->ino, 0, 0, 0);
	}
	r->inode->has_nlink = r->seen & NOVA_ATTR_NLINK;
	if (is_type(r, S_IFLNK) && !r->has_target) {
		check_say(r->check, "inode", r->inode->ino, 0, "the symlink has no target");
		check_fix(r->check, FIX_REMOVE, r->inode->ino, 0, 0, 0);
	}
	if (is_type(r, S_IFREG) && check_extents(r->runs, r->run_count, take_extent, r))
		r->check->error = -ENOMEM;
	check_end_of_file(r);
	if (r->blob) {
		check_claim_content(r->check, r->inode, CHECK_TARGET, 0, r->blob, 1);
		r->check->report->data_blocks++;
	}
	if (r->dir)
		note_names(r);
}

static bool check_header(struct reading *r, const struct image_inode *words)
{
	const struct nova_slot_header *header = &words->slot->header;

	if (!image_slot_header_valid(header, words->ino, words->generation) ||
	    le32_get(header->generation) != words->generation) {
		check_say(r->check, "inode", words->ino, 0, "the slot's header is damaged");
		check_fix(r->check, FIX_HEADER, words->ino, 0, 0, 0);
		return false;
	}
	switch ((mode_t)header->type << 12) {
	case S_IFREG:
	case S_IFDIR:
	case S_IFLNK:
	case S_IFIFO:
	case S_IFSOCK:
	case S_IFCHR:
	case S_IFBLK:
		break;
	default:
		check_say(r->check, "inode", words->ino, 0, "is of unknown type %#o", header->type);
		check_fix(r->check, FIX_HEADER, words->ino, 0, 0, 0);
		return false;
	}
	r->inode->type = header->type;
	r->inode->parent = le64_get(header->parent);
	if (is_type(r, S_IFDIR) && !is_slot(r, r->inode->parent)) {
		check_say(r->check, "inode", words->ino, 0,
		          "its header gives inode %llu as parent, which is no inode slot", ull(r->inode->parent));
		check_fix(r->check, FIX_HEADER, words->ino, 0, 0, 0);
		return false;
	}
	return true;
}

static void check_copies(struct check *check, uint64_t ino, const char *what, const struct image_word *word)
{
	for (int i = 0; i < 2; i++)
		if (!word->valid[i]) {
			check_say(check, "inode", ino, 0, "copy %d of its %s word is damaged%s", i, what,
			          word->valid[!i] ? "; the other one is good" : "");
			if (word->valid[!i])
				check_fix(check, FIX_WORDS, ino, 0, 0, 0);
		}
}

static bool read_log(struct reading *r, const struct image_inode *words)
{
	enum image_step step;
	struct image_log log;

	image_log_begin(&log, &r->check->image, words);
	while ((step = image_log_next(&log)) != IMAGE_END) {
		if (step == IMAGE_PAGE && log.position > NOVA_SLOT_LINES && r->start == 0 && r->position == 0)
			r->start = log.position;
		if (step == IMAGE_BAD) {
			check_say(r->check, "log", words->ino, log.page, "%s", log.why);
			check_fix(r->check, FIX_LOG, words->ino, 0, 0, 0);
			return false;
		}
		if (step == IMAGE_PAGE) {
			if (log.before)
				check_copies(r->check, words->ino, "a log page's next", &log.next);
			check_claim(r->check, r->inode, "log page", log.page, 1);
			r->check->report->log_pages++;
			continue;
		}
		r->position = log.entry_position;
		read_entry(r, log.entry);
	}
	return true;
}

void check_inode_log(struct check *check, const struct image_inode *words, struct check_inode *inode)
{
	struct reading r = {.check = check, .inode = inode};
	uint64_t others = check->report->data_blocks;

	check_copies(check, words->ino, "tail", &words->tail_word);
	if (words->tail > NOVA_SLOT_LINES)
		check_copies(check, words->ino, "head", &words->head_word);
	if (words->tail > NOVA_SLOT_LINES && !words->head_replayed && words->head_word.valid[0] &&
	    words->head_word.valid[1] && words->head_word.copy[0] != words->head_word.copy[1]) {
		check_say(check, "inode", words->ino, 0,
		          "the copies of its head word differ, and it is unknown which is right");
		check_fix(check, FIX_LOG, words->ino, 1, 0, 0);
	}
	if (!check_header(&r, words))
		return;
	if (is_type(&r, S_IFDIR)) {
		r.dir = check_dir_new();
		if (!r.dir) {
			check->error = -ENOMEM;
			return;
		}
	}
	inode->readable = read_log(&r, words);
	if (inode->readable)
		check_result(&r);
	if (inode->readable && r.xattrs)
		check_xattrs_result(check, words, inode, r.xattrs);
	if (inode->readable)
		check_project_use(check, r.project, check->report->data_blocks - others);
	check_xattrs_free(r.xattrs);
	check_dir_free(r.dir);
	free(r.runs);
}
