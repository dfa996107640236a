/*
 * reply_killer.c -- preloaded into farnovad: ends it just before it sends a certain reply (reply_killer.h).
 *
 * Over TCP it reads what sendmsg is given as frames and messages (docs/protocol.md), for each descriptor; over verbs it
 * looks at what is posted to queue pairs that rdma_cm makes.
 */
#include "tests/support/reply_killer.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#if FARNOVA_HAS_VERBS
#include <rdma/rdma_cma.h>
#endif

#define FRAME_HEADER  24u
#define FRAME_HELLO   1u
#define FRAME_MESSAGE 2u
#define FRAME_DATA    4u
#define FRAME_WRITE   5u
#define MESSAGE_HEAD  20u /* up to the status */
#define DESCRIPTORS   65536
#define INTERPOSED    __attribute__((visibility("default")))

/* Where a descriptor's bytes stand. */
struct stream {
	uint32_t header_done, body_left;
	bool message;
	uint32_t head_done; /* of a message */
	uint8_t header[FRAME_HEADER], head[MESSAGE_HEAD];
};

static struct reply_killer *killer;
static struct stream *streams[DESCRIPTORS];
static atomic_bool lost; /* SIGTERM was sent: nothing leaves any more */

__attribute__((constructor)) static void map_killer(void)
{
	const char *path = getenv(REPLY_KILLER_FILE);
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;

	if (fd < 0)
		return;
	void *memory = mmap(NULL, sizeof(*killer), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (memory != MAP_FAILED)
		killer = memory;
}

static uint32_t le32(const uint8_t *bytes)
{
	return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

/* A reply is about to be sent. Returns whether it may be. */
static bool reply(const uint8_t *head)
{
	unsigned number = atomic_fetch_add(&killer->replies, 1) + 1;

	if (number != atomic_load(&killer->at))
		return true;
	atomic_store(&killer->status, le32(head + 16));
	atomic_store(&killer->op, head[8] | (unsigned)head[9] << 8);
	if (atomic_load(&killer->end) == REPLY_KILLER_KILL)
		kill(getpid(), SIGKILL);
	atomic_store(&lost, true);
	kill(getpid(), SIGTERM);
	return false;
}

static bool is_reply(const uint8_t *head)
{
	return memcmp(head, "FNr1", 4) == 0;
}

/* ---- TCP -------------------------------------------------------------------------------------------------------- */

/* Takes up to `length` bytes of the header or of a message's head; returns how many. */
static size_t take(uint8_t *to, uint32_t size, uint32_t *done, const uint8_t *bytes, size_t length)
{
	size_t count = size - *done < length ? size - *done : length;

	memcpy(to + *done, bytes, count);
	*done += (uint32_t)count;
	return count;
}

/* Follows the bytes through frames; with `act` replies count. False: a reply is not to be sent. */
static bool follow(struct stream *stream, const uint8_t *bytes, size_t length, bool act)
{
	while (length > 0) {
		size_t count;
		if (stream->header_done < FRAME_HEADER) {
			count = take(stream->header, FRAME_HEADER, &stream->header_done, bytes, length);
			if (stream->header_done == FRAME_HEADER) {
				uint8_t type = stream->header[0];
				bool body = type == FRAME_MESSAGE || type == FRAME_DATA || type == FRAME_WRITE;
				stream->body_left = body ? le32(stream->header + 4) : 0;
				stream->message = type == FRAME_MESSAGE;
				stream->head_done = 0;
			}
		} else if (stream->message && stream->head_done < MESSAGE_HEAD) {
			count = take(stream->head, MESSAGE_HEAD, &stream->head_done, bytes, length);
			stream->body_left -= (uint32_t)count;
			if (stream->head_done == MESSAGE_HEAD && is_reply(stream->head) && act && !reply(stream->head))
				return false;
		} else {
			count = stream->body_left < length ? stream->body_left : length;
			stream->body_left -= (uint32_t)count;
		}
		if (stream->header_done == FRAME_HEADER && stream->body_left == 0)
			stream->header_done = 0;
		bytes += count;
		length -= count;
	}
	return true;
}

static size_t total(const struct msghdr *message)
{
	size_t length = 0;

	for (size_t i = 0; i < message->msg_iovlen; i++)
		length += message->msg_iov[i].iov_len;
	return length;
}

/* Where the peer takes only a part, the replies of the rest count again when it is sent: seldom, and only more. */
INTERPOSED ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	static ssize_t (*real)(int, const struct msghdr *, int);

	if (!real)
		real = (ssize_t(*)(int, const struct msghdr *, int))dlsym(RTLD_NEXT, "sendmsg");
	if (!killer || fd < 0 || fd >= DESCRIPTORS || !streams[fd])
		return real(fd, message, flags);
	if (atomic_load(&lost))
		return (ssize_t)total(message);
	struct stream ahead = *streams[fd];
	for (size_t i = 0; i < message->msg_iovlen; i++)
		if (!follow(&ahead, message->msg_iov[i].iov_base, message->msg_iov[i].iov_len, true))
			return (ssize_t)total(message);
	ssize_t sent = real(fd, message, flags);
	size_t left = sent > 0 ? (size_t)sent : 0;
	for (size_t i = 0; i < message->msg_iovlen && left > 0; i++) {
		size_t part = message->msg_iov[i].iov_len < left ? message->msg_iov[i].iov_len : left;
		follow(streams[fd], message->msg_iov[i].iov_base, part, false);
		left -= part;
	}
	return sent;
}

/* A connection's first frame, the hello, is sent by itself. */
INTERPOSED ssize_t send(int fd, const void *data, size_t length, int flags)
{
	static ssize_t (*real)(int, const void *, size_t, int);

	if (!real)
		real = (ssize_t(*)(int, const void *, size_t, int))dlsym(RTLD_NEXT, "send");
	if (killer && fd >= 0 && fd < DESCRIPTORS && length > FRAME_HEADER && *(const uint8_t *)data == FRAME_HELLO) {
		if (!streams[fd])
			streams[fd] = malloc(sizeof(*streams[fd]));
		if (streams[fd])
			memset(streams[fd], 0, sizeof(*streams[fd]));
	}
	return real(fd, data, length, flags);
}

/* ---- verbs ------------------------------------------------------------------------------------------------------ */

#if FARNOVA_HAS_VERBS

static int (*real_post)(struct ibv_qp *, struct ibv_send_wr *, struct ibv_send_wr **);

static int post_send(struct ibv_qp *qp, struct ibv_send_wr *first, struct ibv_send_wr **bad)
{
	if (atomic_load(&lost))
		return 0;
	for (const struct ibv_send_wr *wr = first; wr; wr = wr->next) {
		const uint8_t *head = wr->num_sge > 0 ? (const uint8_t *)(uintptr_t)wr->sg_list[0].addr : NULL;
		if (wr->opcode == IBV_WR_SEND_WITH_IMM && wr->sg_list[0].length > MESSAGE_HEAD && is_reply(head) &&
		    !reply(head))
			return 0;
	}
	return real_post(qp, first, bad);
}

INTERPOSED int rdma_create_qp(struct rdma_cm_id *id, struct ibv_pd *pd, struct ibv_qp_init_attr *attributes)
{
	static int (*real)(struct rdma_cm_id *, struct ibv_pd *, struct ibv_qp_init_attr *);

	if (!real)
		real = (int (*)(struct rdma_cm_id *, struct ibv_pd *, struct ibv_qp_init_attr *))dlsym(
		    RTLD_NEXT, "rdma_create_qp");
	int rc = real(id, pd, attributes);
	if (killer && rc == 0 && id->verbs->ops.post_send != post_send) {
		real_post = id->verbs->ops.post_send;
		id->verbs->ops.post_send = post_send;
	}
	return rc;
}

#endif
