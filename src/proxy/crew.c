#include "proxy/crew.h"

#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>

typedef enum crew_order { PREPARE, COMMIT, CANCEL, DRAIN, END_ALL, STOP, ANSWER, NUM_ORDERS } crew_order;

typedef struct member member;

/* What the main thread tells a worker: an object for each order, so that none overtakes another. */
typedef struct crew_task {
    tg_task task;
    member *member;
    crew_order order;
} crew_task;

struct member {
    tg_crew *crew;
    tg_proxy_worker *worker;
    crew_task tasks[NUM_ORDERS];
    tg_result result; /* of PREPARE */
    _Atomic bool has_answered;
};

struct tg_crew {
    member *members;
    size_t num_workers;
    size_t num_running;
    sem_t done; /* posted for each order that is waited for */
    const tg_proxy_gates *gates;
    tg_proxy_config *config; /* of COMMIT */
};

/* On the worker's thread, or before it runs. */
static void obey(member *own, crew_order order)
{
    switch (order) {
    case PREPARE:
        own->result = tg_proxy_worker_prepare(own->worker, own->crew->gates);
        break;
    case COMMIT:
        tg_proxy_worker_commit(own->worker, own->crew->config);
        break;
    case CANCEL:
        tg_proxy_worker_cancel(own->worker);
        break;
    case DRAIN:
        tg_proxy_worker_drain(own->worker);
        break;
    case END_ALL:
        tg_proxy_worker_end_all(own->worker);
        break;
    case STOP:
        tg_loop_stop(own->worker->loop);
        break;
    case ANSWER:
        atomic_store(&own->has_answered, true);
        break;
    case NUM_ORDERS:
        break;
    }
}

static void on_task(tg_task *task)
{
    const crew_task *told = TG_OBJECT_OF(task, crew_task, task);
    obey(told->member, told->order);
    if (told->order <= CANCEL) {
        sem_post(&told->member->crew->done);
    }
}

static void tell(const tg_crew *crew, crew_order order)
{
    for (size_t i = 0; i < crew->num_running; i++) {
        tg_loop_post(crew->members[i].worker->loop, &crew->members[i].tasks[order].task);
    }
}

/* Every worker has done it when this returns; those that do not run are this thread's. */
static void make_all(tg_crew *crew, crew_order order)
{
    tell(crew, order);
    for (size_t i = crew->num_running; i < crew->num_workers; i++) {
        obey(&crew->members[i], order);
    }
    for (size_t i = 0; i < crew->num_running; i++) {
        while (sem_wait(&crew->done) != 0) {
        }
    }
}

static tg_result make_member(tg_crew *crew, member *own, tg_proxy_shared *shared)
{
    own->crew = crew;
    atomic_init(&own->has_answered, true);
    for (int order = 0; order < NUM_ORDERS; order++) {
        own->tasks[order] = (crew_task){.task.run = on_task, .member = own, .order = (crew_order)order};
    }
    return tg_proxy_worker_new(shared, &own->worker);
}

tg_result tg_crew_new(tg_proxy_shared *shared, size_t num_workers, tg_crew **out_crew)
{
    tg_crew *crew = calloc(1, sizeof *crew);
    if (crew == NULL || sem_init(&crew->done, 0, 0) != 0) {
        free(crew);
        return tg_fail(TG_ERR_MEMORY);
    }
    crew->num_workers = num_workers;
    crew->members = calloc(num_workers, sizeof *crew->members);
    tg_result result = crew->members != NULL ? tg_ok() : tg_fail(TG_ERR_MEMORY);
    for (size_t i = 0; i < num_workers && tg_is_ok(result); i++) {
        result = make_member(crew, &crew->members[i], shared);
    }
    if (!tg_is_ok(result)) {
        tg_crew_free(crew);
        return result;
    }
    *out_crew = crew;
    return tg_ok();
}

void tg_crew_free(tg_crew *crew)
{
    if (crew == NULL) {
        return;
    }
    for (size_t i = 0; crew->members != NULL && i < crew->num_workers; i++) {
        tg_proxy_worker_free(crew->members[i].worker);
    }
    free(crew->members);
    sem_destroy(&crew->done);
    free(crew);
}

static void *run_worker(void *argument)
{
    tg_proxy_worker *worker = argument;
    tg_loop_run(worker->loop);
    return NULL;
}

tg_result tg_crew_start(tg_crew *crew)
{
    sigset_t all, former;
    sigfillset(&all); /* signals are the main thread's */
    pthread_sigmask(SIG_SETMASK, &all, &former);
    tg_result result = tg_ok();
    for (size_t i = 0; i < crew->num_workers && tg_is_ok(result); i++) {
        int why = pthread_create(&crew->members[i].worker->thread, NULL, run_worker, crew->members[i].worker);
        result = why == 0 ? tg_ok() : tg_fail_os(why);
        crew->num_running += why == 0;
    }
    pthread_sigmask(SIG_SETMASK, &former, NULL);
    return result;
}

void tg_crew_stop(tg_crew *crew)
{
    tell(crew, STOP);
    for (size_t i = 0; i < crew->num_running; i++) {
        pthread_join(crew->members[i].worker->thread, NULL);
    }
    crew->num_running = 0;
}

tg_result tg_crew_prepare(tg_crew *crew, const tg_proxy_gates *gates)
{
    crew->gates = gates;
    make_all(crew, PREPARE);
    for (size_t i = 0; i < crew->num_workers; i++) {
        if (!tg_is_ok(crew->members[i].result)) {
            tg_crew_cancel(crew);
            return crew->members[i].result;
        }
    }
    return tg_ok();
}

void tg_crew_commit(tg_crew *crew, tg_proxy_config *config)
{
    crew->config = config;
    make_all(crew, COMMIT);
    crew->gates = NULL;
    crew->config = NULL;
}

void tg_crew_cancel(tg_crew *crew)
{
    make_all(crew, CANCEL);
    crew->gates = NULL;
}

void tg_crew_drain(tg_crew *crew)
{
    tell(crew, DRAIN);
}

void tg_crew_end_all(tg_crew *crew)
{
    tell(crew, END_ALL);
}

size_t tg_crew_num_running(const tg_crew *crew)
{
    return crew->num_running;
}

bool tg_crew_is_alive(tg_crew *crew)
{
    bool is_alive = true;
    for (size_t i = 0; i < crew->num_running; i++) {
        member *own = &crew->members[i];
        is_alive = atomic_exchange(&own->has_answered, false) && is_alive;
        tg_loop_post(own->worker->loop, &own->tasks[ANSWER].task);
    }
    return is_alive;
}
