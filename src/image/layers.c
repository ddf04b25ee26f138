/* SPDX-License-Identifier: Apache-2.0
 *
 * The layers of one pull: downloaded, hashed, unpacked and published in parallel. Any failure, and
 * the user's wish, ends all of them quickly.
 *
 * A layer that needs something from those below it waits, unpacked, until they are published; who
 * publishes a layer looks whether the next ones can go on now.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/time.h"
#include "image/erofs/check.h"
#include "image/layer/fixup.h"
#include "image/layer/unpack.h"
#include "image/layer_kind.h"
#include "image/layer_store.h"
#include "image/store_internal.h"

enum {
  MAX_CONNECTIONS = 6,
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
  struct zl_layer_meta meta;
  char *fixup;
  struct zl_unpack *unpack; /* of a staged image: completes it */
};

struct zl_layer_fetch {
  struct zl_layer_fetch_options opt;
  struct job *jobs;
  size_t count;
  enum zl_layer_kind kind; /* of layers that have to be made */
  atomic_size_t next;
  atomic_bool stop;
  pthread_mutex_t order; /* states of the jobs, fix-ups, the first error */
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
  (void)pthread_mutex_unlock(&f->order);
  stop_all(f);
}

static int tell(struct zl_layer_fetch *f, const struct job *job, enum zl_pull_phase phase,
                uint64_t done, struct zl_error *err)
{
  const struct zl_pull_progress progress = { .phase = phase,
                                             .digest = job->blob->digest,
                                             .index = job->index,
                                             .layers = f->count,
                                             .done = done,
                                             .total = job->blob->size };
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

ZL_DEFINE_CLEANUP(struct zl_hash, zl_hash_free)

struct stream {
  struct zl_layer_fetch *fetch;
  const struct job *job;
  struct zl_hash *hash;
  struct zl_unpack *unpack;
  uint64_t done, reported_ns;
};

static int on_bytes(void *ctx, const void *data, size_t len, struct zl_error *err)
{
  struct stream *s = ctx;
  uint64_t now = zl_time_boot();
  int r;

  if (atomic_load(&s->fetch->stop))
    return zl_fail(err, ZL_E_CANCELLED, 0, "cancelled");
  zl_hash_update(s->hash, data, len);
  r = zl_unpack_write(s->unpack, data, len, err);
  s->done += len;
  if (r < 0 ||
      (s->done < s->job->blob->size && now - s->reported_ns < REPORT_EVERY_MS * ZL_NS_PER_MS))
    return r;
  s->reported_ns = now;
  return tell(s->fetch, s->job, ZL_PULL_DOWNLOADING, s->done, err);
}

static int start_unpack(const struct zl_layer_fetch *f, const struct job *job,
                        struct zl_unpack **ret, struct zl_error *err)
{
  const bool image = job->staging.kind == ZL_LAYER_KIND_EROFS;
  struct zl_unpack_options options = { .helper = f->opt.store->helper,
                                       .staging_fd =
                                           image ? job->staging.dir_fd : job->staging.tree_fd,
                                       .image = image,
                                       .image_fd = image ? job->staging.tree_fd : -1,
                                       .devices = true };
  int r = zl_layer_compression(job->blob, &options.compression, err);

  if (r < 0)
    return r;
  (void)zl_digest_is_valid(job->diff_id, &options.diff_alg);
  return zl_unpack_start(&options, ret, err);
}

/* Both digests have to be right before anything of the layer is used. */
static int check_digests(struct job *job, struct zl_hash *hash, struct zl_unpack_result *result,
                         struct zl_error *err)
{
  char blob_digest[ZL_DIGEST_TEXT];
  int r = zl_hash_final(hash, blob_digest, err);

  if (r < 0)
    return r;
  if (strcmp(blob_digest, job->blob->digest) != 0)
    return zl_fail(err, ZL_E_CORRUPT, 0, "the blob's digest is %s", blob_digest);
  if (strcmp(result->diff_id, job->diff_id) != 0)
    return zl_fail(err, ZL_E_CORRUPT, 0,
                   "its content's digest is %s, the image's configuration says %s", result->diff_id,
                   job->diff_id);
  memcpy(job->meta.diff_id, result->diff_id, sizeof(job->meta.diff_id));
  job->meta.bytes = result->bytes;
  job->meta.files = result->entries;
  job->fixup = zl_steal_ptr(&result->fixup);
  return 0;
}

static int download(struct zl_layer_fetch *f, struct job *job, struct zl_error *err)
{
  ZL_CLEANUP(zl_hash_freep) struct zl_hash *hash = NULL;
  ZL_CLEANUP(zl_unpack_freep) struct zl_unpack *unpack = NULL;
  ZL_CLEANUP(zl_unpack_result_done) struct zl_unpack_result result = { 0 };
  struct stream s = { .fetch = f, .job = job };
  enum zl_digest_alg alg = ZL_SHA256;
  int r;

  (void)zl_digest_is_valid(job->blob->digest, &alg);
  r = zl_hash_new(alg, &hash, err);
  if (r == 0)
    r = start_unpack(f, job, &unpack, err);
  if (r < 0)
    return r;
  s.hash = hash;
  s.unpack = unpack;
  r = zl_source_blob(f->opt.source, job->blob, on_bytes, &s, err);
  if (r == 0)
    r = zl_unpack_finish(unpack, &result, err);
  if (r == 0)
    r = check_digests(job, hash, &result, err);
  if (r == 0 && job->fixup != NULL && job->staging.kind == ZL_LAYER_KIND_EROFS)
    job->unpack = zl_steal_ptr(&unpack);
  return r;
}

/* Under the exclusive lock of the key. */
static int publish(struct zl_layer_fetch *f, struct job *job, const char *key, struct zl_error *err)
{
  int layers_fd = f->opt.store->layers_fd;
  int r = 0;

  if (job->staging.kind == ZL_LAYER_KIND_EROFS)
    r = zl_erofs_check(job->staging.tree_fd, err);
  if (r == 0)
    r = zl_staging_publish(layers_fd, &job->staging, key, &job->meta, err);
  return r < 0 ? r : zl_claim_share(layers_fd, &job->claim, key, err);
}

static void set_state(struct zl_layer_fetch *f, struct job *job, enum job_state state)
{
  (void)pthread_mutex_lock(&f->order);
  job->state = state;
  (void)pthread_mutex_unlock(&f->order);
}

static int make_layer(struct zl_layer_fetch *f, struct job *job, struct zl_error *err)
{
  int layers_fd = f->opt.store->layers_fd;
  int r = zl_staging_make(layers_fd, f->kind, &job->staging, err);

  if (r == 0)
    r = download(f, job, err);
  if (r < 0)
    return r;
  if (job->fixup != NULL) {
    zl_claim_drop_diff(&job->claim);
    set_state(f, job, JOB_STAGED);
    return 0;
  }
  r = publish(f, job, job->claim.diff_key, err);
  if (r < 0)
    return r;
  set_state(f, job, JOB_READY);
  return tell(f, job, ZL_PULL_LAYER_DONE, job->blob->size, err);
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
      set_state(f, job, JOB_READY);
      return tell(f, job, ZL_PULL_EXISTS, job->blob->size, err);
    }
    r = make_layer(f, job, err);
    if (r != -ZL_E_CONFLICT)
      break;
    zl_claim_release(layers_fd, &job->claim);
  }
  return r < 0 ? zl_wrap(err, "layer %s", job->blob->digest) : 0;
}

/* ---- Layers that need those below ------------------------------------------------------------ */

static void close_all(int *fds, size_t count)
{
  for (size_t i = 0; i < count; i++)
    zl_fd_closep(&fds[i]);
  free(fds);
}

/* Everything below `job` is published. */
static int fix_up(struct zl_layer_fetch *f, struct job *job, struct zl_error *err)
{
  int layers_fd = f->opt.store->layers_fd;
  int *lower = calloc(job->index + 1, sizeof(*lower));
  size_t n = 0;
  int r = lower != NULL ? 0 : zl_fail_nomem(err, "the layers below");

  for (size_t i = job->index; r == 0 && i > 0; i--) {
    r = zl_layer_open(layers_fd, f->jobs[i - 1].claim.key, &lower[n], err);
    n += r == 0 ? 1 : 0;
  }
  if (r == 0)
    r = job->unpack != NULL ? zl_unpack_fix(job->unpack, lower, n, job->fixup, err)
                            : zl_layer_fixup(job->staging.tree_fd, lower, n, job->fixup, err);
  close_all(lower, n);
  zl_unpack_freep(&job->unpack);
  if (r == 0)
    r = publish(f, job, job->claim.chain_key, err);
  if (r == 0)
    job->state = JOB_READY;
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
      r = tell(f, &f->jobs[i], ZL_PULL_LAYER_DONE, f->jobs[i].blob->size, err);
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
  size_t wanted = f->count < MAX_CONNECTIONS ? f->count : MAX_CONNECTIONS, n = 0;
  pthread_t threads[MAX_CONNECTIONS];
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
  if (f->jobs == NULL)
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
    zl_layer_diff_key(job->diff_id, job->claim.diff_key);
    zl_layer_chain_key(chain[i % 2], job->claim.chain_key);
    f->count++;
  }
  return 0;
}

int zl_layer_fetch(const struct zl_layer_fetch_options *options, struct zl_layer_fetch **ret,
                   struct zl_error *err)
{
  ZL_CLEANUP(zl_layer_fetch_freep) struct zl_layer_fetch *f = calloc(1, sizeof(*f));
  int r;

  if (f == NULL)
    return zl_fail_nomem(err, "the layers of an image");
  f->opt = *options;
  (void)pthread_mutex_init(&f->order, NULL);
  (void)pthread_mutex_init(&f->report, NULL);
  r = init_jobs(f, err);
  if (r == 0)
    r = zl_layer_kind_choose(options->store, &f->kind, err);
  if (r < 0)
    return r;
  run_workers(f);
  if (f->error.code != ZL_OK) {
    *err = f->error;
    return -(int)err->code;
  }
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
  for (size_t i = 0; i < fetch->count; i++) {
    zl_unpack_free(fetch->jobs[i].unpack);
    zl_staging_remove(fetch->opt.store->layers_fd, &fetch->jobs[i].staging);
    zl_claim_release(fetch->opt.store->layers_fd, &fetch->jobs[i].claim);
    free(fetch->jobs[i].fixup);
  }
  free(fetch->jobs);
  (void)pthread_mutex_destroy(&fetch->order);
  (void)pthread_mutex_destroy(&fetch->report);
  free(fetch);
}
