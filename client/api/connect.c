/*
 * connect.c -- the public calls that open and close a connection.
 */
#include "client/api/log.h"
#include "client/api/names.h"
#include "client/api/result.h"
#include "client/include/farnova.h"
#include "client/io/reading.h"
#include "client/link/user_memory.h"
#include "client/session/call.h"
#include "client/session/open_files.h"
#include "client/session/receive.h"
#include "client/session/reconnect.h"
#include "common/clock.h"
#include "common/random.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DEFAULT_TIMEOUT_MS 30000

const char *farnova_version(void)
{
	return FARNOVA_VERSION;
}

const char *farnova_transport(const struct farnova *fs)
{
	return transport_kind_name(fs->link.kind);
}

/* take_options -- copy the options up to the size of the caller's structure. Fields that this version does not know
 * must be zero. */
static int take_options(const struct farnova_options *given, struct farnova_options *options)
{
	*options = (struct farnova_options){.size = sizeof(*options)};
	if (!given)
		return 0;
	if (given->size < offsetof(struct farnova_options, channels) || given->size > 4096)
		return -EINVAL;
	memcpy(options, given, given->size < sizeof(*options) ? given->size : sizeof(*options));
	for (size_t i = offsetof(struct farnova_options, reserved); i < given->size; i++) {
		if (((const char *)given)[i])
			return -EINVAL;
	}
	return options->timeout_ms < -1 || options->channels > PROTO_MAX_CHANNELS ? -EINVAL : 0;
}

static const struct connection_handler handler = {
    .on_message = receive_message,
    .on_polled = reading_polled,
    .on_lost = receive_lost,
    .on_tick = receive_tick,
    .on_reconnect = reconnect,
};

/* destroy -- free a connection that no thread uses. */
static void destroy(struct farnova *fs)
{
	session_end(fs);
	session_destroy(fs);
	free(fs);
}

static void set_timeout(struct farnova *fs, int timeout_ms)
{
	connection_lock(&fs->link);
	fs->timeout_ms = timeout_ms;
	connection_unlock(&fs->link);
}

/* enter_path -- make the URL's PATH the root of this connection, until `deadline_ns`. */
static int enter_path(struct farnova *fs, int64_t deadline_ns)
{
	int timeout_ms = fs->timeout_ms;
	struct path path;
	struct proto_attr attr;

	if (*fs->url.path == '\0')
		return 0;
	int error = names_path(fs->url.path, &path);
	if (deadline_ns) {
		int64_t left_ms = (deadline_ns - clock_now_ns()) / CLOCK_NS_PER_MS;
		set_timeout(fs, left_ms < 0 ? 0 : (int)left_ms);
	}
	if (error == 0)
		error = names_lookup(fs, fs->root, path.string, 0, &attr);
	set_timeout(fs, timeout_ms);
	if (error == 0 && !S_ISDIR(attr.mode))
		error = -ENOTDIR;
	if (error == 0)
		fs->root = attr.handle;
	return error;
}

static void stop_background(struct farnova *fs)
{
	connection_lock(&fs->link);
	fs->link.poller.stop = true;
	poller_wake_all(&fs->link);
	connection_unlock(&fs->link);
	pthread_join(fs->background, NULL);
}

static void disconnect(struct farnova *fs)
{
	struct farnova_file *file;

	stop_background(fs);
	channels_stop(fs);
	connection_lock(&fs->link);
	session_leave(fs);
	connection_end(&fs->link);
	/* What was abandoned ends now, and with it its references to files. */
	layout_drop_all(&fs->layouts);
	call_end_all(fs);
	while ((file = LIST_FIRST(&fs->files)) != NULL)
		file_put(file);
	connection_unlock(&fs->link);
	destroy(fs);
}

/* shortage -- which resource of the process or host is exhausted, and what to do; "" for other errors. */
static const char *shortage(int error)
{
	switch (error) {
	case -EMFILE:
		return " (a connection takes four descriptors: raise the limit of open files, ulimit -n, or disconnect "
		       "some)";
	case -ENFILE:
		return " (the host has as many open files as it may: raise fs.file-max)";
	case -EUSERS:
		return " (raise max_clients or max_per_host of farnovad, or disconnect clients)";
	case -EAGAIN:
		return " (the program has used up the keys for data of threads, pthread_key_create)";
	default:
		return "";
	}
}

/* establish -- parse the URL, connect, and start the background thread. On failure the thread's last error is set. */
static int establish(struct farnova *fs, const char *url, const struct farnova_options *options, int64_t deadline_ns)
{
	const char *why;
	int error = url_parse(url, &fs->url, &why);

	if (error)
		return error_set(-error, "connect to \"%.200s\": %s", url, why);
	error = random_fill(fs->identity.key, sizeof(fs->identity.key));
	if (error)
		return error_set(-error, "connect to \"%.200s\": no random numbers", url);
	error = connect_first(fs, options->transport, deadline_ns);
	if (error)
		return error_explained(-error, "connect to \"%.200s\": %s%s", url, fs->link.trouble, shortage(error));
	error = channels_make(fs, (unsigned)options->channels);
	if (error)
		return error_set(-error, "connect to \"%.200s\": cannot make channels%s", url, shortage(error));
	error = pthread_create(&fs->background, NULL, poller_background, &fs->link);
	if (error)
		return error_set(error, "connect to \"%.200s\": cannot start a thread (see ulimit -u)", url);
	return 0;
}

/* allocate -- NULL with the thread's last error set. */
static struct farnova *allocate(const char *url)
{
	struct farnova *fs = malloc(sizeof(*fs));
	int error = fs ? session_init(fs, &handler) : -ENOMEM;

	if (!error)
		return fs;
	free(fs);
	error_set(-error, "connect to \"%.200s\"%s", url, shortage(error));
	return NULL;
}

struct farnova *farnova_connect(const char *given_url, const struct farnova_options *given)
{
	struct farnova_options options;
	char url[PROTO_MAX_PATH + 512];

	log_keep_to_program();
	ssize_t length = user_copy_string(url, sizeof(url), given_url);
	if (length < 0) {
		error_set((int)-length, "connect to \"%.200s\"", url);
		return NULL;
	}
	if (take_options(given, &options) != 0) {
		error_set(EINVAL, "connect to \"%.200s\": options are not of this version", url);
		return NULL;
	}
	struct farnova *fs = allocate(url);
	if (!fs)
		return NULL;
	fs->timeout_ms = options.timeout_ms ? options.timeout_ms : DEFAULT_TIMEOUT_MS;
	int64_t deadline_ns = call_deadline(fs);
	if (establish(fs, url, &options, deadline_ns) != 0) {
		destroy(fs);
		return NULL;
	}
	int error = channels_start(fs);
	if (error) {
		disconnect(fs);
		error_set(-error, "connect to \"%.200s\": cannot start a thread (see ulimit -u)", url);
		return NULL;
	}
	error = enter_path(fs, deadline_ns);
	if (error) {
		disconnect(fs);
		error_set(-error, "connect to \"%.200s\": its path", url);
		return NULL;
	}
	return fs;
}

void farnova_disconnect(struct farnova *fs)
{
	if (fs->link.forked)
		return; /* it is the parent's */
	while (!LIST_EMPTY(&fs->queues))
		farnova_queue_destroy(LIST_FIRST(&fs->queues));
	/* The server closes all open files when the session ends. */
	connection_lock(&fs->link);
	fs->leaving = true;
	connection_unlock(&fs->link);
	disconnect(fs);
}
