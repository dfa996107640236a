/*
 * upkeep.h -- what the bulk threads do for nobody's request: reclaiming of orphans, freeing of dead files.
 *
 * One for the server. Any worker gives the jobs away, one of each kind at a time; its mail comes to that worker.
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
	atomic_bool freeing; /* `dead` has been given away */
};

/* upkeep_init -- after bulk_start; -ENOMEM. upkeep_end -- after bulk_stop. */
int upkeep_init(struct upkeep *upkeep, struct nova *nova, struct bulk *bulk);
void upkeep_end(struct upkeep *upkeep);

/*
 * upkeep_reclaim_orphans -- once: a crash leaves files that were unlinked while open. Their clients have had a lease to
 * come back and open them again; what nobody has opened goes. Without a bulk thread `worker` does it.
 */
void upkeep_reclaim_orphans(struct upkeep *upkeep, struct mailbox *mailbox, struct nova_worker *worker);

/* upkeep_free_dead -- if there are dead files, let a bulk thread free one. */
void upkeep_free_dead(struct upkeep *upkeep, struct mailbox *mailbox);

#endif
