/*
 * dump_inode.c -- shows one inode: its header, its words and the entries of its log.
 */
#include "server/pool/dump/dump_view.h"

#include "common/file_type.h"

#include <string.h>
#include <sys/stat.h>

#define PAYLOAD(type, entry) ((const struct type *)(const void *)(entry)->payload)

static const char *life_name(enum nova_life life)
{
	switch (life) {
	case NOVA_LIFE_NEVER:
		return "never used";
	case NOVA_LIFE_NAMELESS:
		return "nameless";
	case NOVA_LIFE_ALLOCATED:
		return "allocated";
	case NOVA_LIFE_ORPHAN:
		return "orphan";
	case NOVA_LIFE_FREE:
		return "free";
	}
	return "unknown";
}

static void show_attr(struct dump_view *view, const struct nova_attr_entry *attr)
{
	unsigned mask = le16_get(attr->mask);

	if (mask & NOVA_ATTR_MODE)
		dump_octal(view, "mode", le16_get(attr->mode));
	if (mask & NOVA_ATTR_UID)
		dump_number(view, "uid", le32_get(attr->uid));
	if (mask & NOVA_ATTR_GID)
		dump_number(view, "gid", le32_get(attr->gid));
	if (mask & NOVA_ATTR_NLINK)
		dump_number(view, "nlink", le32_get(attr->nlink));
	if (mask & NOVA_ATTR_SIZE)
		dump_number(view, "size", le64_get(attr->size));
	if (mask & NOVA_ATTR_FLAGS)
		dump_hex(view, "flags", le32_get(attr->flags));
	if (mask & NOVA_ATTR_PROJECT)
		dump_number(view, "project", le32_get(attr->project));
	if (mask & NOVA_ATTR_BIRTH)
		dump_time(view, "birth", attr->time_ns);
	else if (mask & NOVA_ATTR_ATIME)
		dump_time(view, "atime", attr->time_ns);
	else if (mask & NOVA_ATTR_MTIME)
		dump_time(view, "mtime", attr->time_ns);
	else
		dump_time(view, "ctime", attr->time_ns);
}

static void show_times(struct dump_view *view, const struct nova_times_entry *times)
{
	dump_time(view, "atime", times->atime_ns);
	dump_time(view, "mtime", times->mtime_ns);
	dump_time(view, "ctime", times->ctime_ns);
}

static void show_write(struct dump_view *view, const struct nova_write_entry *write)
{
	dump_number(view, "file_block", le64_get(write->file_block));
	dump_number(view, "block", le64_get(write->block));
	dump_number(view, "count", le32_get(write->count));
	dump_number(view, "size", le64_get(write->size));
	dump_time(view, "time", write->time_ns);
	if (le32_get(write->flags) & NOVA_WRITE_UNWRITTEN)
		dump_text(view, "state", "unwritten");
	if (le32_get(write->flags) & ~NOVA_WRITE_UNWRITTEN)
		dump_number(view, "flags", le32_get(write->flags));
}

static void show_quota(struct dump_view *view, const struct nova_quota_entry *quota)
{
	dump_number(view, "project", le32_get(quota->project));
	dump_number(view, "block_limit", le64_get(quota->blocks));
	dump_number(view, "inode_limit", le64_get(quota->inodes));
	dump_time(view, "time", quota->time_ns);
}

/* The lines of an entry are adjacent, and were checked to be within its page. */
static size_t room(const struct nova_entry *entry, const void *field)
{
	const uint8_t *end = (const uint8_t *)entry + (size_t)entry->lines * NOVA_LINE_SIZE;

	return (size_t)(end - (const uint8_t *)field);
}

static void show_extents(struct dump_view *view, const struct nova_entry *entry)
{
	const struct nova_extents_entry *extents = PAYLOAD(nova_extents_entry, entry);
	const uint8_t *bytes = (const uint8_t *)extents->extents;
	size_t count = le16_get(extents->count), most = room(entry, bytes) / sizeof(struct nova_packed_extent);

	dump_number(view, "size", le64_get(extents->size));
	dump_number(view, "count", count);
	dump_open(view, "extents", '[');
	for (size_t i = 0; i < count && i < most; i++) {
		struct nova_packed_extent extent;
		uint64_t place, block;

		memcpy(&extent, bytes + i * sizeof(extent), sizeof(extent));
		place = le64_get(extent.place);
		block = le64_get(extent.block);
		dump_open(view, NULL, '{');
		dump_number(view, "file_block", place >> NOVA_EXTENT_BLOCKS_BITS);
		dump_number(view, "block", block & ~NOVA_EXTENT_UNWRITTEN);
		dump_number(view, "count", place & NOVA_EXTENT_BLOCKS_MAX);
		if (block & NOVA_EXTENT_UNWRITTEN)
			dump_text(view, "state", "unwritten");
		dump_close(view, '}');
	}
	dump_close(view, ']');
}

static void show_name(struct dump_view *view, const struct nova_entry *entry)
{
	const struct nova_name_entry *name = PAYLOAD(nova_name_entry, entry);
	size_t most = room(entry, name->name);

	dump_bytes(view, "name", name->name, name->name_length < most ? name->name_length : most);
	dump_number(view, "inode", le64_get(name->ino));
	dump_text(view, "file_type", file_type_name((mode_t)name->file_type << 12));
	dump_number(view, "cookie", le64_get(name->cookie));
	dump_time(view, "time", name->time_ns);
}

static void show_symlink(struct dump_view *view, const struct image *image, const struct nova_entry *entry)
{
	const struct nova_symlink_entry *link = PAYLOAD(nova_symlink_entry, entry);
	size_t length = le16_get(link->length), most = room(entry, link->target);
	uint64_t blob = le64_get(link->blob);
	const void *target = link->target;

	if (blob) {
		dump_number(view, "blob", blob);
		target = image_usable_block(image, blob) ? image_block(image, blob) : NULL;
		most = NOVA_BLOCK_SIZE;
	}
	if (target)
		dump_bytes(view, "target", target, length < most ? length : most);
	else
		dump_text(view, "target", "damaged");
}

static const char *space_name(unsigned space)
{
	static const char *const names[] = {
	    [NOVA_XATTR_USER] = "user",
	    [NOVA_XATTR_TRUSTED] = "trusted",
	    [NOVA_XATTR_SECURITY] = "security",
	    [NOVA_XATTR_ACCESS] = "system.posix_acl_access",
	    [NOVA_XATTR_DEFAULT] = "system.posix_acl_default",
	};

	return space < sizeof(names) / sizeof(names[0]) && names[space] ? names[space] : "unknown";
}

/* Values are user data and may be long, so only their places are shown. */
static void show_xattr(struct dump_view *view, const struct nova_entry *entry)
{
	const struct nova_xattr_entry *xattr = PAYLOAD(nova_xattr_entry, entry);
	const uint8_t *bytes = xattr->bytes; /* which go on in the next lines */
	size_t most = room(entry, xattr->bytes), length = xattr->name_length < most ? xattr->name_length : most;

	dump_text(view, "space", space_name(xattr->space));
	if (length)
		dump_bytes(view, "name", bytes, length);
	if (xattr->gone)
		dump_text(view, "value", "gone");
	else
		dump_number(view, "value_length", le32_get(xattr->value_length));
	if (xattr->runs) {
		dump_hex(view, "blob_crc", le32_get(xattr->blob_crc));
		dump_open(view, "blob", '[');
		for (size_t i = 0; i < xattr->runs && length + (i + 1) * sizeof(le64) <= most; i++) {
			le64 run;

			memcpy(&run, bytes + length + i * sizeof(run), sizeof(run));
			dump_open(view, NULL, '{');
			dump_number(view, "block", le64_get(run) >> 16);
			dump_number(view, "count", le64_get(run) & 0xffff);
			dump_close(view, '}');
		}
		dump_close(view, ']');
	}
	dump_time(view, "ctime", xattr->time_ns);
}

static void show_gone(struct dump_view *view, const struct nova_name_gone_entry *gone)
{
	dump_number(view, "cookie", le64_get(gone->cookie));
	dump_number(view, "inode", le64_get(gone->ino));
	dump_time(view, "time", gone->time_ns);
}

static const char *entry_name(unsigned type)
{
	static const char *const names[] = {
	    [NOVA_ENTRY_PAD] = "pad",         [NOVA_ENTRY_ATTR] = "attr",       [NOVA_ENTRY_TIMES] = "times",
	    [NOVA_ENTRY_WRITE] = "write",     [NOVA_ENTRY_NAME] = "name",       [NOVA_ENTRY_NAME_GONE] = "name gone",
	    [NOVA_ENTRY_SYMLINK] = "symlink", [NOVA_ENTRY_PARENT] = "parent",   [NOVA_ENTRY_XATTR] = "xattr",
	    [NOVA_ENTRY_QUOTA] = "quota",     [NOVA_ENTRY_EXTENTS] = "extents",
	};

	return type < sizeof(names) / sizeof(names[0]) && names[type] ? names[type] : "unknown";
}

void dump_entry(struct dump_view *view, const struct image_log *log)
{
	const struct nova_entry *entry = log->entry;

	dump_open(view, NULL, '{');
	dump_number(view, "position", log->entry_position);
	dump_text(view, "type", entry_name(entry->type));
	dump_number(view, "lines", entry->lines);
	if (entry->type != NOVA_ENTRY_PAD)
		dump_number(view, "epoch", le32_get(entry->epoch));
	if (le32_get(entry->born) != le32_get(entry->epoch))
		dump_number(view, "born", le32_get(entry->born));
	switch (entry->type) {
	case NOVA_ENTRY_ATTR:
		show_attr(view, PAYLOAD(nova_attr_entry, entry));
		break;
	case NOVA_ENTRY_TIMES:
		show_times(view, PAYLOAD(nova_times_entry, entry));
		break;
	case NOVA_ENTRY_WRITE:
		show_write(view, PAYLOAD(nova_write_entry, entry));
		break;
	case NOVA_ENTRY_EXTENTS:
		show_extents(view, entry);
		break;
	case NOVA_ENTRY_NAME:
		show_name(view, entry);
		break;
	case NOVA_ENTRY_NAME_GONE:
		show_gone(view, PAYLOAD(nova_name_gone_entry, entry));
		break;
	case NOVA_ENTRY_SYMLINK:
		show_symlink(view, log->image, entry);
		break;
	case NOVA_ENTRY_XATTR:
		show_xattr(view, entry);
		break;
	case NOVA_ENTRY_QUOTA:
		show_quota(view, PAYLOAD(nova_quota_entry, entry));
		break;
	case NOVA_ENTRY_PARENT:
		dump_number(view, "parent", le64_get(PAYLOAD(nova_parent_entry, entry)->parent));
		dump_time(view, "ctime", PAYLOAD(nova_parent_entry, entry)->time_ns);
		break;
	}
	dump_close(view, '}');
}

static void show_log(struct dump_view *view, const struct image *image, const struct image_inode *inode)
{
	enum image_step step;
	struct image_log log;

	dump_open(view, "log", '[');
	image_log_begin(&log, image, inode);
	while ((step = image_log_next(&log)) != IMAGE_END) {
		if (step == IMAGE_ENTRY) {
			dump_entry(view, &log);
			continue;
		}
		dump_open(view, NULL, '{');
		if (step == IMAGE_PAGE)
			dump_number(view, "page", log.page);
		else
			dump_text(view, "damaged", log.why);
		dump_close(view, '}');
		if (step == IMAGE_BAD)
			break;
	}
	dump_close(view, ']');
}

static void show_header(struct dump_view *view, const struct image_inode *inode)
{
	const struct nova_slot_header *header = &inode->slot->header;

	if (!image_slot_header_valid(header, inode->ino, inode->generation)) {
		dump_text(view, "header", "damaged");
		return;
	}
	dump_text(view, "type", file_type_name((mode_t)header->type << 12));
	dump_time(view, "birth", header->birth_ns);
	if (header->type == S_IFDIR >> 12)
		dump_number(view, "parent_at_birth", le64_get(header->parent));
	if (header->type == S_IFCHR >> 12 || header->type == S_IFBLK >> 12)
		dump_number(view, "rdev", le32_get(header->rdev));
}

bool dump_inode(struct dump_view *view, const struct image *image, uint64_t ino, bool with_log)
{
	struct image_inode inode;
	int rc = image_inode(image, ino, &inode);

	if (!inode.slot)
		return false;
	dump_open(view, NULL, '{');
	dump_number(view, "inode", ino);
	if (rc) {
		dump_text(view, "life", "damaged");
		dump_close(view, '}');
		return true;
	}
	dump_text(view, "life", life_name(inode.life));
	dump_number(view, "generation", inode.generation);
	dump_word(view, "life_word", &inode.life_word);
	if (life_has_log(inode.life)) {
		dump_number(view, "tail", inode.tail);
		dump_word(view, "tail_word", &inode.tail_word);
		if (inode.tail > NOVA_SLOT_LINES)
			dump_word(view, "head_word", &inode.head_word);
		show_header(view, &inode);
		if (with_log)
			show_log(view, image, &inode);
	}
	dump_close(view, '}');
	return true;
}
