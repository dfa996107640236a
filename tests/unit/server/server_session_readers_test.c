/*
 * server_session_readers_test.c -- clients that READ under layouts while others write, against a whole server.
 */
#include "tests/support/session_fixture.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- many at once ----------------------------------------------------------------------------------------------- */

#define THREADS      4
#define FILES        3
#define BLOCKS       8
#define STRESS_MS    2000
#define STRESS_CHUNK 4096

/*
 * Each file holds only its own letter. Threads read under layouts as the library does and write in between; whatever
 * lands in a buffer must be the file's own, though its blocks move at every write.
 */
struct stress {
	struct raw_client *client;
	unsigned seed;
	uint64_t reads, bad;
	atomic_uint *running; /* threads that may still make others return their layouts */
};

static void obey(struct raw_client *c, bool *known, uint64_t invalidation)
{
	if (c->recall_count > 0) {
		memset(known, 0, FILES * sizeof(*known));
		c->quiesced = c->recalls[(c->recall_count - 1) % RAW_RECALLS].invalidation;
		c->recall_count = 0;
	}
	if (invalidation > c->quiesced)
		c->quiesced = invalidation;
}

static void answer_recalls(struct raw_client *c, bool *known)
{
	struct proto_request back = {.op = PROTO_LAYOUT_RETURN, .slot = PROTO_SLOT_NONE};

	if (c->recall_count == 0)
		return;
	obey(c, known, 0);
	back.quiesced = c->quiesced;
	raw_post(c, &back);
}

/* Between calls, when no reply is due that this could take. */
static void give_back(struct raw_client *c, bool *known)
{
	struct proto_reply none;

	raw_reply(c, &none, 0);
	answer_recalls(c, known);
}

/* As raw_call, but recalls that come while it waits are answered. */
static int call_and_obey(struct raw_client *c, bool *known, struct proto_request *request, struct proto_reply *reply)
{
	request->slot = 0;
	request->sequence = ++c->sequence;
	request->quiesced = c->quiesced;
	if (!raw_post(c, request))
		return -ECONNRESET;
	for (int i = 0; i < 20000; i++) {
		if (raw_reply(c, reply, 1)) {
			obey(c, known, reply->invalidation);
			return -(int)reply->status;
		}
		answer_recalls(c, known);
	}
	return -ETIMEDOUT;
}

static void *stress_main(void *argument)
{
	struct stress *s = argument;
	struct raw_client *c = s->client;
	struct proto_extent extents[FILES];
	bool known[FILES] = {false};
	uint64_t opens[FILES];
	struct proto_reply reply;
	struct proto_request request;
	static _Thread_local char block[STRESS_CHUNK];
	int64_t end = now_ms() + STRESS_MS;

	for (int f = 0; f < FILES; f++) {
		char path[] = {(char)('a' + f), 0};
		if (raw_open(c, path, READ_WRITE, &reply) < 0)
			s->bad++;
		opens[f] = reply.open.open;
	}
	/* On a crowded host longer, until it has read at all. */
	while ((now_ms() < end || (s->reads == 0 && now_ms() < end + 20000)) && s->bad == 0) {
		int f = rand_r(&s->seed) % FILES;
		unsigned what = rand_r(&s->seed) % 8;
		give_back(c, known);
		if (what == 0) {
			memset(block, 'a' + f, sizeof(block));
			request = write_request(opens[f], (uint64_t)(rand_r(&s->seed) % BLOCKS) * STRESS_CHUNK, block,
			                        sizeof(block));
			s->bad += call_and_obey(c, known, &request, &reply) < 0;
			known[f] = false;
		} else if (!known[f]) {
			request = (struct proto_request){.op = PROTO_LAYOUT_GET};
			request.layout_get.open = opens[f];
			request.layout_get.length = BLOCKS * STRESS_CHUNK;
			s->bad += call_and_obey(c, known, &request, &reply) < 0;
			known[f] = reply.layout.granted && reply.layout.extent_count > 0 && reply.layout.extents[0].key;
			extents[f] = reply.layout.extents[0];
		} else {
			struct transport_event event = {.type = TRANSPORT_MESSAGE};
			if (transport_read(c->conn, block, NULL, extents[f].address, extents[f].key, STRESS_CHUNK,
			                   block, 0))
				s->bad++;
			while (event.type == TRANSPORT_MESSAGE && now_ms() < end + 20000) {
				const char *why;
				if (transport_poll(c->queue, &event, 1) <= 0 || event.type != TRANSPORT_MESSAGE)
					continue;
				/* Only recalls come here: acted on once this READ is done. */
				proto_decode_recall(event.data, event.length,
				                    &c->recalls[c->recall_count++ % RAW_RECALLS], &why);
				transport_release(event.conn, event.data);
			}
			s->bad += event.type != TRANSPORT_DONE;
			for (size_t i = 0; i < sizeof(block); i++)
				s->bad += block[i] != 'a' + f;
			s->reads++;
		}
	}
	/*
	 * A holder that no longer answered would hold up the others' writes for a lease. The recall that came with the
	 * last reply is not answered yet: no request that would carry it follows.
	 */
	request = (struct proto_request){.op = PROTO_LAYOUT_RETURN, .slot = PROTO_SLOT_NONE, .quiesced = c->quiesced};
	raw_post(c, &request);
	atomic_fetch_sub(s->running, 1);
	while (atomic_load(s->running) > 0 && !c->closed)
		give_back(c, known);
	return NULL;
}

static void readers_never_see_another_files_bytes_while_others_write(void **state)
{
	pthread_t threads[THREADS];
	struct stress stress[THREADS];
	atomic_uint running = THREADS;
	uint64_t reads = 0;

	(void)state;
	for (int i = 0; i < THREADS; i++) {
		stress[i] = (struct stress){.client = client(), .seed = (unsigned)i + 1, .running = &running};
		pthread_create(&threads[i], NULL, stress_main, &stress[i]);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(stress[i].bad, 0);
		reads += stress[i].reads;
		raw_close(stress[i].client);
	}
	assert_true(reads > 0);
}

int main(void)
{
#define PATIENT(name) cmocka_unit_test_setup_teardown(name, start_patient, stop)
	const struct CMUnitTest tests[] = {
	    PATIENT(readers_never_see_another_files_bytes_while_others_write),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
