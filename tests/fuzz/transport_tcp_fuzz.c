/*
 * transport_tcp_fuzz.c -- what a connection of the tcp transport does with the bytes of any peer, once hellos have been
 * exchanged: it executes them or ends, and touches no memory but the regions.
 *
 * The first byte says in what pieces the rest arrives. The regions' keys are fixed so that inputs can hit them.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "common/transport/tcp/tcp.h"

#define KEY_OF(index) (0x100000ull * ((index) + 1) | (index))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void share(struct transport_conn *conn, void *memory, size_t size, unsigned rights)
{
	struct tcp_conn *tcp = tcp_conn_of(conn);
	struct transport_region *region;

	if (transport_register(conn, memory, size, 0x1000, rights, &region) != 0)
		abort();
	region->key = KEY_OF(((struct tcp_region *)region)->index);
	if (tcp->regions[((struct tcp_region *)region)->index] != (struct tcp_region *)region)
		abort();
}

/* The program's part: keep some messages for a while, post again, until the end. */
static bool drain(struct transport_queue *queue, struct transport_conn *conn, int peer)
{
	struct transport_event events[16];
	uint8_t sink[4096];
	int count;

	while ((count = events_take(&queue->events, events, 16)) > 0) {
		for (int i = 0; i < count; i++) {
			if (events[i].type == TRANSPORT_CLOSED)
				return false;
			if (events[i].type == TRANSPORT_MESSAGE)
				transport_release(conn, events[i].data);
		}
	}
	while (recv(peer, sink, sizeof(sink), MSG_DONTWAIT) > 0)
		;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct transport_hello own = {512, 4, 4, 4, {0}}, theirs = {512, 4, 4, 8, {0}};
	struct transport_queue *queue;
	struct transport_conn *conn;
	uint8_t *memory = aligned_alloc(4096, 4 * 4096), *local = malloc(256);
	struct iovec iov = {"message", 7};
	size_t piece;
	int fds[2], context;

	log_set_level(LOG_LEVEL_ERROR);
	if (size < 2 || memory == NULL || local == NULL || transport_queue_create(TRANSPORT_TCP, &queue) != 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) != 0 ||
	    tcp_conn_create(queue, fds[0], &own, &theirs, "fuzz", &conn) != 0) {
		free(memory);
		free(local);
		if (size < 2)
			return 0;
		abort();
	}
	memset(memory, 0, 4 * 4096);
	share(conn, memory, 4096, TRANSPORT_REMOTE_READ);
	share(conn, memory + 4096, 4096, TRANSPORT_REMOTE_WRITE);
	share(conn, memory + 3 * 4096, 4096, TRANSPORT_REMOTE_READ | TRANSPORT_REMOTE_WRITE);
	transport_read(conn, local, NULL, 0, 1, 256, &context, TRANSPORT_MORE);
	transport_write(conn, local, NULL, 0, 1, 256, &context, TRANSPORT_MORE);
	transport_send(conn, &iov, 1, 0);
	piece = data[0] == 0 ? size : data[0];
	for (size_t at = 1; at < size && drain(queue, conn, fds[1]); at += piece)
		tcp_input_bytes(tcp_conn_of(conn), data + at, size - at < piece ? size - at : piece);
	/* What lies between the regions is nobody's. */
	for (size_t i = 2 * 4096; i < 3 * 4096; i++)
		if (memory[i] != 0)
			abort();
	transport_close(conn);
	transport_queue_destroy(queue);
	close(fds[1]);
	free(memory);
	free(local);
	return 0;
}
