/*
 * remote.c -- URLs on the command line: common options, and connections.
 */
#include "client/cli/remote.h"

#include "client/cli/command.h"
#include "client/cli/report.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCHEME "farnova://"

struct connection {
	struct connection *next;
	struct farnova *fs;
	char server[]; /* the URL without the path */
};

void remote_init(struct remote *remote, const char *command)
{
	memset(remote, 0, sizeof(*remote));
	remote->command = command;
	remote->options.size = sizeof(remote->options);
	optind = 0; /* glibc: reset, so that --help of another command can run in one process */
}

void remote_done(struct remote *remote)
{
	while (remote->connections) {
		struct connection *connection = remote->connections;
		remote->connections = connection->next;
		farnova_disconnect(connection->fs);
		free(connection);
	}
}

static int parse_timeout(const char *text, int *milliseconds)
{
	char *end;

	if (!strcmp(text, "forever")) {
		*milliseconds = -1;
		return 0;
	}
	errno = 0;
	double value = strtod(text, &end);
	if (errno || end == text || *end || !(value >= 0.001 && value <= 2000000))
		return -EINVAL;
	*milliseconds = (int)(value * 1000);
	return 0;
}

int remote_option(struct remote *remote, int option, const char *help)
{
	switch (option) {
	case OPTION_HELP:
		fputs(help, stdout);
		return EXIT_OK;
	case OPTION_TRANSPORT:
		if (strcmp(optarg, "auto") && strcmp(optarg, "verbs") && strcmp(optarg, "tcp"))
			return report_usage(remote->command, "--transport is auto, verbs or tcp, not '%s'", optarg);
		remote->options.transport = optarg;
		return -1;
	case OPTION_TIMEOUT:
		if (parse_timeout(optarg, &remote->options.timeout_ms))
			return report_usage(remote->command,
			                    "--timeout takes seconds (0.001 to 2000000) or 'forever', not '%s'",
			                    optarg);
		return -1;
	default:
		/* getopt_long has printed what is wrong. */
		fprintf(stderr, "`farnova %s --help` shows how it is used\n", remote->command);
		return EXIT_USAGE;
	}
}

bool remote_is_url(const char *argument)
{
	const char *c = argument;

	while (isalnum((unsigned char)*c) || *c == '+' || *c == '-' || *c == '.')
		c++;
	return c > argument && !strncmp(c, "://", 3);
}

int remote_check_url(const struct remote *remote, const char *url)
{
	if (!strncmp(url, SCHEME, strlen(SCHEME))) {
		const char *host = url + strlen(SCHEME);
		if (*host && *host != '/' && *host != ':')
			return 0;
		return report_usage(remote->command, "'%s' names no host: a URL is farnova://HOST[:PORT]/PATH", url);
	}
	if (remote_is_url(url))
		return report_usage(remote->command, "'%s' is not a farnova URL: it must begin with farnova://", url);
	return report_usage(remote->command, "'%s' is not a URL: farnova://HOST[:PORT]/PATH is asked for here", url);
}

int remote_open(struct remote *remote, const char *url, struct farnova **fs, const char **path)
{
	int code = remote_check_url(remote, url);
	if (code)
		return code;

	size_t length = strlen(SCHEME) + strcspn(url + strlen(SCHEME), "/");
	*path = url[length] ? url + length : "/";

	for (struct connection *c = remote->connections; c; c = c->next) {
		if (strlen(c->server) == length && !strncmp(c->server, url, length)) {
			*fs = c->fs;
			return 0;
		}
	}

	struct connection *connection = malloc(sizeof(*connection) + length + 1);
	if (!connection) {
		report_error(remote->command, "out of memory");
		return EXIT_FAILED;
	}
	memcpy(connection->server, url, length);
	connection->server[length] = 0;
	connection->fs = farnova_connect(connection->server, &remote->options);
	if (!connection->fs) {
		int error = errno;
		report_remote(remote->command, connection->server);
		free(connection);
		return error == EINVAL ? EXIT_USAGE : EXIT_FAILED;
	}
	connection->next = remote->connections;
	remote->connections = connection;
	*fs = connection->fs;
	return 0;
}
