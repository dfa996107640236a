/*
 * client_calls.c -- every call of farnova.h with what it does and the errors it gives, over a real server.
 *
 *   client_calls URL -- as root, on an empty file system
 *
 * Here are connections, opens, reads and writes; the other files have the other calls.
 */
#include "tests/integration/client_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char *url;
struct farnova *fs;

struct farnova_file *make_file(const char *path, const void *data, size_t length)
{
	struct farnova_file *file = farnova_open(fs, path, O_RDWR | O_CREAT | O_EXCL, 0644);
	CHECK(file);
	CHECK(farnova_pwrite(file, data, length, 0) == (ssize_t)length);
	return file;
}

static void connecting(void)
{
	struct farnova_options options = {.size = sizeof(options), .timeout_ms = 2000};
	char text[512];

	FAILS_NULL(farnova_connect("nonsense", NULL), EINVAL);
	FAILS_NULL(farnova_connect("farnova://", NULL), EINVAL);
	FAILS_NULL(farnova_connect("farnova://127.0.0.1:1/", &options), ECONNREFUSED);
	options.transport = "pigeon";
	FAILS_NULL(farnova_connect(url, &options), EINVAL);
	options = (struct farnova_options){.size = 3};
	FAILS_NULL(farnova_connect(url, &options), EINVAL);
	options = (struct farnova_options){.size = sizeof(options), .timeout_ms = -2};
	FAILS_NULL(farnova_connect(url, &options), EINVAL);
	snprintf(text, sizeof(text), "%s/nowhere", url);
	FAILS_NULL(farnova_connect(text, NULL), ENOENT);
	CHECK(farnova_close(make_file("plain", "x", 1)) == 0);
	snprintf(text, sizeof(text), "%s/plain", url);
	FAILS_NULL(farnova_connect(text, NULL), ENOTDIR);
	CHECK(farnova_unlink(fs, "plain") == 0);

	/* paths are taken from the URL's, absolute ones too */
	CHECK(farnova_mkdir(fs, "below", 0755) == 0);
	snprintf(text, sizeof(text), "%s/below", url);
	struct farnova *below = farnova_connect(text, NULL);
	CHECK(below);
	CHECK(farnova_mkdir(below, "/in", 0755) == 0);
	CHECK(farnova_access(fs, "below/in", F_OK) == 0);
	CHECK(farnova_root(below).ino != farnova_root(fs).ino);
	farnova_disconnect(below);
	CHECK(farnova_rmdir(fs, "below/in") == 0);
	CHECK(farnova_rmdir(fs, "below") == 0);
	CHECK(strlen(farnova_version()) > 0);
	CHECK(strcmp(farnova_transport(fs), "tcp") == 0 || strcmp(farnova_transport(fs), "verbs") == 0);
}

/* How many messages of this operation went to the server. */
uint64_t sent(const char *operation)
{
	uint64_t count, found = 0;
	unsigned number = 0;
	const char *name;

	while ((name = farnova_get_operation_stats(fs, &number, &count)))
		if (strcmp(name, operation) == 0)
			found = count;
	return found;
}

static void counting(void)
{
	struct farnova_stats before = {.size = sizeof(before)}, after = before, old = {.size = 8};
	struct stat st;

	FAILS(farnova_get_stats(fs, &old), EINVAL);
	uint64_t lookups = sent("LOOKUP"), gone = sent("RENAME");
	CHECK(farnova_get_stats(fs, &before) == 0);
	CHECK(farnova_stat(fs, "/", &st) == 0);
	CHECK(farnova_get_stats(fs, &after) == 0);
	CHECK(sent("LOOKUP") == lookups + 1 && sent("RENAME") == gone);
	/* Closes and keep-alives of before may come in between. */
	CHECK(after.requests > before.requests && after.received > before.received);
	CHECK(before.connections >= 1);
}

static void opening(void)
{
	struct farnova_file *file = make_file("open", "content", 7);
	struct stat st;
	char buffer[16];

	FAILS_NULL(farnova_open(fs, "open", O_RDWR | O_CREAT | O_EXCL, 0644), EEXIST);
	FAILS_NULL(farnova_open(fs, "missing", O_RDONLY, 0), ENOENT);
	FAILS_NULL(farnova_open(fs, "", O_RDONLY, 0), ENOENT);
	FAILS_NULL(farnova_open(fs, "open/below", O_RDONLY, 0), ENOTDIR);
	FAILS_NULL(farnova_open(fs, "open", O_RDONLY | O_DIRECTORY, 0), ENOTDIR);
	FAILS_NULL(farnova_open(fs, "/", O_WRONLY, 0), EISDIR);
	FAILS_NULL(farnova_open(fs, "open", O_ACCMODE, 0), EINVAL);
	FAILS_NULL(farnova_open(fs, "open", O_TMPFILE | O_RDWR, 0600), ENOTDIR);
	CHECK(farnova_symlink(fs, "open", "open-link") == 0);
	FAILS_NULL(farnova_open(fs, "open-link", O_RDONLY | O_NOFOLLOW, 0), ELOOP);
	FAILS_NULL(farnova_open(fs, "open-link", O_RDONLY | O_NOFOLLOW | O_DIRECTORY, 0), ENOTDIR);
	FAILS(farnova_pread(file, buffer, 1, -1), EINVAL);
	CHECK(farnova_close(file) == 0);

	file = farnova_open(fs, "open-link", O_RDONLY | O_CLOEXEC | O_SYNC, 0);
	CHECK(file);
	CHECK(farnova_pread(file, buffer, sizeof(buffer), 0) == 7 && memcmp(buffer, "content", 7) == 0);
	FAILS(farnova_write(file, "x", 1), EBADF);
	FAILS(farnova_ftruncate(file, 0), EINVAL);
	CHECK(farnova_close(file) == 0);
	file = farnova_open(fs, "open", O_WRONLY | O_TRUNC, 0);
	CHECK(file);
	FAILS(farnova_read(file, buffer, 1), EBADF);
	CHECK(farnova_fstat(file, &st) == 0 && st.st_size == 0);
	CHECK(farnova_close(file) == 0);
	CHECK(farnova_unlink(fs, "open-link") == 0);
	CHECK(farnova_unlink(fs, "open") == 0);

	/* as a descriptor does, a file outlives its name */
	file = make_file("nameless", "still", 5);
	CHECK(farnova_unlink(fs, "nameless") == 0);
	CHECK(farnova_pread(file, buffer, 5, 0) == 5 && memcmp(buffer, "still", 5) == 0);
	CHECK(farnova_fstat(file, &st) == 0 && st.st_nlink == 0);
	CHECK(farnova_close(file) == 0);
}

static void reading_and_writing(void)
{
	static char data[5 << 20], back[5 << 20];
	struct stat st;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 2654435761u >> 13);
	struct farnova_file *file = farnova_open(fs, "rw", O_RDWR | O_CREAT, 0600);
	CHECK(file);
	/* sizes around each way the data can take: in the message, through the ring, in several pieces */
	static const size_t sizes[] = {1,    2047,  2048,  2049,    4095,          4096,
	                               4097, 65536, 65537, 1 << 20, (1 << 20) + 1, 5 << 20};
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (off_t offset = 0; offset < 3000; offset += 1234) {
			CHECK(farnova_ftruncate(file, 0) == 0);
			CHECK(farnova_pwrite(file, data, sizes[i], offset) == (ssize_t)sizes[i]);
			memset(back, 0xee, sizeof(back));
			size_t rest = sizes[i] > 100 ? sizes[i] - 100 : sizes[i];
			CHECK(farnova_pread(file, back, sizes[i], offset) == (ssize_t)sizes[i]);
			CHECK(memcmp(back, data, sizes[i]) == 0);
			CHECK(farnova_pread(file, back, sizeof(back), offset + (off_t)(sizes[i] - rest)) ==
			      (ssize_t)rest);
			CHECK(memcmp(back, data + sizes[i] - rest, rest) == 0);
			CHECK(farnova_fstat(file, &st) == 0 && st.st_size == offset + (off_t)sizes[i]);
		}
	}
	CHECK(farnova_pread(file, back, 10, 100 << 20) == 0);
	CHECK(farnova_pread(file, back, 0, 0) == 0);
	CHECK(farnova_pwrite(file, data, 0, 0) == 0);
	FAILS(farnova_pwrite(file, data, 1, -1), EINVAL);
	FAILS(farnova_pwrite(file, data, 1, INT64_MAX), EFBIG);

	/* holes read as zeros */
	CHECK(farnova_ftruncate(file, 0) == 0);
	CHECK(farnova_pwrite(file, "end", 3, 1 << 20) == 3);
	CHECK(farnova_pread(file, back, 1 << 20, 0) == 1 << 20);
	for (size_t i = 0; i < 1 << 20; i++)
		CHECK(back[i] == 0);

	/* what is cut off is gone for good */
	CHECK(farnova_ftruncate(file, 0) == 0);
	CHECK(farnova_pwrite(file, data, 10000, 0) == 10000);
	CHECK(farnova_pread(file, back, 10000, 0) == 10000);
	CHECK(farnova_ftruncate(file, 5000) == 0);
	CHECK(farnova_pread(file, back, 10000, 0) == 5000);
	CHECK(farnova_truncate(fs, "rw", 9000) == 0);
	CHECK(farnova_pread(file, back, 10000, 0) == 9000);
	CHECK(memcmp(back, data, 5000) == 0);
	for (size_t i = 5000; i < 9000; i++)
		CHECK(back[i] == 0);
	FAILS(farnova_ftruncate(file, -1), EINVAL);
	FAILS(farnova_truncate(fs, "rw", -1), EINVAL);

	/* at the end, wherever that is and whatever the position */
	CHECK(farnova_ftruncate(file, 9) == 0);
	CHECK(farnova_append(file, "end", 3) == 3 && farnova_lseek(file, 0, SEEK_CUR) == 0);
	CHECK(farnova_append(file, data, 3 << 20) == 3 << 20);
	CHECK(farnova_pread(file, back, 6, 9) == 6 && memcmp(back, "end", 3) == 0 && memcmp(back + 3, data, 3) == 0);
	CHECK(farnova_fstat(file, &st) == 0 && st.st_size == 12 + (3 << 20));

	/* one position for all */
	CHECK(farnova_ftruncate(file, 0) == 0);
	CHECK(farnova_write(file, "hello ", 6) == 6);
	CHECK(farnova_write(file, "world", 5) == 5);
	CHECK(farnova_lseek(file, 0, SEEK_CUR) == 11);
	CHECK(farnova_lseek(file, -5, SEEK_END) == 6);
	CHECK(farnova_read(file, back, 100) == 5 && memcmp(back, "world", 5) == 0);
	CHECK(farnova_read(file, back, 100) == 0);
	CHECK(farnova_lseek(file, 2, SEEK_SET) == 2);
	CHECK(farnova_read(file, back, 3) == 3 && memcmp(back, "llo", 3) == 0);
	FAILS(farnova_lseek(file, -1, SEEK_SET), EINVAL);
	FAILS(farnova_lseek(file, 0, 99), EINVAL);
	FAILS(farnova_lseek(file, INT64_MAX, SEEK_CUR), EOVERFLOW);
	CHECK(farnova_fsync(file) == 0);

	struct farnova_file *log = farnova_open(fs, "rw", O_WRONLY | O_APPEND, 0);
	CHECK(log);
	CHECK(farnova_write(log, "!", 1) == 1);
	CHECK(farnova_lseek(log, 0, SEEK_CUR) == 12);
	CHECK(farnova_pwrite(file, "?", 1, 12) == 1);
	CHECK(farnova_write(log, "more", 4) == 4);
	CHECK(farnova_lseek(log, 0, SEEK_CUR) == 17);
	CHECK(farnova_write(log, data, 3 << 20) == 3 << 20);
	CHECK(farnova_fstat(log, &st) == 0 && st.st_size == 17 + (3 << 20));
	CHECK(farnova_pread(file, back, 3 << 20, 17) == 3 << 20 && memcmp(back, data, 3 << 20) == 0);
	CHECK(farnova_close(log) == 0);
	CHECK(farnova_close(file) == 0);
	CHECK(farnova_unlink(fs, "rw") == 0);
}

#define APPENDERS 4
#define RECORDS   150
#define RECORD    3001 /* neither fits a block nor divides one */

static void *append_records(void *argument)
{
	unsigned number = *(unsigned *)argument;
	struct farnova *own = farnova_connect(url, NULL);
	char record[RECORD];

	CHECK(own);
	struct farnova_file *log = farnova_open(own, "log", O_WRONLY | O_APPEND, 0);
	CHECK(log);
	for (unsigned i = 0; i < RECORDS; i++) {
		memset(record, (int)('a' + number), sizeof(record));
		record[0] = (char)('A' + number);
		record[1] = (char)i;
		CHECK(farnova_write(log, record, sizeof(record)) == RECORD);
	}
	CHECK(farnova_close(log) == 0);
	farnova_disconnect(own);
	return NULL;
}

/* Appends of several connections lie one after the other, each whole and each connection's in its order. */
static void appending(void)
{
	static char data[APPENDERS * RECORDS * RECORD];
	unsigned numbers[APPENDERS], seen[APPENDERS] = {0};
	pthread_t threads[APPENDERS];

	struct farnova_file *log = make_file("log", "", 0);
	for (unsigned i = 0; i < APPENDERS; i++) {
		numbers[i] = i;
		CHECK(pthread_create(&threads[i], NULL, append_records, &numbers[i]) == 0);
	}
	for (unsigned i = 0; i < APPENDERS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	CHECK(farnova_lseek(log, 0, SEEK_END) == sizeof(data));
	CHECK(farnova_pread(log, data, sizeof(data), 0) == sizeof(data));
	for (const char *record = data; record < data + sizeof(data); record += RECORD) {
		unsigned number = (unsigned)(record[0] - 'A');
		CHECK(number < APPENDERS && (unsigned char)record[1] == seen[number]++);
		for (size_t i = 2; i < RECORD; i++)
			CHECK(record[i] == (char)('a' + number));
	}
	CHECK(farnova_close(log) == 0);
	CHECK(farnova_unlink(fs, "log") == 0);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: client_calls URL\n");
		return 2;
	}
	url = argv[1];
	CHECK(strcmp(farnova_last_error(), "") == 0);
	CHECK((fs = farnova_connect(url, NULL)));
	connecting();
	counting();
	opening();
	reading_and_writing();
	appending();
	reserving_and_punching();
	copying();
	changing_under_a_layout();
	names();
	attributes();
	directories();
	by_handle();
	on_behalf_of_others();
	extended_attributes();
	acls_and_the_umask();
	file_flags();

	/* what is open is closed by the end of the connection */
	CHECK(farnova_open(fs, "left-open", O_RDWR | O_CREAT, 0600));
	CHECK(farnova_opendir(fs, "/"));
	CHECK(farnova_unlink(fs, "left-open") == 0);
	farnova_disconnect(fs);
	printf("all calls do what they say\n");
	return 0;
}
