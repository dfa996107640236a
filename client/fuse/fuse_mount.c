/*
 * fuse_mount.c -- serves a FUSE mount: checks, mounting, the loop, and the clean end after a signal or an unmount.
 *
 * In background mode the child connects and mounts, because the library's threads do not survive a fork. The parent
 * waits on a pipe until the child has received the kernel's INIT request, the first sign that the mount works.
 */
#include "client/fuse/fuse_mount.h"

#include "client/fuse/counts.h"
#include "client/fuse/init_flags.h"
#include "client/fuse/interrupts.h"
#include "client/fuse/mount_state.h"
#include "client/fuse/mounts.h"
#include "client/fuse/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIVE         'L'
#define GRACE_ROUNDS 25 /* of 20 ms, in which requests in progress may complete */

static int refuse(void (*report)(const char *text), int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int refuse(void (*report)(const char *text), int error, const char *format, ...)
{
	char text[4608];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	report(text);
	return error;
}

static int check_device(void (*report)(const char *text))
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (fd >= 0) {
		close(fd);
		return 0;
	}
	switch (errno) {
	case ENOENT:
		return refuse(
		    report, -ENOENT,
		    "/dev/fuse is not there: load the module with `modprobe fuse`; in a container pass the device in "
		    "(--device /dev/fuse --cap-add SYS_ADMIN). `farnova get` and `put` work without it");
	case ENODEV:
	case ENXIO:
		return refuse(report, -ENODEV, "this kernel has no FUSE: load the module with `modprobe fuse`");
	case EACCES:
	case EPERM:
		return refuse(report, -errno,
		              "/dev/fuse may not be opened (%s): run as root, or pass the device into the container "
		              "(--device /dev/fuse --cap-add SYS_ADMIN)",
		              strerror(errno));
	default:
		return refuse(report, -errno, "/dev/fuse cannot be opened: %s", strerror(errno));
	}
}

static int check_directory(const char *directory, void (*report)(const char *text))
{
	struct stat st;

	if (stat(directory, &st)) {
		int error = -errno;
		if (error == -ENOTCONN || error == -ECONNABORTED) /* the old mount's process has ended */
			return refuse(
			    report, error,
			    "'%s' has a mount whose process has ended: unmount it with `farnova umount %s` first",
			    directory, directory);
		return refuse(report, error, "cannot mount at '%s': %s%s", directory, strerror(-error),
		              error == -ENOENT ? "; make the directory first" : "");
	}
	if (!S_ISDIR(st.st_mode))
		return refuse(report, -ENOTDIR, "cannot mount at '%s': it is not a directory", directory);
	char path[PATH_MAX], device[MOUNT_DEVICE_SIZE];
	if (realpath(directory, path) && mounts_find(path, device) == MOUNT_FARNOVA)
		return refuse(report, -EBUSY,
		              "cannot mount at '%s': a farnova file system is mounted there; unmount it with "
		              "`farnova umount %s` first, or mount at another directory",
		              directory, directory);
	return 0;
}

static int add_argument(struct fuse_args *args, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int add_argument(struct fuse_args *args, const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	int length = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (length < 0)
		return -ENOMEM;
	int failed = fuse_opt_add_arg(args, text);
	free(text);
	return failed ? -ENOMEM : 0;
}

/* A comma or backslash in the value of a mount option must be escaped. */
static void escape_option(const char *text, char *out, size_t size)
{
	size_t used = 0;

	for (; *text && used + 2 < size; text++) {
		if (*text == ',' || *text == '\\')
			out[used++] = '\\';
		out[used++] = *text;
	}
	out[used] = 0;
}

static int make_arguments(const struct fuse_mount_options *options, struct fuse_args *args)
{
	char name[4096];

	escape_option(options->url, name, sizeof(name));
	int error = add_argument(args, "farnova");
	if (!error)
		/*
		 * The kernel also checks permissions, by attributes that it fetches for each check: nobody else checks
		 * what it does itself, such as opening FIFOs and sockets, and what it caches. The server checks every
		 * request, so both must allow an operation.
		 */
		error = add_argument(args, "-ofsname=%s,subtype=farnova,default_permissions%s", name,
		                     options->allow_other ? ",allow_other" : "");
	if (!error)
		error = add_argument(args, "-o%s,%s,%s,%s", options->flags & MS_RDONLY ? "ro" : "rw",
		                     options->flags & MS_NOSUID ? "nosuid" : "suid",
		                     options->flags & MS_NODEV ? "nodev" : "dev",
		                     options->flags & MS_NOEXEC ? "noexec" : "exec");
	if (!error && options->debug)
		error = add_argument(args, "-d");
	return error;
}

/* ---- going to the background ------------------------------------------------------------------------------------ */

static void redirect(const char *log_path)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int log = log_path ? open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;

	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		dup2(log >= 0 ? log : null, STDERR_FILENO);
	}
	if (null > STDERR_FILENO)
		close(null);
	if (log > STDERR_FILENO)
		close(log);
}

/* The mount works: the parent may exit. */
static void tell_parent(struct mount_state *state)
{
	char device[MOUNT_DEVICE_SIZE];
	const char live = LIVE;

	if (state->local_maps && !init_flags_offered()) {
		fprintf(stderr, "farnova mount: shared mappings (-o localmaps) need Linux 6.6 or later; on this kernel "
		                "--cache=kernel maps files shared\n");
		state->error = -EOPNOTSUPP;
		fuse_session_exit(state->session);
		return;
	}
	/* If this fails, `farnova umount` does not wait for this process; nothing else depends on it. */
	if (mounts_find(state->directory, device) == MOUNT_FARNOVA) {
		state->sign_of_life = mounts_announce(device);
		sscanf(device, "%u:%u", &state->device_major, &state->device_minor);
	}
	if (state->live_fd < 0)
		return;
	if (write(state->live_fd, &live, 1) != 1)
		fprintf(stderr, "farnova mount: the process that waited for the mount has ended; the mount works\n");
	close(state->live_fd);
	state->live_fd = -1;
	redirect(state->log_path);
}

/* In the parent: wait until the child's mount works or the child has ended. 0 or -errno. */
static int await_child(pid_t child, int fd)
{
	char byte = 0;
	int status;
	ssize_t n;

	while ((n = read(fd, &byte, 1)) < 0 && errno == EINTR)
		;
	close(fd);
	if (n == 1 && byte == LIVE)
		return 0;
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	/* The child has reported the reason; its exit code is the errno. */
	return WIFEXITED(status) && WEXITSTATUS(status) ? -WEXITSTATUS(status) : -EIO;
}

/* ---- serving ---------------------------------------------------------------------------------------------------- */

struct signals {
	pthread_t thread, loop;
	sigset_t set;
	int fd; /* signalfd for the set */
	struct fuse_session *session;
	struct farnova *fs;
	_Atomic bool finished;
};

static void ignore_signal(int number)
{
}

/* Wait for a signal or for the end of the mount in the kernel. */
static void await_end(const struct signals *signals)
{
	struct pollfd fds[2] = {{.fd = signals->fd, .events = POLLIN}, {.fd = fuse_session_fd(signals->session)}};

	while (poll(fds, 2, -1) < 0)
		;
}

/* Wait until no thread is dropping pages, which needs requests to be answered. Requests that wait for an unreachable
 * server are cancelled after a moment. */
static void end_drops(const struct signals *signals)
{
	for (int rounds = 0; !pages_end() && rounds < 2 * GRACE_ROUNDS; rounds++) {
		usleep(20000);
		if (rounds == GRACE_ROUNDS)
			farnova_cancel_all(signals->fs);
	}
}

/*
 * Wait for the end and enforce it. Only this thread takes the signals. The session loop waits in a system call that a
 * signal to its thread interrupts. A signal just before that call would be lost, so it is sent repeatedly until the
 * loop has ended. A moment later, requests that wait for an unreachable server are cancelled.
 */
static void *take_signals(void *context)
{
	struct signals *signals = context;

	await_end(signals);
	end_drops(signals);
	for (int rounds = 0; !signals->finished; rounds++) {
		fuse_session_exit(signals->session);
		pthread_kill(signals->loop, SIGUSR1);
		usleep(20000);
		if (rounds == GRACE_ROUNDS)
			farnova_cancel_all(signals->fs);
	}
	return NULL;
}

static int start_signals(struct signals *signals, struct fuse_session *session)
{
	struct sigaction action = {.sa_handler = ignore_signal};

	signals->loop = pthread_self();
	signals->session = session;
	sigaction(SIGUSR1, &action, NULL);
	signals->fd = signalfd(-1, &signals->set, SFD_CLOEXEC);
	if (signals->fd < 0)
		return -errno;
	int error = pthread_create(&signals->thread, NULL, take_signals, signals);
	if (error)
		close(signals->fd);
	return -error;
}

static void stop_signals(struct signals *signals)
{
	signals->finished = true;
	pthread_kill(signals->thread, SIGTERM); /* end the wait if no signal did */
	pthread_join(signals->thread, NULL);
	close(signals->fd);
}

static int serve_session(const struct fuse_mount_options *options, struct signals *signals, struct mount_state *state,
                         void (*report)(const char *text))
{
	struct fuse_session *session = state->session;
	struct fuse_loop_config *config = fuse_loop_cfg_create();

	if (!config)
		return refuse(report, -ENOMEM, "out of memory");
	fuse_loop_cfg_set_max_threads(config, options->threads ? options->threads : 16);
	fuse_loop_cfg_set_idle_threads(config, options->threads ? options->threads : 16);
	int error = interrupts_start(signals->fs);
	if (!error && (error = pages_start(state)))
		interrupts_stop();
	if (!error && (error = start_signals(signals, session))) {
		pages_stop();
		interrupts_stop();
	}
	if (error) {
		fuse_loop_cfg_destroy(config);
		return refuse(report, error, "cannot start a thread: %s", strerror(-error));
	}
	sigset_t loop_signals;
	sigemptyset(&loop_signals);
	sigaddset(&loop_signals, SIGUSR1);
	pthread_sigmask(SIG_UNBLOCK, &loop_signals, NULL);
	int result = fuse_session_loop_mt(session, config);
	stop_signals(signals);
	pages_stop();
	interrupts_stop();
	fuse_loop_cfg_destroy(config);
	/* A positive result is the number of the signal that ended the loop. */
	return result < 0 ? refuse(report, result, "serving the mount at '%s' failed: %s", options->directory,
	                           strerror(-result))
	                  : 0;
}

static int mount_and_serve(const struct fuse_mount_options *options, struct signals *signals, struct mount_state *state,
                           void (*report)(const char *text))
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	struct fuse_lowlevel_ops ops = {0};

	names_operations(&ops);
	files_operations(&ops);
	directories_operations(&ops);
	xattrs_operations(&ops);
	if (!options->local_locks)
		locks_operations(&ops);
	counts_wrap(&ops);
	int error = make_arguments(options, &args);
	struct fuse_session *session = error ? NULL : fuse_session_new(&args, &ops, sizeof(ops), state);
	fuse_opt_free_args(&args);
	if (!session)
		return refuse(report, -ENOMEM, "setting up the mount failed");
	if (fuse_session_mount(session, options->directory)) {
		error = refuse(report, -EPERM, "mounting at '%s' failed%s", options->directory,
		               geteuid() == 0 ? ""
		                              : ": the reason is above; as a user other than root, install the package "
		                                "fuse3, own the directory, and use --allow-other only where "
		                                "/etc/fuse.conf has user_allow_other");
	} else {
		state->session = session;
		if (!options->kernel_cache)
			error = init_flags_map_shared(session);
		error = error ? refuse(report, error, "setting up the mount failed: %s", strerror(-error))
		              : serve_session(options, signals, state, report);
		fuse_session_unmount(session);
	}
	fuse_session_destroy(session);
	return error ? error : state->error;
}

static int run(const struct fuse_mount_options *options, int live_fd, void (*report)(const char *text))
{
	struct mount_state state = {
	    .kernel_cache = options->kernel_cache,
	    .timeout = options->kernel_cache ? 1.0 : 0.0,
	    .local_maps = options->local_maps,
	    .live = tell_parent,
	    .live_fd = live_fd,
	    .log_path = options->log_path,
	    .sign_of_life = -1,
	};
	struct signals signals = {0};

	/* Block the signals before any thread is created, so that only the waiting thread receives them. */
	sigemptyset(&signals.set);
	sigaddset(&signals.set, SIGTERM);
	sigaddset(&signals.set, SIGINT);
	sigaddset(&signals.set, SIGHUP);
	sigset_t all = signals.set;
	sigaddset(&all, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	signal(SIGPIPE, SIG_IGN);

	if (!realpath(options->directory, state.directory))
		return refuse(report, -errno, "cannot mount at '%s': %s", options->directory, strerror(errno));
	state.fs = farnova_connect(options->url, &options->connect);
	if (!state.fs)
		return refuse(report, -errno, "%s", farnova_last_error());
	signals.fs = state.fs;
	state.nodes = nodes_new(farnova_root(state.fs));
	state.recent = recent_new();
	state.retries = retries_new();
	int error = state.nodes && state.recent && state.retries ? mount_and_serve(options, &signals, &state, report)
	                                                         : refuse(report, -ENOMEM, "out of memory");
	retries_free(state.retries);
	farnova_disconnect(state.fs);
	nodes_free(state.nodes);
	recent_free(state.recent);
	if (state.sign_of_life >= 0)
		close(state.sign_of_life);
	return error;
}

int fuse_mount_run(const struct fuse_mount_options *options, void (*report)(const char *text))
{
	int pipe_fds[2];

	int error = check_device(report);
	if (!error)
		error = check_directory(options->directory, report);
	if (error)
		return error;
	if (options->foreground)
		return run(options, -1, report);

	if (pipe2(pipe_fds, O_CLOEXEC))
		return refuse(report, -errno, "cannot make a pipe: %s", strerror(errno));
	fflush(NULL);
	pid_t child = fork();
	if (child < 0) {
		error = -errno;
		close(pipe_fds[0]);
		close(pipe_fds[1]);
		return refuse(report, error, "cannot start the background process: %s", strerror(-error));
	}
	if (child) {
		close(pipe_fds[1]);
		return await_child(child, pipe_fds[0]);
	}
	close(pipe_fds[0]);
	setsid();
	error = run(options, pipe_fds[1], report);
	fflush(NULL);
	_exit(-error & 0xff);
}
