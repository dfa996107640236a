/*
 * remote.h -- URLs on the command line: common options, and connections.
 *
 * A command parses its options with getopt_long, including REMOTE_LONG_OPTIONS, and then opens the connection of each
 * URL; URLs of the same server share a connection. One thread.
 */
#ifndef FARNOVA_CLI_REMOTE_H
#define FARNOVA_CLI_REMOTE_H

#include "client/include/farnova.h"

#include <getopt.h>
#include <stdbool.h>

/* Values of long options without a letter; those of a command start at OPTION_COMMAND. */
enum { OPTION_HELP = 256, OPTION_TRANSPORT, OPTION_TIMEOUT, OPTION_JSON, OPTION_COMMAND };

#define REMOTE_LONG_OPTIONS                                                                                            \
	{"help", no_argument, NULL, OPTION_HELP}, {"transport", required_argument, NULL, OPTION_TRANSPORT},            \
	{                                                                                                              \
		"timeout", required_argument, NULL, OPTION_TIMEOUT                                                     \
	}

#define REMOTE_HELP                                                                                                    \
	"      --transport T   auto (the default), verbs or tcp\n"                                                     \
	"      --timeout S     wait S seconds for a server that does not answer, or `forever`;\n"                      \
	"                      30 is the default\n"                                                                    \
	"      --help          show this help\n"

struct remote {
	const char *command;
	struct farnova_options options;
	struct connection *connections;
};

/* remote_init -- initialize for `command`, the name in messages. remote_done closes all connections. */
void remote_init(struct remote *remote, const char *command);
void remote_done(struct remote *remote);

/*
 * remote_option -- handle an option from getopt_long that is not the command's own. Returns -1 to continue, else the
 * exit code: after --help (`help` was printed), for a wrong value or an unknown option.
 */
int remote_option(struct remote *remote, int option, const char *help);

/* remote_is_url -- whether an argument looks like a URL ("scheme://..."), valid or not. */
bool remote_is_url(const char *argument);

/* remote_check_url -- 0 if `url` has the form of a URL, else EXIT_USAGE after reporting what is wrong. */
int remote_check_url(const struct remote *remote, const char *url);

/*
 * remote_open -- the connection for `url`, and the path in it ("/" if it has none; points into `url`). Returns 0, or an
 * exit code after reporting the error: EXIT_USAGE if the URL is invalid, EXIT_FAILED if the server cannot be reached.
 */
int remote_open(struct remote *remote, const char *url, struct farnova **fs, const char **path);

#endif
