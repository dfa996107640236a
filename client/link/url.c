/*
 * url.c -- parses a farnova URL.
 */
#include "client/link/url.h"

#include "proto/proto.h"

#include <errno.h>
#include <string.h>

static const char scheme[] = "farnova://";

static int refuse(int error, const char *reason, const char **why)
{
	*why = reason;
	return error;
}

/* parse_port -- decimal digits only, 1..65535. */
static int parse_port(const char *text, size_t length, uint16_t *port)
{
	unsigned value = 0;
	if (length == 0 || length > 5)
		return -EINVAL;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		value = value * 10 + (unsigned)(text[i] - '0');
	}
	if (value == 0 || value > UINT16_MAX)
		return -EINVAL;
	*port = (uint16_t)value;
	return 0;
}

int url_parse(const char *text, struct url *out, const char **why)
{
	if (strncmp(text, scheme, sizeof(scheme) - 1) != 0)
		return refuse(-EINVAL, "a URL begins with farnova://", why);
	const char *host = text + sizeof(scheme) - 1;
	const char *host_end;
	const char *rest;
	if (*host == '[') {
		host++;
		host_end = strchr(host, ']');
		if (!host_end)
			return refuse(-EINVAL, "the bracket of the host is not closed", why);
		rest = host_end + 1;
	} else {
		host_end = host + strcspn(host, ":/");
		rest = host_end;
	}
	size_t host_length = (size_t)(host_end - host);
	if (host_length == 0)
		return refuse(-EINVAL, "the host is missing", why);
	if (host_length >= sizeof(out->host))
		return refuse(-EINVAL, "the host is too long", why);
	memcpy(out->host, host, host_length);
	out->host[host_length] = '\0';

	out->port = PROTO_DEFAULT_PORT;
	if (*rest == ':') {
		rest++;
		size_t length = strcspn(rest, "/");
		if (parse_port(rest, length, &out->port) != 0)
			return refuse(-EINVAL, "the port is a number from 1 to 65535 (IPv6 addresses go in brackets)",
			              why);
		rest += length;
	}
	if (*rest != '\0' && *rest != '/')
		return refuse(-EINVAL, "after the host comes :PORT or /PATH", why);
	rest += strspn(rest, "/");
	if (strlen(rest) >= sizeof(out->path))
		return refuse(-ENAMETOOLONG, "the path is longer than 4095 bytes", why);
	strcpy(out->path, rest);
	return 0;
}
