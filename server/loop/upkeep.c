/*
 * upkeep.c -- work of the bulk threads that no request waits for.
 */
#include "server/loop/upkeep.h"

#include "common/container_of.h"
#include "common/log.h"
#include "server/nova/long.h"

#include <errno.h>
#include <string.h>

int upkeep_init(struct upkeep *upkeep, struct nova *nova, struct bulk *bulk)
{
	*upkeep = (struct upkeep){.nova = nova, .bulk = bulk, .owner = bulk_owner_make()};
	return upkeep->owner ? 0 : -ENOMEM;
}

void upkeep_end(struct upkeep *upkeep)
{
	if (upkeep->owner)
		bulk_owner_end(upkeep->bulk, upkeep->owner);
	upkeep->owner = NULL;
}

static void reclaim(struct bulk_job *job, struct nova_worker *worker)
{
	const struct nova_call call = {.worker = worker};
	int count = nova_reclaim_orphans(&call);

	(void)job;
	if (count < 0)
		log_error("upkeep", "cannot reclaim orphans: %s", strerror(-count));
	else if (count > 0)
		log_info("upkeep", "reclaimed %d files that were unlinked while open", count);
}

static void reclaimed(struct mail *mail)
{
	(void)mail;
}

void upkeep_reclaim_orphans(struct upkeep *upkeep, struct mailbox *mailbox, struct nova_worker *worker)
{
	upkeep->reclaim =
	    (struct bulk_job){.mail.deliver = reclaimed, .mailbox = mailbox, .owner = upkeep->owner, .run = reclaim};
	if (!bulk_submit(upkeep->bulk, &upkeep->reclaim))
		reclaim(&upkeep->reclaim, worker);
}

static void free_dead(struct bulk_job *job, struct nova_worker *worker)
{
	(void)job;
	nova_free_dead(worker);
}

static void freed(struct mail *mail)
{
	struct upkeep *upkeep = container_of(mail, struct upkeep, dead.mail);

	atomic_store(&upkeep->freeing, false);
}

void upkeep_free_dead(struct upkeep *upkeep, struct mailbox *mailbox)
{
	if (!nova_has_dead(upkeep->nova) || atomic_exchange(&upkeep->freeing, true))
		return;
	upkeep->dead =
	    (struct bulk_job){.mail.deliver = freed, .mailbox = mailbox, .owner = upkeep->owner, .run = free_dead};
	/* Without bulk threads no worker is hurried, so there are no dead files. */
	if (!bulk_submit(upkeep->bulk, &upkeep->dead))
		atomic_store(&upkeep->freeing, false);
}
