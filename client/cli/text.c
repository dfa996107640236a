/*
 * text.c -- names, sizes and modes as commands print them.
 */
#include "client/cli/text.h"

#include "common/file_type.h"
#include "common/json.h"

#include <unistd.h>

void print_name(FILE *out, const char *name)
{
	if (!isatty(fileno(out))) {
		fputs(name, out);
		return;
	}
	for (; *name; name++)
		fputc((unsigned char)*name < 0x20 || *name == 0x7f ? '?' : *name, out);
}

const char *human_size(uint64_t bytes, char buffer[24])
{
	static const char units[] = "BKMGTPE";
	double value = (double)bytes;
	int unit = 0;

	while (value >= 1023.95 && units[unit + 1]) {
		value /= 1024;
		unit++;
	}
	if (unit == 0)
		snprintf(buffer, 24, "%u", (unsigned)bytes);
	else
		snprintf(buffer, 24, "%.1f%c", value, units[unit]);
	return buffer;
}

const char *mode_text(mode_t mode, char buffer[11])
{
	static const char types[] = "?pc?d?b?-?l?s???";

	buffer[0] = types[(mode & S_IFMT) >> 12];
	for (int i = 0; i < 9; i++)
		buffer[1 + i] = (mode & (0400u >> i)) ? "rwx"[i % 3] : '-';
	if (mode & S_ISUID)
		buffer[3] = (mode & S_IXUSR) ? 's' : 'S';
	if (mode & S_ISGID)
		buffer[6] = (mode & S_IXGRP) ? 's' : 'S';
	if (mode & S_ISVTX)
		buffer[9] = (mode & S_IXOTH) ? 't' : 'T';
	buffer[10] = 0;
	return buffer;
}

void json_stat(struct json *json, const struct stat *st)
{
	char mode[8];

	snprintf(mode, sizeof(mode), "%04o", st->st_mode & 07777);
	json_text(json, "type", file_type_name(st->st_mode));
	json_text(json, "mode", mode);
	json_number(json, "nlink", st->st_nlink);
	json_number(json, "uid", st->st_uid);
	json_number(json, "gid", st->st_gid);
	json_number(json, "size", (uint64_t)st->st_size);
	json_number(json, "blocks", (uint64_t)st->st_blocks);
	json_number(json, "ino", st->st_ino);
}
