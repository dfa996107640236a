/*
 * proto_reply_fuzz.c -- what a client does with the bytes of any server: decode them as a reply or a recall, and walk
 * the directory entries that a reply was accepted with.
 */
#include "proto/proto.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct proto_reply reply;
	struct proto_recall recall;
	const char *why = NULL;

	if (size > PROTO_MAX_MESSAGE)
		return 0;
	if (proto_is_recall(data, size)) {
		if (proto_decode_recall(data, size, &recall, &why) != 0 && !why)
			abort();
		return 0;
	}
	if (proto_decode_reply(data, size, &reply, &why) != 0) {
		if (!why)
			abort();
		return 0;
	}
	if (reply.op == PROTO_READDIR && reply.status == 0) {
		size_t position = 0;
		struct proto_dirent entry;

		while (proto_dirent_next(reply.readdir.entries, reply.readdir.length, &position, &entry))
			;
		if (position != reply.readdir.length)
			abort();
	}
	return 0;
}
