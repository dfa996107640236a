/*
 * proto_request_fuzz.c -- what a server does with the bytes of any client: decode them. What is accepted must encode to
 * the same bytes again, so that nothing is accepted that no client could have meant.
 */
#include "proto/proto.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct proto_request request;
	static uint8_t again[PROTO_MAX_MESSAGE];
	const char *why = NULL;

	if (size > PROTO_MAX_MESSAGE)
		return 0;
	if (proto_decode_request(data, size, &request, &why) != 0) {
		if (!why)
			abort();
		return 0;
	}
	if (proto_encode_request(&request, again, sizeof(again)) != (int)size || memcmp(data, again, size) != 0)
		abort();
	return 0;
}
