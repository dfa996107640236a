/*
 * config.c -- the server's settings: the only place where flags and the configuration file are read and validated.
 */
#include "server/config.h"

#include "common/log.h"
#include "proto/proto.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define KIB 1024ull
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

#define CACHE_MIN MIB
#define CACHE_MAX (16384 * GIB)

enum kind { TEXT, NUMBER, SIZE, FLAG };

struct setting {
	const char *name;
	enum kind kind;
	size_t offset;
	size_t size; /* of a TEXT */
	uint64_t low, high;
	const char *initial;
	const char *value; /* the name of the value in the help */
	const char *help;
};

#define TEXT_OF(field)  #field, TEXT, offsetof(struct config, field), sizeof(((struct config *)0)->field), 0, 0
#define VALUE_OF(field) offsetof(struct config, field), 0

static const struct setting settings[] = {
    {TEXT_OF(pool), "", "PATH", "the pool: a devdax device or a file (tmpfs, fsdax or any other)"},
    {TEXT_OF(listen), "127.0.0.1", "ADDR[:PORT]", "where to listen; IPv6 in brackets; port 0 = any free one"},
    {TEXT_OF(transport), "auto", "auto|verbs|tcp", "auto = verbs and tcp where an RDMA device is active, else tcp"},
    {"workers", NUMBER, VALUE_OF(workers), 0, CONFIG_MAX_WORKERS, "0", "N", "worker threads; 0 = half the CPUs"},
    {"spin_us", NUMBER, VALUE_OF(spin_us), 0, 1000000, NULL, "US",
     "how long a worker polls after the last event (50; 0 where there are fewer CPUs than workers + 1)"},
    {"lease_ms", NUMBER, VALUE_OF(lease_ms), 500, 3600000, "15000", "MS", "how long a silent client keeps its session"},
    {"recall_ms", NUMBER, VALUE_OF(recall_ms), 100, 600000, "2000", "MS",
     "how long a change waits for a client that does not return a layout"},
    {"share_ms", NUMBER, VALUE_OF(share_ms), 0, 60000, "100", "MS",
     "how long a file has no layouts after one was recalled"},
    {"max_clients", NUMBER, VALUE_OF(max_clients), 1, 65536, "4096", "N", "sessions at a time"},
    {"max_per_host", NUMBER, VALUE_OF(max_per_host), 0, 65536, "0", "N",
     "sessions of one address while more than 3/4 of max_clients are taken; 0 = a quarter of max_clients"},
    {"hello_ms", NUMBER, VALUE_OF(hello_ms), 100, 3600000, "10000", "MS",
     "how long a connection may take to open its session; a tenth while more than 3/4 of max_clients are taken"},
    {"max_slots", NUMBER, VALUE_OF(max_slots), 2, PROTO_MAX_SLOTS, "1024", "N", "requests in flight per session"},
    {"total_slots", NUMBER, VALUE_OF(total_slots), 16, 67108864, "262144", "N",
     "requests in flight of all sessions; each has its share, but 16 at least"},
    {"max_opens", NUMBER, VALUE_OF(max_opens), 16, 1048576, "65536", "N", "open files per session"},
    {"max_regions", NUMBER, VALUE_OF(max_regions), 0, 65536, "4096", "N",
     "registrations for one-sided reads per session; 0 = all reads go through the server"},
    {"staging_size", SIZE, VALUE_OF(staging_size), 1 * MIB, 1024 * MIB, "8M", "BYTES",
     "staging ring per session; no larger write is atomic"},
    {"message_size", SIZE, VALUE_OF(message_size), 8 * KIB, PROTO_MAX_MESSAGE, "16896", "BYTES",
     "largest message received"},
    {"squash_root", FLAG, VALUE_OF(squash_root), 0, 1, "no", NULL, "treat uid and gid 0 as 65534"},
    {"read_only", FLAG, VALUE_OF(read_only), 0, 1, "no", NULL, "change nothing"},
    {"rescue", FLAG, VALUE_OF(rescue), 0, 1, "no", NULL,
     "serve what can be read of a damaged pool; implies --read-only"},
    {"accept_unsafe_shutdown", FLAG, VALUE_OF(accept_unsafe_shutdown), 0, 1, "no", NULL,
     "start although the device may have lost stores in a power failure"},
    {"full_scan", FLAG, VALUE_OF(full_scan), 0, 1, "no", NULL,
     "read all logs after a clean stop too, to find damage at the start"},
    {"cache_bytes", SIZE, VALUE_OF(cache_bytes), 0, CACHE_MAX, "0", "BYTES",
     "memory for attributes and indexes of files that are not open, at least 1M; 0 = 40 bytes per inode of the pool, "
     "at least 32M"},
    {"progress_ms", NUMBER, VALUE_OF(progress_ms), 100, 3600000, "1000", "MS",
     "how often a long recovery logs its progress"},
    {TEXT_OF(atime), "relatime", "POLICY", "when reading sets access times: relatime, strictatime or noatime"},
    {TEXT_OF(log_level), "info", "LEVEL", "error, warn, info or debug"},
    {TEXT_OF(pid_file), "", "PATH", "write the process id there once ready; removed at the end"},
    {"ready_fd", NUMBER, VALUE_OF(ready_fd), 1, 65535, NULL, "FD", "write the ready line to this descriptor as well"},
};

#define SETTINGS (sizeof(settings) / sizeof(settings[0]))

static enum config_result bad(char *why, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

static enum config_result bad(char *why, size_t size, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(why, size, format, arguments);
	va_end(arguments);
	return CONFIG_BAD;
}

/* ---- values ----------------------------------------------------------------------------------------------------- */

/* A number is digits; a size may have a suffix K, M or G. */
static bool parse_number(const char *text, bool suffix, uint64_t *out)
{
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	uint64_t value = strtoull(text, &end, 10);
	if (errno)
		return false;
	uint64_t unit = 1;
	if (suffix && *end && !end[1]) {
		unit = *end == 'K' ? KIB : *end == 'M' ? MIB : *end == 'G' ? GIB : 0;
		end++;
	}
	if (*end || unit == 0 || value > UINT64_MAX / unit)
		return false;
	*out = value * unit;
	return true;
}

static bool parse_flag(const char *text, bool *out)
{
	*out = !strcmp(text, "yes") || !strcmp(text, "true") || !strcmp(text, "1");
	return *out || !strcmp(text, "no") || !strcmp(text, "false") || !strcmp(text, "0");
}

/* `where` names the flag or line, for errors. */
static enum config_result set(struct config *config, const struct setting *s, const char *text, const char *where,
                              char *why, size_t why_size)
{
	void *field = (char *)config + s->offset;

	switch (s->kind) {
	case TEXT:
		if (strlen(text) >= s->size)
			return bad(why, why_size, "%s: %s is longer than %zu bytes", where, s->name, s->size - 1);
		strcpy(field, text);
		return CONFIG_OK;
	case FLAG:
		if (!parse_flag(text, field))
			return bad(why, why_size, "%s: %s is '%s'; use yes or no", where, s->name, text);
		return CONFIG_OK;
	case NUMBER:
	case SIZE:
		if (!parse_number(text, s->kind == SIZE, field) || *(uint64_t *)field < s->low ||
		    *(uint64_t *)field > s->high)
			return bad(why, why_size, "%s: %s is '%s'; use a number from %llu to %llu%s", where, s->name,
			           text, (unsigned long long)s->low, (unsigned long long)s->high,
			           s->kind == SIZE ? " (suffixes K, M and G are understood)" : "");
		return CONFIG_OK;
	}
	return CONFIG_BAD;
}

static const struct setting *find(const char *name, size_t length)
{
	for (size_t i = 0; i < SETTINGS; i++) {
		const char *a = settings[i].name;
		size_t n = 0;
		while (n < length && a[n] && (a[n] == name[n] || (a[n] == '_' && name[n] == '-')))
			n++;
		if (n == length && !a[n])
			return &settings[i];
	}
	return NULL;
}

/* ---- the file --------------------------------------------------------------------------------------------------- */

static char *trim(char *text)
{
	while (isspace((unsigned char)*text))
		text++;
	size_t length = strlen(text);
	while (length > 0 && isspace((unsigned char)text[length - 1]))
		text[--length] = 0;
	return text;
}

static enum config_result read_line(struct config *config, char *line, const char *where, char *why, size_t why_size)
{
	char *text = trim(line);

	if (!*text || *text == '#')
		return CONFIG_OK;
	char *equals = strchr(text, '=');
	if (!equals)
		return bad(why, why_size, "%s: '%s' is not of the form key = value", where, text);
	*equals = 0;
	char *key = trim(text);
	char *value = trim(equals + 1);
	const struct setting *s = strchr(key, '-') ? NULL : find(key, strlen(key));
	if (!s)
		return bad(why, why_size, "%s: there is no setting '%s'; farnovad --help lists them", where, key);
	return set(config, s, value, where, why, why_size);
}

static enum config_result read_file(struct config *config, const char *path, char *why, size_t why_size)
{
	FILE *file = fopen(path, "re");

	if (!file)
		return bad(why, why_size, "cannot read the configuration file %s: %s", path, strerror(errno));
	char *line = NULL;
	size_t capacity = 0;
	unsigned number = 0;
	ssize_t length;
	enum config_result result = CONFIG_OK;
	while (result == CONFIG_OK && (length = getline(&line, &capacity, file)) >= 0) {
		char where[4200];
		snprintf(where, sizeof(where), "%s line %u", path, ++number);
		if (strlen(line) != (size_t)length)
			result = bad(why, why_size, "%s: there is a NUL byte in it; is this a text file?", where);
		else
			result = read_line(config, line, where, why, why_size);
	}
	if (result == CONFIG_OK && ferror(file))
		result = bad(why, why_size, "cannot read the configuration file %s: %s", path, strerror(errno));
	free(line);
	fclose(file);
	return result;
}

/* ---- flags ------------------------------------------------------------------------------------------------------ */

/*
 * Take argv[*index], and the next argument if that is its value. *value is NULL for a flag without a value; *name and
 * *length are without the dashes. False if it is no flag.
 */
static bool take_flag(int argc, char **argv, int *index, const char **name, size_t *length, char **value)
{
	char *text = argv[*index];

	if (strncmp(text, "--", 2) != 0 || !text[2])
		return false;
	*name = text + 2;
	*length = strcspn(*name, "=");
	if ((*name)[*length] == '=') {
		*value = text + 2 + *length + 1;
		return true;
	}
	*value = NULL;
	const struct setting *s = find(*name, *length);
	bool takes_value = (s && s->kind != FLAG) || !strcmp(*name, "config");
	if (takes_value && *index + 1 < argc)
		*value = argv[++*index];
	return true;
}

static enum config_result read_flags(struct config *config, int argc, char **argv, bool only_file, char *why,
                                     size_t why_size)
{
	for (int i = 1; i < argc; i++) {
		const char *name;
		size_t length;
		char *value;

		if (!strcmp(argv[i], "-h") || !strcmp(argv[i], "--help"))
			return CONFIG_HELP;
		if (!strcmp(argv[i], "--version"))
			return CONFIG_VERSION;
		if (!take_flag(argc, argv, &i, &name, &length, &value))
			return bad(why, why_size, "'%s' is not a flag; farnovad --help lists them", argv[i]);
		bool is_file = length == 6 && !strncmp(name, "config", 6);
		const struct setting *s = find(name, length);
		if (!s && !is_file)
			return bad(why, why_size, "there is no flag '%s'; farnovad --help lists them", argv[i]);
		if (!value && (is_file || s->kind != FLAG))
			return bad(why, why_size, "--%.*s needs a value", (int)length, name);
		enum config_result result = CONFIG_OK;
		if (is_file && only_file)
			result = read_file(config, value, why, why_size);
		else if (!is_file && !only_file)
			result = set(config, s, value ? value : "yes", "command line", why, why_size);
		if (result != CONFIG_OK)
			return result;
	}
	return CONFIG_OK;
}

/* ---- the whole -------------------------------------------------------------------------------------------------- */

int config_split_address(const char *address, char *host, size_t host_size, uint16_t *port)
{
	const char *colon;
	size_t length;

	*port = PROTO_DEFAULT_PORT;
	if (address[0] == '/') {
		length = strlen(address);
		colon = NULL;
	} else if (address[0] == '[') {
		const char *end = strchr(address, ']');
		if (!end || (end[1] && end[1] != ':'))
			return -EINVAL;
		colon = end[1] ? end + 1 : NULL;
		address++;
		length = (size_t)(end - address);
	} else {
		colon = strchr(address, ':');
		if (colon && strchr(colon + 1, ':'))
			return -EINVAL; /* IPv6 without brackets: its end is ambiguous */
		length = colon ? (size_t)(colon - address) : strlen(address);
	}
	if (length == 0 || length >= host_size)
		return -EINVAL;
	memcpy(host, address, length);
	host[length] = 0;
	if (colon) {
		uint64_t number;
		if (!parse_number(colon + 1, false, &number) || number > UINT16_MAX)
			return -EINVAL;
		*port = (uint16_t)number;
	}
	return 0;
}

static enum config_result check(struct config *config, char *why, size_t why_size)
{
	config->read_only |= config->rescue;
	if (config->max_per_host == 0)
		config->max_per_host = config->max_clients < 4 ? 1 : config->max_clients / 4;
	if (!config->pool[0])
		return bad(why, why_size, "no pool given; use --pool PATH (farnova mkfs makes one)");
	if (strcmp(config->transport, "auto") && strcmp(config->transport, "verbs") && strcmp(config->transport, "tcp"))
		return bad(why, why_size, "transport is '%s'; use auto, verbs or tcp", config->transport);
	if (strcmp(config->atime, "relatime") && strcmp(config->atime, "strictatime") &&
	    strcmp(config->atime, "noatime"))
		return bad(why, why_size, "atime is '%s'; use relatime, strictatime or noatime", config->atime);
	config->keep_atime = !strcmp(config->atime, "noatime") || config->read_only;
	config->strict_atime = !strcmp(config->atime, "strictatime");
	if (log_level_from_name(config->log_level) < 0)
		return bad(why, why_size, "log_level is '%s'; use error, warn, info or debug", config->log_level);
	if (config_split_address(config->listen, config->host, sizeof(config->host), &config->port) < 0)
		return bad(why, why_size,
		           "cannot understand the address '%s'; use ADDR, ADDR:PORT or [ADDR6]:PORT with a port from 0 "
		           "to 65535",
		           config->listen);
	if (config->cache_bytes != 0 && config->cache_bytes < CACHE_MIN)
		return bad(why, why_size, "cache_bytes is %llu; use 0 or at least 1M",
		           (unsigned long long)config->cache_bytes);
	if (config->host[0] == '/' && !strcmp(config->transport, "verbs"))
		return bad(why, why_size, "%s is a UNIX socket, which only transport tcp can listen on", config->host);
	return CONFIG_OK;
}

enum config_result config_read(struct config *config, int argc, char **argv, char *why, size_t why_size)
{
	*config = (struct config){.spin_us = UINT64_MAX, .ready_fd = UINT64_MAX};
	for (size_t i = 0; i < SETTINGS; i++) {
		if (settings[i].initial &&
		    set(config, &settings[i], settings[i].initial, "default", why, why_size) != CONFIG_OK)
			return CONFIG_BAD;
	}
	enum config_result result = read_flags(config, argc, argv, true, why, why_size);
	if (result == CONFIG_OK)
		result = read_flags(config, argc, argv, false, why, why_size);
	return result == CONFIG_OK ? check(config, why, why_size) : result;
}

void config_help(FILE *out)
{
	fprintf(out, "usage: farnovad --pool PATH [--listen ADDR[:PORT]] [flags]\n\n"
	             "Serves the farnova file system on a pool of persistent memory.\n\n"
	             "  --config FILE\n        read settings from FILE, lines of key = value; flags override them\n");
	for (size_t i = 0; i < SETTINGS; i++) {
		const struct setting *s = &settings[i];
		char name[64];
		snprintf(name, sizeof(name), "%s", s->name);
		for (char *c = name; *c; c++)
			*c = *c == '_' ? '-' : *c;
		fprintf(out, "  --%s%s%s\n        %s", name, s->value ? " " : "", s->value ? s->value : "", s->help);
		if (s->initial && s->initial[0])
			fprintf(out, " (default %s)", s->initial);
		fputc('\n', out);
	}
	fprintf(
	    out,
	    "  --help, --version\n\nIn the file a setting is named with '_': max_clients = 100. See farnovad(8).\n");
}
