/*
 * transfer.c -- `farnova put`, `get` and `cp`: determines sources and targets, and copies them.
 */
#include "client/cli/command.h"
#include "client/cli/copy.h"
#include "client/cli/progress_bar.h"
#include "client/cli/remote.h"
#include "client/cli/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TRANSFER_HELP                                                                                                  \
	"  -r, --recursive     directories with all that is in them; links are copied as links\n"                      \
	"  -a, --archive       -r, and owners and groups too\n"                                                        \
	"      --flags         what chattr sets, too: immutable, append-only; only the superuser may\n"                \
	"  -T                  the last argument is the copy itself, never a directory to copy into\n"                 \
	"  -v, --verbose       print each name\n"                                                                      \
	"      --no-progress   no progress line (there is none anyway unless stderr is a terminal)\n"

#define TRANSFER_NOTES                                                                                                 \
	"\nModes, times, extended attributes, ACLs, hard links, symbolic links and holes are kept. When a file\n"      \
	"cannot be copied the others still are; each failure is reported and the exit code is 1.\n"

static const char put_help[] =
    "Usage: farnova put [OPTION]... FILE... URL\n"
    "Copy local files to a server. FILE may be - for standard input.\n\n" TRANSFER_HELP REMOTE_HELP TRANSFER_NOTES;

static const char get_help[] =
    "Usage: farnova get [OPTION]... URL... FILE\n"
    "Copy files from a server. FILE may be - for standard output.\n\n" TRANSFER_HELP REMOTE_HELP TRANSFER_NOTES;

static const char cp_help[] =
    "Usage: farnova cp [OPTION]... URL... URL\n"
    "Copy files on a server, or from one server to another.\n\n" TRANSFER_HELP REMOTE_HELP TRANSFER_NOTES;

struct transfer {
	struct remote remote;
	struct copy_options options;
	const char *help;
	bool from_remote, to_remote;
	bool target_is_copy; /* -T */
	bool no_progress;
};

/* The endpoint and path of an argument. 0 or an exit code. */
static int resolve(struct transfer *transfer, bool remote, const char *argument, struct endpoint *endpoint,
                   const char **path)
{
	*endpoint = (struct endpoint){0};
	*path = argument;
	if (remote) {
		int code = remote_open(&transfer->remote, argument, &endpoint->fs, path);
		endpoint->id = (uint64_t)(uintptr_t)endpoint->fs;
		return code;
	}
	if (remote_is_url(argument))
		return report_usage(transfer->remote.command, "'%s' is a URL where a local file is asked for%s",
		                    argument, transfer->from_remote ? "" : "; `farnova cp` copies between URLs");
	return 0;
}

/* The last component without slashes, which the caller frees. */
static char *base_name(const char *path)
{
	size_t length = strlen(path);

	while (length > 1 && path[length - 1] == '/')
		length--;
	size_t start = length;
	while (start > 0 && path[start - 1] != '/')
		start--;
	return strndup(path + start, length - start);
}

/*
 * The path of the target without trailing slashes, so that its last component is a name; "/" stays. The caller frees
 * it. `within`: the source's name is appended to `target`.
 */
static char *target_of(const char *source, const char *target, bool within)
{
	if (!within) {
		size_t length = strlen(target);
		while (length > 1 && target[length - 1] == '/')
			length--;
		return strndup(target, length);
	}
	char *name = base_name(source);
	/* "dir/." and "/" mean the contents of the directory. */
	bool contents = name && (!strcmp(name, ".") || !strcmp(name, "..") || !strcmp(name, "") || !strcmp(name, "/"));
	char *path = !name ? NULL : contents ? strdup(target) : copy_join(target, name);
	free(name);
	return path;
}

static int stream_out(struct transfer *transfer, const struct endpoint *from, const char *path)
{
	struct endpoint_file in;
	int error = endpoint_open_read(from, path, true, &in);
	char *buffer = malloc(1 << 20);
	off_t offset = 0;
	ssize_t n = 0;

	while (!error && buffer && (n = endpoint_read(from, &in, buffer, 1 << 20, offset)) > 0) {
		if (fwrite(buffer, 1, (size_t)n, stdout) != (size_t)n)
			break;
		offset += n;
	}
	free(buffer);
	if (error || n < 0) {
		report_error(transfer->remote.command, "reading %s", endpoint_why(from, path, error ? error : (int)n));
		if (!error)
			endpoint_close(from, &in);
		return EXIT_FAILED;
	}
	endpoint_close(from, &in);
	return buffer && !ferror(stdout) ? EXIT_OK : EXIT_FAILED;
}

static int stream_in(struct transfer *transfer, const struct endpoint *to, const char *path)
{
	mode_t mask = umask(0);
	struct farnova_file *file;
	char *buffer = malloc(1 << 20);
	ssize_t written = 0;
	size_t n = 0;

	umask(mask);
	farnova_set_umask(to->fs, mask);
	file = buffer ? farnova_open(to->fs, path, O_WRONLY | O_CREAT | O_TRUNC, 0666) : NULL;
	if (!file) {
		report_remote(transfer->remote.command, path);
		free(buffer);
		return EXIT_FAILED;
	}
	progress_bar_file(path, 0);
	while (written >= 0 && (n = fread(buffer, 1, 1 << 20, stdin)) > 0) {
		for (size_t done = 0; done < n && written >= 0; done += (size_t)written)
			written = farnova_write(file, buffer + done, n - done);
		progress_bar_bytes(n);
	}
	free(buffer);
	if (written < 0) {
		report_remote(transfer->remote.command, path);
		farnova_close(file);
		return EXIT_FAILED;
	}
	if (ferror(stdin)) {
		report_error(transfer->remote.command, "reading standard input failed: %m");
		farnova_close(file);
		return EXIT_FAILED;
	}
	if (farnova_close(file)) {
		report_remote(transfer->remote.command, path);
		return EXIT_FAILED;
	}
	return EXIT_OK;
}

/* Copy all sources of the same endpoint with one struct copy, so that hard links are kept. */
static int copy_all(struct transfer *transfer, char **sources, int count, const struct endpoint *to, const char *target,
                    bool within)
{
	struct copy *copy = NULL;
	uint64_t copy_id = 0;
	int code = EXIT_OK;

	for (int i = 0; i < count; i++) {
		struct endpoint from;
		const char *path;
		int wrong = resolve(transfer, transfer->from_remote, sources[i], &from, &path);
		if (wrong) {
			code = wrong;
			continue;
		}
		if (copy && copy_id != from.id) {
			if (!copy_end(copy))
				code = EXIT_FAILED;
			copy = NULL;
		}
		if (!copy)
			copy = copy_start(&transfer->options, &from, to);
		copy_id = from.id;
		char *copy_target = target_of(path, target, within);
		if (!copy || !copy_target) {
			report_error(transfer->remote.command, "out of memory");
			code = EXIT_FAILED;
		} else if (!copy_path(copy, path, copy_target)) {
			code = EXIT_FAILED;
		}
		free(copy_target);
	}
	return copy_end(copy) ? code : EXIT_FAILED;
}

static int transfer_files(struct transfer *transfer, char **sources, int count, const char *destination)
{
	const char *command = transfer->remote.command;
	struct endpoint to, from;
	const char *target, *path;
	struct stat st;

	/* Check every argument first, so that a wrong command line changes nothing. */
	for (int i = 0; i < count && !transfer->from_remote; i++)
		if (remote_is_url(sources[i]))
			return resolve(transfer, false, sources[i], &from, &path);
	if (!transfer->to_remote && !strcmp(destination, "-")) {
		if (count > 1)
			return report_usage(command, "only one file can go to standard output");
		int code = resolve(transfer, true, sources[0], &from, &path);
		return code ? code : stream_out(transfer, &from, path);
	}
	int code = resolve(transfer, transfer->to_remote, destination, &to, &target);
	if (code)
		return code;

	size_t length = strlen(target);
	int error = endpoint_stat(&to, target, &st);
	bool directory = error == 0 && S_ISDIR(st.st_mode);
	if (!directory && (count > 1 || (length && target[length - 1] == '/' && !transfer->options.recursive))) {
		if (error && error != -ENOENT)
			report_error(command, "%s", endpoint_why(&to, target, error));
		else
			report_error(command, "'%s' is %s", destination,
			             error ? "not there; make it with mkdir first" : "no directory");
		return EXIT_FAILED;
	}
	if (transfer->target_is_copy && count > 1)
		return report_usage(command, "with -T there is one source and one target");
	if (!transfer->from_remote && count == 1 && !strcmp(sources[0], "-")) {
		if (!directory)
			return stream_in(transfer, &to, target);
		report_error(command, "'%s' is a directory: name the file that standard input is to become",
		             destination);
		return EXIT_FAILED;
	}
	return copy_all(transfer, sources, count, &to, target, directory && !transfer->target_is_copy);
}

static int transfer_main(struct transfer *transfer, int argc, char **argv)
{
	enum { OPTION_NO_PROGRESS = OPTION_COMMAND, OPTION_FLAGS };
	static const struct option long_options[] = {REMOTE_LONG_OPTIONS,
	                                             {"recursive", no_argument, NULL, 'r'},
	                                             {"archive", no_argument, NULL, 'a'},
	                                             {"verbose", no_argument, NULL, 'v'},
	                                             {"flags", no_argument, NULL, OPTION_FLAGS},
	                                             {"no-progress", no_argument, NULL, OPTION_NO_PROGRESS},
	                                             {NULL, 0, NULL, 0}};
	int option, code;

	transfer->options.command = transfer->remote.command;
	while ((option = getopt_long(argc, argv, "raTv", long_options, NULL)) != -1) {
		switch (option) {
		case 'a':
			transfer->options.owners = true;
			transfer->options.recursive = true;
			break;
		case 'r':
			transfer->options.recursive = true;
			break;
		case 'T':
			transfer->target_is_copy = true;
			break;
		case 'v':
			transfer->options.verbose = true;
			break;
		case OPTION_FLAGS:
			transfer->options.flags = true;
			break;
		case OPTION_NO_PROGRESS:
			transfer->no_progress = true;
			break;
		default:
			if ((code = remote_option(&transfer->remote, option, transfer->help)) >= 0)
				return code;
		}
	}
	if (argc - optind < 2)
		return report_usage(transfer->remote.command, "what is to be copied, and where to?");

	progress_bar_start(!transfer->no_progress);
	code = transfer_files(transfer, argv + optind, argc - optind - 1, argv[argc - 1]);
	progress_bar_finish();
	remote_done(&transfer->remote);
	return code;
}

int put_main(int argc, char **argv)
{
	struct transfer transfer = {.to_remote = true, .help = put_help};

	remote_init(&transfer.remote, "put");
	return transfer_main(&transfer, argc, argv);
}

int get_main(int argc, char **argv)
{
	struct transfer transfer = {.from_remote = true, .help = get_help};

	remote_init(&transfer.remote, "get");
	return transfer_main(&transfer, argc, argv);
}

int cp_main(int argc, char **argv)
{
	struct transfer transfer = {.from_remote = true, .to_remote = true, .help = cp_help};

	remote_init(&transfer.remote, "cp");
	return transfer_main(&transfer, argc, argv);
}
