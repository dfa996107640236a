/*
 * dump_clients.c -- shows the client table: the clients, without what is known of their keys, and their intents.
 */
#include "server/pool/dump/dump_view.h"

#include "server/pool/check/check.h"

#include <stdio.h>

struct clients_view {
	struct dump_view *view;
	bool in_intents;
};

static void dump_client_number(struct dump_view *view, uint64_t number)
{
	char text[20];

	snprintf(text, sizeof(text), "%016llx", (unsigned long long)number);
	dump_text(view, "client", text);
}

static void show_client(struct check_report *report, const struct check_client *client)
{
	struct clients_view *v = report->context;

	dump_open(v->view, NULL, '{');
	dump_client_number(v->view, client->number);
	dump_time(v->view, "created", le64_of((uint64_t)client->created_ns));
	dump_hex(v->view, "groups", client->groups);
	dump_close(v->view, '}');
}

static void begin_intents(struct clients_view *v)
{
	if (v->in_intents)
		return;
	v->in_intents = true;
	dump_close(v->view, ']');
	dump_open(v->view, "intents", '[');
}

static void show_intent(struct check_report *report, const struct check_intent *intent)
{
	struct clients_view *v = report->context;
	char result[2 * NOVA_INTENT_RESULT + 1];

	begin_intents(v);
	for (unsigned i = 0; i < NOVA_INTENT_RESULT; i++)
		snprintf(result + 2 * i, 3, "%02x", intent->result[i]);
	dump_open(v->view, NULL, '{');
	dump_client_number(v->view, intent->number);
	dump_number(v->view, "slot", intent->slot);
	dump_number(v->view, "sequence", intent->sequence);
	dump_number(v->view, "operation", intent->op);
	dump_number(v->view, "inode", intent->ino);
	dump_number(v->view, "generation", intent->generation);
	dump_number(v->view, "position", intent->position);
	dump_text(v->view, "result", result);
	dump_text(v->view, "state", intent->committed ? "committed" : "not committed: the next mount makes it void");
	dump_close(v->view, '}');
}

int dump_clients(struct dump_view *view, const struct image *image)
{
	struct clients_view v = {.view = view};
	struct check_report report = {.client = show_client, .intent = show_intent, .context = &v};
	int rc;

	dump_open(view, "clients", '[');
	rc = nova_check(image->base, image->size, &report);
	begin_intents(&v);
	dump_close(view, ']');
	return rc < 0 ? rc : 0;
}
