/*
 * upkeep.h -- work of the bulk threads that no request waits for: reclaiming orphans and freeing dead files.
 *
 * There is one for the whole server. Any worker submits the jobs, one of each kind at a time, and gets their mail.
 */
#ifndef FARNOVA_SERVER_UPKEEP_H
#define FARNOVA_SERVER_UPKEEP_H

#include "server/state/bulk.h"

#include <stdatomic.h>

struct upkeep {
	struct nova *nova;
	struct bulk *bulk;
	struct bulk_owner *owner;
	struct bulk_job reclaim, dead;
	atomic_bool freeing; /* `dead` has been submitted */
};

/* upkeep_init -- after bulk_start; -ENOMEM. upkeep_end -- after bulk_stop. */
int upkeep_init(struct upkeep *upkeep, struct nova *nova, struct bulk *bulk);
void upkeep_end(struct upkeep *upkeep);

/*
 * upkeep_reclaim_orphans -- free the files that were unlinked while open when a crash came, unless a client has opened
 * them again. Call it once, when clients have had a lease to do so. Without a bulk thread `worker` does it.
 */
void upkeep_reclaim_orphans(struct upkeep *upkeep, struct mailbox *mailbox, struct nova_worker *worker);

/* upkeep_free_dead -- if there are dead files, let a bulk thread free one. */
void upkeep_free_dead(struct upkeep *upkeep, struct mailbox *mailbox);

#endif
