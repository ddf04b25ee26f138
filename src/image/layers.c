/* SPDX-License-Identifier: Apache-2.0
 *
 * The layers of one pull: downloaded, hashed, unpacked and published in parallel. Any failure, and
 * the user's wish, ends all of them quickly.
 *
 * A layer that needs something from those below it waits, unpacked, until they are published; who
 * publishes a layer looks whether the next ones can go on now. Where layers are made out of those
 * below, a layer waits for them with its blob. Nobody waits for a layer above his own.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/time.h"
#include "image/blob_fetch.h"
#include "image/download.h"
#include "image/layer_flush.h"
#include "image/layer_kind.h"
#include "image/layer_maker.h"
#include "image/layer_store.h"
#include "image/store_internal.h"

enum {
  MAX_WORKERS = ZL_MAX_PULL_CONNECTIONS,
  MAX_CLAIMS = 4, /* rounds against a collector that is always faster */
  REPORT_EVERY_MS = 100
};

enum job_state {
  JOB_WAITING,
  JOB_STAGED, /* unpacked, needs the layers below */
  JOB_READY   /* published and held */
};

struct job {
  const struct zl_descriptor *blob;
  const char *diff_id;
  size_t index;
  enum job_state state;
  struct zl_claim claim;
  struct zl_staging staging;
  struct zl_download got;
};

struct zl_layer_fetch {
  struct zl_layer_fetch_options opt;
  struct job *jobs;
  size_t count;
  enum zl_layer_kind kind; /* of layers that have to be made */
  int partials_fd;         /* -1: nothing is kept */
  int flush_fd;            /* whose errors are those of what is made here */
  struct zl_flusher flusher;
  atomic_uint connections;
  atomic_size_t next;
  atomic_bool stop;
  pthread_mutex_t order;  /* states of the jobs, fix-ups, the first error */
  pthread_cond_t changed; /* one of them */
  const char **keys;      /* of published layers: layer i has place count - 1 - i, so that all below
                           * it follow, nearest first */
  pthread_mutex_t report;
  struct zl_error error;
};

/* ---- Ending early ---------------------------------------------------------------------------- */

static void stop_all(struct zl_layer_fetch *f)
{
  uint64_t one = 1;

  atomic_store(&f->stop, true);
  (void)!write(f->opt.cancel_fd, &one, sizeof(one));
}

/* The first failure is the pull's; the others are its echo. */
static void fail_all(struct zl_layer_fetch *f, const struct zl_error *err)
{
  (void)pthread_mutex_lock(&f->order);
  if (f->error.code == ZL_OK)
    f->error = *err;
  stop_all(f);
  (void)pthread_cond_broadcast(&f->changed);
  (void)pthread_mutex_unlock(&f->order);
}

static int tell(struct zl_layer_fetch *f, const struct job *job, enum zl_pull_phase phase,
                uint64_t done, uint64_t resumed, struct zl_error *err)
{
  const struct zl_pull_progress progress = { .phase = phase,
                                             .digest = job->blob->digest,
                                             .index = job->index,
                                             .layers = f->count,
                                             .done = done,
                                             .total = job->blob->size,
                                             .resumed = resumed };
  int r = 0;

  if (f->opt.pull == NULL || f->opt.pull->progress == NULL)
    return 0;
  (void)pthread_mutex_lock(&f->report);
  if (!atomic_load(&f->stop))
    r = f->opt.pull->progress(f->opt.pull->payload, &progress);
  (void)pthread_mutex_unlock(&f->report);
  return r == 0 ? 0 : zl_fail(err, ZL_E_CANCELLED, 0, "cancelled");
}

/* ---- One layer ------------------------------------------------------------------------------- */

struct report {
  struct zl_layer_fetch *fetch;
  struct job *job;
  uint64_t reported_ns;
};

static struct zl_layer_making making_of(struct zl_layer_fetch *f, struct job *job)
{
  return (struct zl_layer_making){ .store = f->opt.store,
                                   .staging = &job->staging,
                                   .blob = job->blob,
                                   .diff_id = job->diff_id,
                                   .key = job->claim.chain_key,
                                   .below = f->keys + f->count - job->index,
                                   .n_below = job->index };
}

static bool is_below_ready(const struct zl_layer_fetch *f, const struct job *job)
{
  for (size_t i = 0; i < job->index; i++)
    if (f->jobs[i].state != JOB_READY)
      return false;
  return true;
}

static int wait_for_below(struct zl_layer_fetch *f, const struct job *job, struct zl_error *err)
{
  (void)pthread_mutex_lock(&f->order);
  while (!atomic_load(&f->stop) && !is_below_ready(f, job))
    (void)pthread_cond_wait(&f->changed, &f->order);
  (void)pthread_mutex_unlock(&f->order);
  return atomic_load(&f->stop) ? zl_fail(err, ZL_E_CANCELLED, 0, "cancelled") : 0;
}

static int start_layer(void *ctx, struct zl_unpack **ret, struct zl_error *err)
{
  const struct report *report = ctx;
  const struct zl_layer_making making = making_of(report->fetch, report->job);
  int r = zl_layer_maker.on_others ? wait_for_below(report->fetch, report->job, err) : 0;

  return r < 0 ? r : zl_layer_maker.start(&making, ret, err);
}

static int on_progress(void *ctx, uint64_t done, uint64_t resumed, struct zl_error *err)
{
  struct report *report = ctx;
  uint64_t now = zl_time_boot();

  if (atomic_load(&report->fetch->stop))
    return zl_fail(err, ZL_E_CANCELLED, 0, "cancelled");
  if (done < report->job->blob->size && now - report->reported_ns < REPORT_EVERY_MS * ZL_NS_PER_MS)
    return 0;
  report->reported_ns = now;
  return tell(report->fetch, report->job, ZL_PULL_DOWNLOADING, done, resumed, err);
}

static int download_once(struct zl_layer_fetch *f, struct job *job, int partials_fd,
                         bool *ret_again, struct zl_error *err)
{
  struct report report = { .fetch = f, .job = job };
  const struct zl_download_options options = { .source = f->opt.source,
                                               .blob = job->blob,
                                               .diff_id = job->diff_id,
                                               .partials_fd = partials_fd,
                                               .connections = &f->connections,
                                               .cancel_fd = f->opt.cancel_fd,
                                               .start = start_layer,
                                               .late = zl_layer_maker.on_others,
                                               .report = on_progress,
                                               .ctx = &report };
  int r = zl_staging_make(f->opt.store->layers_fd, f->kind, &job->staging, err);

  *ret_again = false;
  return r < 0 ? r : zl_download(&options, &job->got, ret_again, err);
}

/* What an earlier pull left may be damaged, and the disk may have room for the layer alone: then
 * once more, from the beginning. */
static int download(struct zl_layer_fetch *f, struct job *job, struct zl_error *err)
{
  bool again = false;
  int r = download_once(f, job, f->partials_fd, &again, err);

  if (r == 0 || !again)
    return r;
  zl_debug("blob %s is fetched from its beginning: %s", job->blob->digest, err->msg);
  zl_partial_discard(f->partials_fd, job->blob->digest);
  zl_staging_remove(f->opt.store->layers_fd, &job->staging);
  return download_once(f, job, zl_download_is_disk_full(err) ? -1 : f->partials_fd, &again, err);
}

static void forget_partial(struct zl_layer_fetch *f, struct job *job)
{
  if (job->got.partial.fd >= 0)
    zl_partial_remove(&job->got.partial);
  else if (f->partials_fd >= 0)
    zl_partial_discard(f->partials_fd, job->blob->digest);
}

/* Under the exclusive lock of the key. What was downloaded is kept until the layer is there, so
 * that no instant is left in which both are lost. */
static int publish(struct zl_layer_fetch *f, struct job *job, const char *key, struct zl_error *err)
{
  int layers_fd = f->opt.store->layers_fd;
  int r = 0;

  if (zl_layer_maker.check != NULL)
    r = zl_layer_maker.check(&job->staging, err);
  if (r == 0)
    r = zl_staging_publish(layers_fd, &job->staging, key, &job->got.meta, err);
  if (r < 0)
    return r;
  forget_partial(f, job);
  zl_flusher_want(&f->flusher, f->opt.store->helper, f->flush_fd);
  return zl_claim_share(layers_fd, &job->claim, key, err);
}

/* Under the lock. */
static void change_state(struct zl_layer_fetch *f, struct job *job, enum job_state state)
{
  job->state = state;
  if (state == JOB_READY)
    f->keys[f->count - 1 - job->index] = job->claim.key;
  (void)pthread_cond_broadcast(&f->changed);
}

static void set_state(struct zl_layer_fetch *f, struct job *job, enum job_state state)
{
  (void)pthread_mutex_lock(&f->order);
  change_state(f, job, state);
  (void)pthread_mutex_unlock(&f->order);
}

static int make_layer(struct zl_layer_fetch *f, struct job *job, struct zl_error *err)
{
  int r = download(f, job, err);

  if (r < 0)
    return r;
  if (job->got.fixup != NULL) {
    /* Not while waiting for the layers below, whose makers may want it. */
    zl_partial_close(&job->got.partial);
    zl_claim_drop_diff(&job->claim);
    set_state(f, job, JOB_STAGED);
    return 0;
  }
  r = publish(f, job, zl_layer_maker.on_others ? job->claim.chain_key : job->claim.diff_key, err);
  if (r < 0)
    return r;
  set_state(f, job, JOB_READY);
  return tell(f, job, ZL_PULL_LAYER_DONE, job->blob->size, 0, err);
}

static int get_layer(struct zl_layer_fetch *f, struct job *job, struct zl_error *err)
{
  int layers_fd = f->opt.store->layers_fd;
  int r = 0;

  for (int i = 0; i < MAX_CLAIMS; i++) {
    r = zl_claim_take(layers_fd, &job->claim, f->opt.cancel_fd, err);
    if (r < 0)
      return r;
    if (job->claim.key != NULL) {
      if (zl_layer_is_pending(layers_fd, job->claim.key))
        zl_flusher_want(&f->flusher, f->opt.store->helper, f->flush_fd);
      forget_partial(f, job);
      set_state(f, job, JOB_READY);
      return tell(f, job, ZL_PULL_EXISTS, job->blob->size, 0, err);
    }
    r = make_layer(f, job, err);
    /* Published, and collected at once. */
    if (r != -ZL_E_CONFLICT || job->claim.key == NULL)
      break;
    zl_claim_release(layers_fd, &job->claim);
  }
  return r < 0 ? zl_wrap(err, "layer %s", job->blob->digest) : 0;
}

/* ---- Layers that need those below ------------------------------------------------------------ */

/* Everything below `job` is published. */
static int fix_up(struct zl_layer_fetch *f, struct job *job, struct zl_error *err)
{
  const struct zl_layer_making making = making_of(f, job);
  int r = zl_layer_maker.fix(&making, job->got.unpack, job->got.fixup, err);

  zl_unpack_freep(&job->got.unpack);
  if (r == 0)
    r = publish(f, job, job->claim.chain_key, err);
  if (r == 0)
    change_state(f, job, JOB_READY);
  return r < 0 ? zl_wrap(err, "layer %s", job->blob->digest) : 0;
}

/* Publishes, in order, every staged layer whose lower layers are all published. */
static int go_on(struct zl_layer_fetch *f, struct zl_error *err)
{
  int r = 0;

  (void)pthread_mutex_lock(&f->order);
  for (size_t i = 0; i < f->count && r == 0 && f->jobs[i].state != JOB_WAITING; i++) {
    if (f->jobs[i].state != JOB_STAGED)
      continue;
    r = fix_up(f, &f->jobs[i], err);
    if (r == 0)
      r = tell(f, &f->jobs[i], ZL_PULL_LAYER_DONE, f->jobs[i].blob->size, 0, err);
  }
  (void)pthread_mutex_unlock(&f->order);
  return r;
}

/* ---- The threads ----------------------------------------------------------------------------- */

static void *worker(void *arg)
{
  struct zl_layer_fetch *f = arg;

  for (;;) {
    size_t i = atomic_fetch_add(&f->next, 1);
    struct zl_error err = { 0 };

    if (i >= f->count || atomic_load(&f->stop))
      return NULL;
    if (get_layer(f, &f->jobs[i], &err) < 0 || go_on(f, &err) < 0) {
      fail_all(f, &err);
      return NULL;
    }
  }
}

/* The calling thread works as well, so one thread less is started; none is not a failure. */
static void run_workers(struct zl_layer_fetch *f)
{
  size_t wanted = f->count < MAX_WORKERS ? f->count : MAX_WORKERS, n = 0;
  pthread_t threads[MAX_WORKERS];
  sigset_t all, before;

  /* Signals are the program's own threads' business. */
  (void)sigfillset(&all);
  (void)pthread_sigmask(SIG_SETMASK, &all, &before);
  while (n + 1 < wanted && pthread_create(&threads[n], NULL, worker, f) == 0)
    n++;
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
  (void)worker(f);
  for (size_t i = 0; i < n; i++)
    (void)pthread_join(threads[i], NULL);
}

static int init_jobs(struct zl_layer_fetch *f, struct zl_error *err)
{
  const struct zl_selection *s = f->opt.selection;
  char chain[2][ZL_DIGEST_TEXT];

  f->jobs = calloc(s->manifest.n_items + 1, sizeof(*f->jobs));
  f->keys = calloc(s->manifest.n_items + 1, sizeof(*f->keys));
  if (f->jobs == NULL || f->keys == NULL)
    return zl_fail_nomem(err, "the layers of an image");
  for (size_t i = 0; i < s->manifest.n_items; i++) {
    struct job *job = &f->jobs[i];
    int r = zl_layer_chain_id(i > 0 ? chain[(i + 1) % 2] : NULL, s->diff_ids[i], chain[i % 2], err);

    if (r < 0)
      return r;
    job->blob = &s->manifest.items[i];
    job->diff_id = s->diff_ids[i];
    job->index = i;
    job->claim = (struct zl_claim)ZL_CLAIM_INIT;
    job->staging = (struct zl_staging)ZL_STAGING_INIT;
    job->got = (struct zl_download)ZL_DOWNLOAD_INIT;
    if (!zl_layer_maker.on_others)
      zl_layer_diff_key(job->diff_id, job->claim.diff_key);
    zl_layer_chain_key(chain[i % 2], job->claim.chain_key);
    f->count++;
  }
  return 0;
}

/* What came of a download that may be continued: the network's failure, or the user's wish. Of an
 * image that is broken, and on a full disk, nothing stays. */
static bool is_worth_keeping(const struct zl_error *err)
{
  return err->code == ZL_E_REMOTE || err->code == ZL_E_TIMEOUT || err->code == ZL_E_AUTH ||
         err->code == ZL_E_CANCELLED;
}

static int end_failed(struct zl_layer_fetch *f, struct zl_error *err)
{
  *err = f->error;
  for (size_t i = 0; i < f->count; i++) {
    zl_partial_close(&f->jobs[i].got.partial);
    if (f->partials_fd >= 0 && !is_worth_keeping(err))
      zl_partial_discard(f->partials_fd, f->jobs[i].blob->digest);
  }
  return -(int)err->code;
}

/* A store that cannot keep anything can be pulled into. Left-overs are bounded here, since nobody
 * may ever run the collector. */
static void open_partials(struct zl_layer_fetch *f)
{
  struct zl_partial_swept swept = { 0 };

  if (!zl_source_has_parts(f->opt.source))
    return;
  f->partials_fd = zl_partial_open_dir(f->opt.store->root_fd, true);
  if (f->partials_fd < 0)
    zl_debug("downloads are not kept: %s", strerror(-f->partials_fd));
  else
    (void)zl_partial_sweep(f->partials_fd, false, false, &swept, NULL);
}

int zl_layer_fetch(const struct zl_layer_fetch_options *options, struct zl_layer_fetch **ret,
                   struct zl_error *err)
{
  ZL_CLEANUP(zl_layer_fetch_freep) struct zl_layer_fetch *f = calloc(1, sizeof(*f));
  int r;

  if (f == NULL)
    return zl_fail_nomem(err, "the layers of an image");
  f->opt = *options;
  f->partials_fd = f->flush_fd = -1;
  f->flusher = (struct zl_flusher)ZL_FLUSHER_INIT;
  (void)pthread_mutex_init(&f->order, NULL);
  (void)pthread_cond_init(&f->changed, NULL);
  (void)pthread_mutex_init(&f->report, NULL);
  r = init_jobs(f, err);
  if (r == 0)
    r = zl_layer_kind_choose(options->store, &f->kind, err);
  if (r == 0)
    f->flush_fd = zl_layers_open_for_flush(options->store->layers_fd);
  if (r == 0 && f->flush_fd < 0)
    r = zl_fail(err, ZL_E_SYSTEM, -f->flush_fd, "opening the directory of layers");
  if (r < 0)
    return r;
  /* What dead pulls hold may be the room that this one needs. */
  zl_staging_sweep_dead(options->store->layers_fd);
  open_partials(f);
  run_workers(f);
  if (f->error.code != ZL_OK)
    return end_failed(f, err);
  *ret = zl_steal_ptr(&f);
  return 0;
}

const char *zl_layer_fetch_key(const struct zl_layer_fetch *fetch, size_t i)
{
  return fetch->jobs[i].claim.key;
}

void zl_layer_fetch_free(struct zl_layer_fetch *fetch)
{
  if (fetch == NULL)
    return;
  /* By now the image is committed, if it ever is. */
  zl_flusher_end(&fetch->flusher, fetch->flush_fd);
  zl_fd_closep(&fetch->flush_fd);
  for (size_t i = 0; i < fetch->count; i++) {
    zl_unpack_free(fetch->jobs[i].got.unpack);
    zl_staging_remove(fetch->opt.store->layers_fd, &fetch->jobs[i].staging);
    zl_claim_release(fetch->opt.store->layers_fd, &fetch->jobs[i].claim);
    free(fetch->jobs[i].got.fixup);
    zl_partial_close(&fetch->jobs[i].got.partial);
  }
  if (fetch->partials_fd >= 0)
    zl_fd_closep(&fetch->partials_fd);
  free(fetch->jobs);
  free(fetch->keys);
  (void)pthread_cond_destroy(&fetch->changed);
  (void)pthread_mutex_destroy(&fetch->order);
  (void)pthread_mutex_destroy(&fetch->report);
  free(fetch);
}
