/*
 * check_xattr.c -- checks an inode's extended attributes: each entry, and the attributes that are live at the end.
 */
#include "common/crc.h"
#include "server/pool/check/check_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct live_xattr {
	uint64_t position;
	const struct nova_xattr_entry *entry;
};

struct check_xattrs {
	struct live_xattr *live;
	size_t count, room;
};

static const struct nova_xattr_entry *payload_of(const struct nova_entry *entry)
{
	return (const struct nova_xattr_entry *)(const void *)entry->payload;
}

static bool is_acl(const struct nova_xattr_entry *xattr)
{
	return xattr->space == NOVA_XATTR_ACCESS || xattr->space == NOVA_XATTR_DEFAULT;
}

static bool same_name(const struct nova_xattr_entry *a, const struct nova_xattr_entry *b)
{
	return a->space == b->space && a->name_length == b->name_length &&
	       memcmp(a->bytes, b->bytes, a->name_length) == 0;
}

/* The value or the runs: they follow the name without a gap. */
static const uint8_t *after_name(const struct nova_xattr_entry *xattr)
{
	return (const uint8_t *)xattr + offsetof(struct nova_xattr_entry, bytes) + xattr->name_length;
}

static uint64_t run_at(const struct nova_xattr_entry *xattr, unsigned i, uint64_t *count)
{
	le64 run;

	memcpy(&run, after_name(xattr) + i * sizeof(run), sizeof(run));
	*count = le64_get(run) & 0xffff;
	return le64_get(run) >> 16;
}

/* ---- an entry ----------------------------------------------------------------------------------- */

static const char *name_fault(const struct nova_xattr_entry *xattr)
{
	static const unsigned prefix[] = {[NOVA_XATTR_USER] = 5, [NOVA_XATTR_TRUSTED] = 8, [NOVA_XATTR_SECURITY] = 9};

	if (xattr->space < NOVA_XATTR_USER || xattr->space > NOVA_XATTR_DEFAULT)
		return "is of an extended attribute of unknown kind";
	if (is_acl(xattr))
		return xattr->name_length ? "has an ACL with a name" : NULL;
	if (xattr->name_length == 0 || prefix[xattr->space] + xattr->name_length > NOVA_XATTR_NAME_MAX)
		return "has an extended attribute's name of impossible length";
	return NULL;
}

static const char *form_fault(const struct nova_entry *entry)
{
	const struct nova_xattr_entry *xattr = payload_of(entry);
	const char *fault = name_fault(xattr);
	size_t length = le32_get(xattr->value_length), bytes = xattr->name_length;

	if (fault)
		return fault;
	if (xattr->gone > 1 || (xattr->gone && length))
		return "removes an extended attribute but has a value";
	if (length > NOVA_XATTR_VALUE_MAX || xattr->runs > NOVA_XATTR_RUNS_MAX)
		return "has an extended attribute of more than 64 KiB";
	if ((bytes + length > NOVA_XATTR_INLINE_MAX) != (xattr->runs > 0))
		return "has an extended attribute's value in the wrong place";
	bytes += xattr->runs ? xattr->runs * sizeof(le64) : length;
	bytes = bytes > NOVA_XATTR_INLINE ? bytes - NOVA_XATTR_INLINE : 0;
	if (entry->lines != 1 + (bytes + NOVA_LINE_SIZE - 1) / NOVA_LINE_SIZE)
		return "has a wrong number of lines for its extended attribute";
	return memchr(xattr->bytes, '\0', xattr->name_length) ? "has an extended attribute's name with NUL in it"
	                                                      : NULL;
}

/* The kernel's form, version 2: owner 1, users 2, group 4, groups 8, mask 16, others 32, in this order. */
static const char *acl_fault(const struct nova_xattr_entry *xattr)
{
	size_t length = le32_get(xattr->value_length);
	const uint8_t *value = after_name(xattr);
	unsigned times[33] = {0}, last = 0;

	if (length < 28 || length % 8 != 4 || memcmp(value, "\2\0\0\0", 4) != 0)
		return "has an ACL of unknown format";
	for (const uint8_t *item = value + 4; item < value + length; item += 8) {
		unsigned tag = item[0] | (unsigned)item[1] << 8, bits = item[2] | (unsigned)item[3] << 8;

		if (tag == 0 || tag > 32 || (tag & (tag - 1)) || tag < last || bits > 7)
			return "has an ACL with an entry of unknown kind or out of order";
		last = tag;
		times[tag]++;
	}
	if (times[1] != 1 || times[4] != 1 || times[32] != 1 || times[16] > 1)
		return "has an ACL without exactly one entry each for owner, group and others";
	if (!times[16] && (times[2] || times[8] || xattr->space == NOVA_XATTR_ACCESS))
		return "has an ACL without a mask";
	return NULL;
}

static const char *place_fault(const struct image *image, const struct nova_xattr_entry *xattr)
{
	uint64_t blocks = 0, count;

	for (unsigned i = 0; i < xattr->runs; i++) {
		uint64_t first = run_at(xattr, i, &count);

		if (count == 0 || !image_usable_block(image, first) || !image_usable_block(image, first + count - 1))
			return "has an extended attribute's value outside the pool's usable blocks";
		blocks += count;
	}
	if (xattr->runs && blocks != (le32_get(xattr->value_length) + NOVA_BLOCK_SIZE - 1) / NOVA_BLOCK_SIZE)
		return "has more or fewer blocks than its extended attribute needs";
	return NULL;
}

/* ---- live attributes ---------------------------------------------------------------------------- */

struct check_xattrs *check_xattrs_new(void)
{
	return calloc(1, sizeof(struct check_xattrs));
}

void check_xattrs_free(struct check_xattrs *xattrs)
{
	if (xattrs)
		free(xattrs->live);
	free(xattrs);
}

const char *check_xattr_entry(struct check *check, struct check_xattrs *xattrs, const struct nova_entry *entry,
                              uint64_t position)
{
	const struct nova_xattr_entry *xattr = payload_of(entry);
	const char *fault = form_fault(entry);
	size_t i = 0;

	if (!fault)
		fault = place_fault(&check->image, xattr);
	if (!fault && is_acl(xattr) && !xattr->gone)
		fault = acl_fault(xattr);
	if (fault)
		return fault;
	while (i < xattrs->count && !same_name(xattrs->live[i].entry, xattr))
		i++;
	/* GC may have cut off the entry that set the attribute: then there is nothing to remove. */
	if (xattr->gone) {
		if (i < xattrs->count)
			xattrs->live[i] = xattrs->live[--xattrs->count];
		return NULL;
	}
	if (i == xattrs->count) {
		struct live_xattr *live =
		    check_grow(check, xattrs->live, xattrs->count, &xattrs->room, sizeof(*xattrs->live));

		if (!live)
			return NULL;
		xattrs->live = live;
		xattrs->count++;
	}
	xattrs->live[i] = (struct live_xattr){position, xattr};
	return NULL;
}

/* The runs hold the value in order; the rest of the last block does not matter. */
static void check_blob(struct check *check, const struct image_inode *inode, const struct live_xattr *live)
{
	const struct nova_xattr_entry *xattr = live->entry;
	le32 generation = le32_of(inode->generation);
	size_t left = le32_get(xattr->value_length);
	uint32_t crc = crc32c_u64(0xffffffffu, inode->ino);

	crc = crc32c(crc, &generation, sizeof(generation));
	for (unsigned i = 0; i < xattr->runs; i++) {
		uint64_t count, first = run_at(xattr, i, &count);

		for (uint64_t n = 0; n < count; n++) {
			size_t bytes = left < NOVA_BLOCK_SIZE ? left : NOVA_BLOCK_SIZE;

			crc = crc32c(crc, image_block(&check->image, first + n), bytes);
			left -= bytes;
		}
	}
	if (crc == le32_get(xattr->blob_crc))
		return;
	check_say(check, "log", inode->ino, 0,
	          "entry at position %llu has an extended attribute's value that fails its CRC",
	          (unsigned long long)live->position);
	check_fix(check, FIX_ENTRY, inode->ino, live->position, 0, 0);
}

void check_xattrs_result(struct check *check, const struct image_inode *inode, const struct check_inode *into,
                         const struct check_xattrs *xattrs)
{
	for (size_t i = 0; i < xattrs->count; i++) {
		const struct nova_xattr_entry *xattr = xattrs->live[i].entry;

		for (unsigned k = 0; k < xattr->runs; k++) {
			uint64_t count, first = run_at(xattr, k, &count);

			check_claim_content(check, into, CHECK_XATTR, xattrs->live[i].position, first, count);
			check->report->data_blocks += count;
		}
		if (xattr->runs)
			check_blob(check, inode, &xattrs->live[i]);
		if (is_acl(xattr) && into->type == S_IFLNK >> 12) {
			check_say(check, "inode", into->ino, 0, "is a symlink but has an ACL");
			check_fix(check, FIX_ENTRY, into->ino, xattrs->live[i].position, 0, 0);
		}
		if (xattr->space == NOVA_XATTR_DEFAULT && into->type != S_IFDIR >> 12) {
			check_say(check, "inode", into->ino, 0, "has a default ACL but is no directory");
			check_fix(check, FIX_ENTRY, into->ino, xattrs->live[i].position, 0, 0);
		}
	}
}
