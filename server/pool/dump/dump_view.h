/*
 * dump_view.h -- writes the fields of `farnova dump`, as indented text or as JSON.
 */
#ifndef FARNOVA_SERVER_POOL_DUMP_VIEW_H
#define FARNOVA_SERVER_POOL_DUMP_VIEW_H

#include "common/json.h"
#include "server/pool/image/image.h"

struct dump_view {
	struct json json;
	bool as_json;
	int depth;
};

/* A group of fields, or a list of groups; `name` is its title, NULL for a member of a list. */
void dump_open(struct dump_view *view, const char *name, char bracket);
void dump_close(struct dump_view *view, char bracket);
void dump_number(struct dump_view *view, const char *name, uint64_t value);
void dump_octal(struct dump_view *view, const char *name, unsigned value);
void dump_hex(struct dump_view *view, const char *name, uint64_t value);
void dump_text(struct dump_view *view, const char *name, const char *text);
void dump_bytes(struct dump_view *view, const char *name, const void *bytes, size_t length);
/* Signed nanoseconds since 1970. */
void dump_time(struct dump_view *view, const char *name, le64 ns);
/* A word with two copies: its value, and each copy if they differ or one is damaged. */
void dump_word(struct dump_view *view, const char *name, const struct image_word *word);

/* ---- dump_inode.c ------------------------------------------------------------------------------- */

/* dump_inode -- header and words of an inode; with_log also each entry of its log. False if there is no such slot. */
bool dump_inode(struct dump_view *view, const struct image *image, uint64_t ino, bool with_log);

/* ---- dump_checkpoint.c ------------------------------------------------------------------------------- */

/* dump_checkpoint -- the allocation state that CHECKPOINT names, if any. */
void dump_checkpoint(struct dump_view *view, const struct image *image);

/* dump_entry -- the entry log->entry. */
void dump_entry(struct dump_view *view, const struct image_log *log);

/* ---- dump_clients.c ----------------------------------------------------------------------------- */

/* dump_clients -- the client table. -ENOMEM. */
int dump_clients(struct dump_view *view, const struct image *image);

/* ---- dump_tree.c -------------------------------------------------------------------------------- */

/* dump_tree -- all names below the root; false without memory. */
bool dump_tree(struct dump_view *view, const struct image *image);

/* dump_find -- find the inode of a path from the root; symlinks are not followed. -ENOENT, -ENOMEM. */
int dump_find(const struct image *image, const char *path, uint64_t *ino);

/* ---- dump_places.c ------------------------------------------------------------------------------ */

/* False if there is no such place. */
bool dump_zone(struct dump_view *view, const struct image *image, uint64_t zone);
bool dump_page(struct dump_view *view, const struct image *image, uint64_t block);

/* dump_free -- free blocks by zone and by length of their runs, as fsck counts them. -ENOMEM. */
int dump_free(struct dump_view *view, const struct image *image);

#endif
