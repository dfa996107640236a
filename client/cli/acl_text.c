/*
 * acl_text.c -- POSIX ACLs as text (acl(5), setfacl(1)) and in the format of the kernel's extended attributes.
 */
#include "client/cli/acl_text.h"

#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <grp.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define NO_ID          UINT32_MAX
#define LOOK_UP_MAX    (1u << 20) /* a group with all its members */
#define NAME_MAX_BYTES 256u
#define QUOTED         " \t\n\r\\:,#=" /* these would end a name, and are written as \ooo */

/* ---- lists ------------------------------------------------------------------------------------------------------ */

static const struct {
	uint16_t tag;
	const char *word;
} tags[] = {
    {ACL_USER_OBJ, "user"}, {ACL_USER, "user"}, {ACL_GROUP_OBJ, "group"},
    {ACL_GROUP, "group"},   {ACL_MASK, "mask"}, {ACL_OTHER, "other"},
};

#define TAGS (sizeof(tags) / sizeof(tags[0]))

static const char *word_of(uint16_t tag)
{
	for (size_t i = 0; i < TAGS; i++)
		if (tags[i].tag == tag)
			return tags[i].word;
	return NULL;
}

static bool is_named(uint16_t tag)
{
	return tag == ACL_USER || tag == ACL_GROUP;
}

/* The attribute sorts entries by tag; the numbers of the tags have the same order. */
static bool before(const struct acl_entry *entry, uint16_t tag, uint32_t id)
{
	return entry->tag < tag || (entry->tag == tag && entry->id < id);
}

struct acl_entry *acl_find(struct acl *acl, uint16_t tag, uint32_t id)
{
	for (size_t i = 0; i < acl->count; i++)
		if (acl->entries[i].tag == tag && acl->entries[i].id == id)
			return &acl->entries[i];
	return NULL;
}

int acl_put(struct acl *acl, uint16_t tag, uint32_t id, uint16_t permissions)
{
	struct acl_entry *there = acl_find(acl, tag, id);
	size_t i = 0;

	if (there) {
		there->permissions = permissions;
		return 0;
	}
	if (acl->count == ACL_ENTRIES_MAX)
		return -E2BIG;
	while (i < acl->count && before(&acl->entries[i], tag, id))
		i++;
	memmove(&acl->entries[i + 1], &acl->entries[i], (acl->count - i) * sizeof(acl->entries[0]));
	acl->entries[i] = (struct acl_entry){tag, permissions, id};
	acl->count++;
	return 0;
}

void acl_drop(struct acl *acl, uint16_t tag, uint32_t id)
{
	struct acl_entry *entry = acl_find(acl, tag, id);

	if (!entry)
		return;
	acl->count--;
	memmove(entry, entry + 1, (size_t)(&acl->entries[acl->count] - entry) * sizeof(*entry));
}

bool acl_names_any(const struct acl *acl)
{
	for (size_t i = 0; i < acl->count; i++)
		if (is_named(acl->entries[i].tag))
			return true;
	return false;
}

uint16_t acl_union(const struct acl *acl)
{
	uint16_t all = 0;

	for (size_t i = 0; i < acl->count; i++)
		if (is_named(acl->entries[i].tag) || acl->entries[i].tag == ACL_GROUP_OBJ)
			all |= acl->entries[i].permissions;
	return all;
}

void acl_of_mode(mode_t mode, struct acl *acl)
{
	acl->count = 0;
	acl_put(acl, ACL_USER_OBJ, NO_ID, mode >> 6 & 7);
	acl_put(acl, ACL_GROUP_OBJ, NO_ID, mode >> 3 & 7);
	acl_put(acl, ACL_OTHER, NO_ID, mode & 7);
}

/* ---- the attribute ---------------------------------------------------------------------------------------------- */

int acl_decode(const void *value, size_t size, struct acl *acl)
{
	const char *bytes = value;
	struct posix_acl_xattr_header head;
	struct posix_acl_xattr_entry entry;

	acl->count = 0;
	if (size < sizeof(head) || size > ACL_VALUE_MAX || (size - sizeof(head)) % sizeof(entry))
		return -EINVAL;
	memcpy(&head, bytes, sizeof(head));
	if (le32toh(head.a_version) != POSIX_ACL_XATTR_VERSION)
		return -EINVAL;
	for (size_t at = sizeof(head); at < size; at += sizeof(entry)) {
		memcpy(&entry, bytes + at, sizeof(entry));
		uint16_t tag = le16toh(entry.e_tag), permissions = le16toh(entry.e_perm);
		if (!word_of(tag) || permissions > 7)
			return -EINVAL;
		acl_put(acl, tag, is_named(tag) ? le32toh(entry.e_id) : NO_ID, permissions);
	}
	return 0;
}

size_t acl_encode(const struct acl *acl, void *value)
{
	const struct posix_acl_xattr_header head = {htole32(POSIX_ACL_XATTR_VERSION)};
	struct posix_acl_xattr_entry out;
	char *bytes = value;

	memcpy(bytes, &head, sizeof(head));
	bytes += sizeof(head);
	for (size_t i = 0; i < acl->count; i++, bytes += sizeof(out)) {
		const struct acl_entry *entry = &acl->entries[i];

		out.e_tag = htole16(entry->tag);
		out.e_perm = htole16(entry->permissions);
		out.e_id = htole32(entry->id);
		memcpy(bytes, &out, sizeof(out));
	}
	return (size_t)(bytes - (char *)value);
}

/* ---- reading text ----------------------------------------------------------------------------------------------- */

static int wrong(char *why, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

static int wrong(char *why, size_t size, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(why, size, format, arguments);
	va_end(arguments);
	return -EINVAL;
}

/* Whether `word` is `whole` or its first letter. */
static bool means(const char *word, const char *whole)
{
	return strcmp(word, whole) == 0 || (word[0] == whole[0] && !word[1]);
}

/* The text up to the next colon; advances behind it; NULL at the end. */
static char *next_field(char **rest)
{
	char *field = *rest, *colon = field ? strchr(field, ':') : NULL;

	if (colon)
		*colon = 0;
	*rest = colon ? colon + 1 : NULL;
	return field;
}

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

static void unquote(char *text)
{
	char *out = text;

	for (; *text; text++) {
		if (text[0] == '\\' && is_octal(text[1]) && is_octal(text[2]) && is_octal(text[3])) {
			*out++ = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 | (text[3] - '0'));
			text += 3;
		} else {
			*out++ = *text;
		}
	}
	*out = 0;
}

/* The id of a name on this host. */
static bool look_up(const char *name, bool group, uint32_t *id)
{
	char *buffer = malloc(LOOK_UP_MAX);
	struct passwd user, *found_user = NULL;
	struct group members, *found_members = NULL;

	if (buffer && group && getgrnam_r(name, &members, buffer, LOOK_UP_MAX, &found_members) == 0 && found_members)
		*id = members.gr_gid;
	if (buffer && !group && getpwnam_r(name, &user, buffer, LOOK_UP_MAX, &found_user) == 0 && found_user)
		*id = user.pw_uid;
	free(buffer);
	return found_user || found_members;
}

static int read_id(char *name, bool group, uint32_t *id, char *why, size_t why_size)
{
	char *end;

	unquote(name);
	if (isdigit((unsigned char)name[0])) {
		errno = 0;
		unsigned long value = strtoul(name, &end, 10);
		if (!*end) {
			*id = (uint32_t)value;
			return errno || value >= NO_ID ? wrong(why, why_size, "'%s' is no user or group id", name) : 0;
		}
	}
	if (look_up(name, group, id))
		return 0;
	return wrong(why, why_size, "this host knows no %s '%s'; use the number", group ? "group" : "user", name);
}

/* "rwx" in any order, "-" for none, X, or a digit. */
static bool read_permissions(const char *text, struct acl_change *change)
{
	static const char letters[] = "xwr";

	if (is_octal(text[0]) && !text[1]) {
		change->entry.permissions = (uint16_t)(text[0] - '0');
		return true;
	}
	for (const char *c = text; *c; c++) {
		const char *letter = strchr(letters, *c);

		if (letter)
			change->entry.permissions |= (uint16_t)(1u << (letter - letters));
		else if (*c == 'X')
			change->execute_too = true;
		else if (*c != '-')
			return false;
	}
	return *text;
}

static int read_tag(const char *word, struct acl_change *change)
{
	if (means(word, "user"))
		change->entry.tag = ACL_USER_OBJ;
	else if (means(word, "group"))
		change->entry.tag = ACL_GROUP_OBJ;
	else if (means(word, "mask"))
		change->entry.tag = ACL_MASK;
	else if (means(word, "other"))
		change->entry.tag = ACL_OTHER;
	else
		return -EINVAL;
	return 0;
}

/* `text` is modified; `whole` is the unmodified text. */
static int read_entry(char *text, const char *whole, bool permissions, struct acl_change *change, char *why,
                      size_t why_size)
{
	char *rest = text, *field = next_field(&rest);

	if (means(field, "default") && rest) {
		change->of_default = true;
		field = next_field(&rest);
	}
	if (read_tag(field, change))
		return wrong(why, why_size, "'%s' does not begin with user, group, mask, other or default:", whole);
	bool can_name = change->entry.tag == ACL_USER_OBJ || change->entry.tag == ACL_GROUP_OBJ;
	change->entry.id = NO_ID;
	field = next_field(&rest);
	if (!can_name && field && *field && !rest) { /* "mask:rwx", "o:r" */
		rest = field;
	} else if (field && *field) {
		if (!can_name)
			return wrong(why, why_size, "'%s' names somebody where nobody is named", whole);
		int error = read_id(field, change->entry.tag == ACL_GROUP_OBJ, &change->entry.id, why, why_size);
		if (error)
			return error;
		change->entry.tag = change->entry.tag == ACL_USER_OBJ ? ACL_USER : ACL_GROUP;
	}
	field = next_field(&rest);
	if (rest)
		return wrong(why, why_size, "'%s' has too many colons", whole);
	if (!permissions)
		return field && *field ? wrong(why, why_size, "'%s' is to be removed: permissions say nothing", whole)
		                       : 0;
	if (!field || !read_permissions(field, change))
		return wrong(why, why_size, "'%s' has no permissions of r, w, x, X and -, or one digit", whole);
	return 0;
}

static int append(struct acl_changes *out, const struct acl_change *change)
{
	/* The array grows when the count is a power of two. */
	if ((out->count & (out->count - 1)) == 0) {
		struct acl_change *grown =
		    reallocarray(out->changes, out->count ? 2 * out->count : 1, sizeof(*out->changes));
		if (!grown)
			return -ENOMEM;
		out->changes = grown;
	}
	out->changes[out->count++] = *change;
	return 0;
}

static char *trim(char *text)
{
	while (isspace((unsigned char)*text))
		text++;
	size_t length = strlen(text);
	while (length && isspace((unsigned char)text[length - 1]))
		text[--length] = 0;
	return text;
}

static int read_line(char *line, bool permissions, bool of_default, struct acl_changes *out, char *why, size_t why_size)
{
	char *rest = NULL;
	int error = 0;

	line[strcspn(line, "#")] = 0;
	for (char *part = strtok_r(line, ",", &rest); part && !error; part = strtok_r(NULL, ",", &rest)) {
		struct acl_change change = {.of_default = of_default};
		char *text = trim(part);

		if (!*text)
			continue;
		char *whole = strdup(text);
		error = whole ? read_entry(text, whole, permissions, &change, why, why_size) : -ENOMEM;
		free(whole);
		if (!error)
			error = append(out, &change);
	}
	return error;
}

int acl_read_text(const char *text, bool permissions, bool of_default, struct acl_changes *out, char *why,
                  size_t why_size)
{
	char *copy = strdup(text), *rest = NULL;
	int error = copy ? 0 : -ENOMEM;

	*out = (struct acl_changes){0};
	for (char *line = copy ? strtok_r(copy, "\n", &rest) : NULL; line && !error; line = strtok_r(NULL, "\n", &rest))
		error = read_line(line, permissions, of_default, out, why, why_size);
	if (!error && out->count == 0)
		error = wrong(why, why_size, "there is no entry; one looks like user:NAME:rwx");
	if (error == -ENOMEM)
		wrong(why, why_size, "out of memory");
	free(copy);
	if (error)
		acl_changes_free(out);
	return error;
}

void acl_changes_free(struct acl_changes *changes)
{
	free(changes->changes);
	*changes = (struct acl_changes){0};
}

/* ---- printing --------------------------------------------------------------------------------------------------- */

static void permissions_text(uint16_t permissions, char text[4])
{
	for (int i = 0; i < 3; i++)
		text[i] = "-r-w-x"[2 * i + (permissions >> (2 - i) & 1)];
	text[3] = 0;
}

/* The name of the id on this host, quoted, or the number. */
static void id_text(const struct acl_entry *entry, bool numeric, char *text, size_t size)
{
	const char *name = NULL;
	size_t used = 0;

	if (!numeric && entry->tag == ACL_USER) {
		const struct passwd *user = getpwuid(entry->id);
		name = user ? user->pw_name : NULL;
	} else if (!numeric) {
		const struct group *group = getgrgid(entry->id);
		name = group ? group->gr_name : NULL;
	}
	if (!name || strlen(name) * 4 >= size) {
		snprintf(text, size, "%u", entry->id);
		return;
	}
	for (; *name; name++)
		used += (size_t)snprintf(text + used, size - used,
		                         (unsigned char)*name <= ' ' || strchr(QUOTED, *name) ? "\\%03o" : "%c",
		                         (unsigned char)*name);
}

static const struct acl_entry *mask_of(const struct acl *acl)
{
	for (size_t i = 0; i < acl->count; i++)
		if (acl->entries[i].tag == ACL_MASK)
			return &acl->entries[i];
	return NULL;
}

/* The permissions of a masked entry after the mask is applied. */
static void print_effective(FILE *out, const struct acl *acl, const struct acl_entry *entry,
                            const struct acl_style *style)
{
	const struct acl_entry *mask = mask_of(acl);
	char permissions[4];

	if (!mask || style->effective == ACL_EFFECTIVE_NONE || (!is_named(entry->tag) && entry->tag != ACL_GROUP_OBJ))
		return;
	uint16_t allowed = entry->permissions & mask->permissions;
	if (style->effective == ACL_EFFECTIVE_SOME && allowed == entry->permissions)
		return;
	permissions_text(allowed, permissions);
	fprintf(out, "\t#effective:%s", permissions);
}

void acl_print(FILE *out, const struct acl *acl, const struct acl_style *style)
{
	for (size_t i = 0; i < acl->count; i++) {
		const struct acl_entry *entry = &acl->entries[i];
		char id[4 * NAME_MAX_BYTES] = "", permissions[4];

		if (is_named(entry->tag))
			id_text(entry, style->numeric, id, sizeof(id));
		permissions_text(entry->permissions, permissions);
		fprintf(out, "%s%s:%s:%s", style->prefix, word_of(entry->tag), id, permissions);
		print_effective(out, acl, entry, style);
		fputc('\n', out);
	}
}
