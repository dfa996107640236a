/*
 * kill_sweep.c -- the server ends just before its k-th reply, for each k of a script of calls, and is started again at
 * once: every call must succeed, and must have been executed once.
 *
 *     kill_sweep --pool PATH --farnovad PATH --farnova PATH --preload PATH --listen HOST --port N --transport NAME
 *                [--seconds N] [--seed N] [--server FLAG] [--tolerate]
 *
 * A point is how the server ends: by SIGKILL or SIGTERM, before which reply, whether it is killed once more before the
 * j-th reply of its next life, and how many clients make the calls. Without --seconds all points are tried, else, in an
 * order that the seed gives, as many as there is time for. `--tolerate` only counts what is wrong.
 */
#include "tests/integration/kill_sweep.h"

#include "proto/proto.h"
#include "tests/integration/check.h"
#include "tests/support/guard.h"
#include "tests/support/reply_killer.h"

#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS_MAX  8u
#define POOL_SIZE    "768M"
#define POOL_SCRIPTS 150u /* on one pool; then it is checked and made anew */
#define SECOND_LIVES 8u   /* replies of the next life before which the server is killed once more */

extern char **environ;

struct point {
	unsigned clients, at, again; /* again: 0 = the server is not killed once more */
	enum reply_killer_end end;
};

static struct {
	const char *pool, *farnovad, *farnova, *preload, *listen, *port, *transport, *server_flag;
	unsigned seconds, seed;
	bool tolerate;
} options = {.seed = 1};

static char url[128], killer_path[256];
static struct reply_killer *killer;

/* ---- the server -------------------------------------------------------------------------------------------------- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pid_t server;       /* 0: none */
static bool wanted;        /* to be started again where it ends */
static unsigned ends;      /* that it was told to come to */
static unsigned next_life; /* before which reply it is killed in its next life */
static int nowhere;        /* /dev/null */
static int bad_end = -1;   /* its wait status where it ended otherwise */

static void start(int ready_fd)
{
	char listen[128], fd[16];
	snprintf(listen, sizeof(listen), "%s:%s", options.listen, options.port);
	snprintf(fd, sizeof(fd), "%d", ready_fd);
	char *const arguments[] = {(char *)options.farnovad,
	                           "--pool",
	                           (char *)options.pool,
	                           "--listen",
	                           listen,
	                           "--transport",
	                           (char *)options.transport,
	                           "--workers",
	                           "2",
	                           "--log-level",
	                           "warn",
	                           "--ready-fd",
	                           fd,
	                           (char *)options.server_flag,
	                           NULL};
	char preload[512], path[300];
	char *environment[256];
	size_t count = 0;

	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", options.preload);
	snprintf(path, sizeof(path), REPLY_KILLER_FILE "=%s", killer_path);
	for (size_t i = 0; environ[i] && count < 252; i++)
		if (strncmp(environ[i], "LD_PRELOAD=", 11) != 0 && strncmp(environ[i], "ASAN_OPTIONS=", 13) != 0)
			environment[count++] = environ[i];
	environment[count++] = preload;
	environment[count++] = path;
	/* Under ASan the preloaded library comes before its runtime; it calls nothing that it needs. */
	char asan[512];
	snprintf(asan, sizeof(asan), "ASAN_OPTIONS=verify_asan_link_order=0:%s",
	         getenv("ASAN_OPTIONS") ? getenv("ASAN_OPTIONS") : "");
	environment[count++] = asan;
	environment[count] = NULL;
	atomic_store(&killer->replies, 0);
	atomic_store(&killer->op, 0);
	CHECK(posix_spawn(&server, options.farnovad, NULL, NULL, arguments, environment) == 0);
	guard(server, killer_path);
}

static void start_ready(void)
{
	char line[256] = "";
	int ready[2];

	CHECK(pipe(ready) == 0);
	pthread_mutex_lock(&lock);
	start(ready[1]);
	wanted = true;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	close(ready[1]);
	FILE *in = fdopen(ready[0], "r");
	CHECK(in && fgets(line, sizeof(line), in) && strncmp(line, "ready:", 6) == 0);
	fclose(in);
}

/* Whether it came to the end that it was told to. */
static bool as_told(int status)
{
	if (atomic_load(&killer->op) == 0)
		return false;
	if (atomic_load(&killer->end) == REPLY_KILLER_KILL)
		return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Starts the server again at once where it ends. */
static void *attend(void *argument)
{
	pthread_mutex_lock(&lock);
	for (;;) {
		while (server == 0)
			pthread_cond_wait(&changed, &lock);
		pid_t pid = server;
		int status;
		pthread_mutex_unlock(&lock);
		CHECK(waitpid(pid, &status, 0) == pid);
		guard(0, killer_path);
		pthread_mutex_lock(&lock);
		server = 0;
		if (wanted) {
			if (!as_told(status))
				bad_end = status;
			ends++;
			atomic_store(&killer->at, next_life);
			atomic_store(&killer->end, REPLY_KILLER_KILL);
			next_life = 0;
			start(nowhere);
		} else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
			bad_end = status;
		}
		pthread_cond_broadcast(&changed);
	}
	return argument;
}

static void stop(void)
{
	pthread_mutex_lock(&lock);
	wanted = false;
	kill(server, SIGTERM);
	while (server != 0)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
	CHECK(bad_end == -1);
}

static void run(const char *const *arguments)
{
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int status;

	CHECK(posix_spawn_file_actions_init(&actions) == 0);
	CHECK(posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0) == 0);
	CHECK(posix_spawn(&pid, arguments[0], &actions, NULL, (char *const *)(uintptr_t)arguments, environ) == 0);
	posix_spawn_file_actions_destroy(&actions);
	CHECK(waitpid(pid, &status, 0) == pid);
	if (status != 0)
		fprintf(stderr, "%s %s ended with wait status %d\n", arguments[0], arguments[1], status);
	CHECK(status == 0);
}

static void make_pool(void)
{
	const char *const mkfs[] = {options.farnova, "mkfs", "--force", "--size", POOL_SIZE, options.pool, NULL};
	run(mkfs);
}

static void check_pool(void)
{
	const char *const fsck[] = {options.farnova, "fsck", options.pool, NULL};
	run(fsck);
}

/* ---- a point ----------------------------------------------------------------------------------------------------- */

struct client {
	char dir[64];
	struct script_result result;
};

/* The first connection is not made again by itself. */
static struct farnova *connect_now(void)
{
	struct farnova *fs = farnova_connect(url, NULL);

	for (int i = 0; !fs && i < 1000; i++) {
		usleep(10000);
		fs = farnova_connect(url, NULL);
	}
	CHECK(fs);
	return fs;
}

static void *make_calls(void *argument)
{
	struct client *client = argument;
	struct farnova *fs = connect_now();

	script_run(fs, client->dir, &client->result);
	farnova_disconnect(fs);
	return NULL;
}

static void all_clients(struct client *clients, unsigned count, void (*act)(struct farnova *fs, struct client *client))
{
	struct farnova *fs = connect_now();

	for (unsigned i = 0; i < count; i++)
		act(fs, &clients[i]);
	farnova_disconnect(fs);
}

static void prepare(struct farnova *fs, struct client *client)
{
	script_prepare(fs, client->dir);
}

static void verify(struct farnova *fs, struct client *client)
{
	script_verify(fs, client->dir, &client->result);
}

/* try_point -- what is wrong, 0 if nothing is. Afterwards `killer->replies` counts those of the last life. */
static void try_point(const struct point *point, unsigned number, unsigned *replies, struct script_result *sum)
{
	struct client clients[CLIENTS_MAX] = {0};
	pthread_t threads[CLIENTS_MAX];

	for (unsigned i = 0; i < point->clients; i++)
		snprintf(clients[i].dir, sizeof(clients[i].dir), "point-%u-client-%u", number, i);
	atomic_store(&killer->at, 0);
	all_clients(clients, point->clients, prepare);
	pthread_mutex_lock(&lock);
	ends = 0;
	next_life = point->again;
	pthread_mutex_unlock(&lock);
	atomic_store(&killer->replies, 0);
	atomic_store(&killer->end, point->end);
	atomic_store(&killer->at, point->at);
	for (unsigned i = 0; i < point->clients; i++)
		CHECK(pthread_create(&threads[i], NULL, make_calls, &clients[i]) == 0);
	for (unsigned i = 0; i < point->clients; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	*replies = atomic_load(&killer->replies);
	atomic_store(&killer->at, 0);
	all_clients(clients, point->clients, verify);
	for (unsigned i = 0; i < point->clients; i++) {
		if (sum->wrong + sum->reset == 0)
			memcpy(sum->first, clients[i].result.first, sizeof(sum->first));
		sum->wrong += clients[i].result.wrong;
		sum->reset += clients[i].result.reset;
	}
}

/* ---- the sweep --------------------------------------------------------------------------------------------------- */

static struct point *points;
static size_t point_count;

static void add_point(unsigned clients, unsigned at, unsigned again, enum reply_killer_end end)
{
	struct point *more = realloc(points, (point_count + 1) * sizeof(*points));

	CHECK(more);
	points = more;
	points[point_count++] = (struct point){clients, at, again, end};
}

/* How many replies a script takes tells how many points there are. */
static void make_points(void)
{
	struct script_result result = {0};
	const struct point undisturbed = {.clients = 1};
	unsigned replies;

	try_point(&undisturbed, 0, &replies, &result);
	if (result.wrong + result.reset)
		fprintf(stderr, "without any end: %s\n", result.first);
	CHECK(result.wrong + result.reset == 0);
	for (unsigned at = 1; at <= replies; at++) {
		add_point(1, at, 0, REPLY_KILLER_KILL);
		add_point(1, at, 0, REPLY_KILLER_TERM);
		for (unsigned again = 1; again <= SECOND_LIVES; again++)
			add_point(1, at, again, REPLY_KILLER_KILL);
	}
	for (unsigned at = 1; at <= replies * CLIENTS_MAX; at++) {
		add_point(CLIENTS_MAX, at, 0, at % 8 ? REPLY_KILLER_KILL : REPLY_KILLER_TERM);
		if (at % 4 == 0)
			add_point(CLIENTS_MAX, at, 1 + at / 4 % (2 * CLIENTS_MAX), REPLY_KILLER_KILL);
	}
	printf("a script takes %u replies; there are %zu points\n", replies, point_count);
}

static void swap(size_t a, size_t b)
{
	struct point point = points[a];

	points[a] = points[b];
	points[b] = point;
}

/* What is tried every day comes first: one client, whose server is killed once. */
static void shuffle(void)
{
	size_t first = 0;

	for (size_t i = point_count; i > 1; i--)
		swap(i - 1, (size_t)rand_r(&options.seed) % i);
	for (size_t i = 0; i < point_count; i++)
		if (points[i].clients == 1 && points[i].again == 0 && points[i].end == REPLY_KILLER_KILL)
			swap(first++, i);
}

static void renew_pool(void)
{
	stop();
	check_pool();
	make_pool();
	start_ready();
}

static int sweep(void)
{
	time_t until = time(NULL) + (time_t)options.seconds;
	unsigned wrong = 0, reset = 0, silent = 0, tried = 0, scripts = 0;

	while (tried < point_count && (options.seconds == 0 || time(NULL) < until)) {
		const struct point *point = &points[tried++];
		struct script_result result = {0};
		unsigned replies;
		scripts += point->clients;
		if (scripts > POOL_SCRIPTS) {
			renew_pool();
			scripts = point->clients;
		}
		try_point(point, tried, &replies, &result);
		wrong += result.wrong > 0;
		reset += result.reset > 0;
		silent += result.wrong > 0 && result.reset == 0;
		if (result.wrong + result.reset && wrong + reset < 40)
			printf("%u clients, %s before reply %u, again before reply %u: %s\n", point->clients,
			       point->end == REPLY_KILLER_KILL ? "killed" : "stopped", point->at, point->again,
			       result.first);
		fflush(stdout);
		if (bad_end != -1)
			printf("the server ended with wait status %d\n", bad_end);
		CHECK(bad_end == -1);
	}
	printf("%u of %zu points: %u with a wrong result, %u of them without ECONNRESET; %u with ECONNRESET\n", tried,
	       point_count, wrong, silent, reset);
	return wrong + reset && !options.tolerate;
}

static void parse(int argc, char **argv)
{
	static const struct option names[] = {
	    {"pool", 1, NULL, 'p'},      {"farnovad", 1, NULL, 'd'}, {"farnova", 1, NULL, 'f'},
	    {"preload", 1, NULL, 'l'},   {"listen", 1, NULL, 'a'},   {"port", 1, NULL, 'o'},
	    {"transport", 1, NULL, 't'}, {"seconds", 1, NULL, 's'},  {"seed", 1, NULL, 'e'},
	    {"server", 1, NULL, 'v'},    {"tolerate", 0, NULL, 'x'}, {0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (option) {
		case 'p':
			options.pool = optarg;
			break;
		case 'd':
			options.farnovad = optarg;
			break;
		case 'f':
			options.farnova = optarg;
			break;
		case 'l':
			options.preload = optarg;
			break;
		case 'a':
			options.listen = optarg;
			break;
		case 'o':
			options.port = optarg;
			break;
		case 't':
			options.transport = optarg;
			break;
		case 's':
			options.seconds = (unsigned)atoi(optarg);
			break;
		case 'e':
			options.seed = (unsigned)atoi(optarg);
			break;
		case 'v':
			options.server_flag = optarg;
			break;
		case 'x':
			options.tolerate = true;
			break;
		default:
			exit(2);
		}
	}
	CHECK(options.pool && options.farnovad && options.farnova && options.preload && options.listen &&
	      options.port && options.transport);
	snprintf(url, sizeof(url), "farnova://%s:%s", options.listen, options.port);
	snprintf(killer_path, sizeof(killer_path), "%s/farnova-killer-%d",
	         access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", (int)getpid());
}

int main(int argc, char **argv)
{
	pthread_t thread;

	parse(argc, argv);
	int fd = open(killer_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	CHECK(fd >= 0 && ftruncate(fd, sizeof(*killer)) == 0);
	killer = mmap(NULL, sizeof(*killer), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(killer != MAP_FAILED);
	guard(0, killer_path);
	CHECK((nowhere = open("/dev/null", O_WRONLY)) >= 0);
	CHECK(pthread_create(&thread, NULL, attend, NULL) == 0);
	make_pool();
	start_ready();
	make_points();
	shuffle();
	int status = sweep();
	stop();
	check_pool();
	return status;
}
