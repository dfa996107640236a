/*
 * shortage.c -- which session is ended next where space is short.
 */
#include "server/state/layout/shortage.h"

void shortage_init(struct shortage *shortage)
{
	*shortage = (struct shortage){.noted = false};
	pthread_mutex_init(&shortage->lock, NULL);
	TAILQ_INIT(&shortage->debtors);
}

void shortage_destroy(struct shortage *shortage)
{
	pthread_mutex_destroy(&shortage->lock);
}

void shortage_note(struct shortage *shortage)
{
	pthread_mutex_lock(&shortage->lock);
	shortage->noted = true;
	pthread_mutex_unlock(&shortage->lock);
}

bool shortage_ask(struct shortage *shortage, struct debtor *debtor, uint64_t number, int64_t since_ms, int64_t now_ms)
{
	if (debtor->listed)
		return false;
	*debtor = (struct debtor){
	    .listed = true, .number = number, .since_ms = since_ms, .issued_ms = now_ms, .due_ms = now_ms};
	pthread_mutex_lock(&shortage->lock);
	TAILQ_INSERT_TAIL(&shortage->debtors, debtor, link);
	pthread_mutex_unlock(&shortage->lock);
	return true;
}

static void remove_debtor(struct shortage *shortage, struct debtor *debtor)
{
	pthread_mutex_lock(&shortage->lock);
	TAILQ_REMOVE(&shortage->debtors, debtor, link);
	shortage->noted = false;
	pthread_mutex_unlock(&shortage->lock);
	debtor->listed = false;
}

void shortage_answered(struct shortage *shortage, struct debtor *debtor, uint64_t quiesced)
{
	if (debtor->listed && debtor->number <= quiesced)
		remove_debtor(shortage, debtor);
}

void shortage_ended(struct shortage *shortage, struct debtor *debtor)
{
	if (debtor->listed)
		remove_debtor(shortage, debtor);
}

void shortage_extend(struct shortage *shortage, struct debtor *debtor, int64_t late_ms, int64_t most_ms)
{
	if (!debtor->listed)
		return;
	pthread_mutex_lock(&shortage->lock);
	debtor->due_ms += late_ms;
	if (debtor->due_ms > debtor->issued_ms + most_ms)
		debtor->due_ms = debtor->issued_ms + most_ms;
	pthread_mutex_unlock(&shortage->lock);
}

const struct debtor *shortage_due(struct shortage *shortage, int64_t now_ms, int64_t recall_ms)
{
	const struct debtor *oldest = NULL, *each;

	pthread_mutex_lock(&shortage->lock);
	if (shortage->noted)
		TAILQ_FOREACH(each, &shortage->debtors, link)
	if (now_ms - each->due_ms > recall_ms && (!oldest || each->since_ms < oldest->since_ms))
		oldest = each;
	pthread_mutex_unlock(&shortage->lock);
	return oldest;
}
