/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sys/eventfd.h>

#include "base/log.h"
#include "base/strv.h"
#include "image/local.h"
#include "image/signature.h"
#include "image/store_internal.h"
#include "image/windows/services.h"

/* One pull: what it opened, in the order in which it goes. */
struct pull {
  struct zl_image_store *store;
  const struct zl_pull_options *options;
  struct zl_image_ref ref;
  struct zl_registries registries;
  const struct zl_policy_rule *rule; /* that wants a signature; NULL: none does */
  char print[ZL_POLICY_PRINT];       /* of the rule */
  int cancel_fd;
  struct zl_source *source;
  struct zl_document root;
  struct zl_selection selection;
};

static void pull_done(struct pull *p)
{
  zl_selection_done(&p->selection);
  zl_document_done(&p->root);
  zl_source_free(p->source);
  zl_registries_done(&p->registries);
  zl_image_ref_done(&p->ref);
  zl_fd_closep(&p->cancel_fd);
}

static int tell(const struct pull *p, enum zl_pull_phase phase, const char *digest,
                struct zl_error *err)
{
  const struct zl_pull_progress progress = { .phase = phase,
                                             .digest = digest,
                                             .layers = p->selection.manifest.n_items };

  if (p->options->progress == NULL || p->options->progress(p->options->payload, &progress) == 0)
    return 0;
  return zl_fail(err, ZL_E_CANCELLED, 0, "cancelled");
}

static int open_registry(struct pull *p, struct zl_error *err)
{
  const struct zl_registry_options options = { .ref = &p->ref,
                                               .registries = &p->registries,
                                               .username = p->options->username,
                                               .password = p->options->password,
                                               .patience = &p->store->patience,
                                               .cancel_fd = p->cancel_fd };

  return zl_registry_open(&options, &p->source, err);
}

static int open_source(struct pull *p, struct zl_error *err)
{
  switch (p->ref.kind) {
  case ZL_IMAGE_REF_OCI_DIR:
  case ZL_IMAGE_REF_OCI_ARCHIVE:
    return zl_layout_open(&p->ref, &p->source, err);
  case ZL_IMAGE_REF_DOCKER_ARCHIVE:
    return zl_docker_archive_open(&p->ref, &p->source, err);
  case ZL_IMAGE_REF_REGISTRY:
    break;
  }
  return open_registry(p, err);
}

static int open_root(struct pull *p, struct zl_error *err)
{
  int r = tell(p, ZL_PULL_RESOLVING, NULL, err);

  if (r == 0)
    r = open_source(p, err);
  return r < 0 ? r : zl_source_root(p->source, &p->root, err);
}

/* Before any layer is fetched. Kept, so that later starts need neither network nor libcrypto. */
static int check_signature(struct pull *p, struct zl_error *err)
{
  const char *manifest = p->selection.document.digest;
  const char *root = p->selection.source_digest;
  const struct zl_signature_request request = {
    .rule = p->rule,
    .ref = &p->ref,
    .source = p->source,
    .digests = { root, strcmp(root, manifest) != 0 ? manifest : NULL },
  };
  uint64_t until = 0;
  int r;

  if (p->rule == NULL)
    return 0;
  r = zl_signature_check(&request, &until, err);
  return r < 0
             ? r
             : zl_catalog_set_verified(p->store, p->ref.canonical, manifest, p->print, until, err);
}

/* An image that nobody named is found by its digest; one that has a name already needs no other. */
static int commit(struct pull *p, const char *const *names, const struct zl_layer_fetch *layers,
                  struct zl_error *err)
{
  char digest[ZL_DIGEST_TEXT];
  zl_autofree char *reference = NULL;
  int r = 0;

  if (names == NULL || names[0] == NULL) {
    if (zl_catalog_look_up(p->store, p->selection.document.digest, digest, &reference, NULL) == 0)
      return 0;
    return zl_catalog_commit(p->store, p->selection.document.digest, &p->selection, layers, err);
  }
  for (size_t i = 0; r == 0 && names[i] != NULL; i++)
    r = zl_catalog_commit(p->store, names[i], &p->selection, layers, err);
  return r;
}

/* Only services tell the truth about the version of Windows to every program. */
static int node_platform(const struct zl_image_store *store, struct zl_image_platform *ret,
                         struct zl_error *err)
{
  const struct zl_win_services *services = store->services;

  zl_platform_of_node(ret);
  return services != NULL ? services->host_version(services->ctx, ret->os_version, err) : 0;
}

static int fetch(struct pull *p, const char *name, const char *const *names, struct zl_error *err)
{
  ZL_CLEANUP(zl_layer_fetch_freep) struct zl_layer_fetch *layers = NULL;
  struct zl_image_platform node;
  int r;

  r = node_platform(p->store, &node, err);
  if (r == 0)
    r = zl_image_select(p->source, &p->root, name, &node, &p->selection, err);
  if (r == 0)
    r = check_signature(p, err);
  if (r == 0) {
    const struct zl_layer_fetch_options options = { .store = p->store,
                                                    .source = p->source,
                                                    .selection = &p->selection,
                                                    .pull = p->options,
                                                    .cancel_fd = p->cancel_fd };

    r = zl_layer_fetch(&options, &layers, err);
  }
  if (r == 0)
    r = commit(p, names, layers, err);
  if (r == 0)
    (void)tell(p, ZL_PULL_DONE, p->selection.document.digest, NULL); /* too late to cancel */
  return r;
}

/* ---- Policies -------------------------------------------------------------------------------- */

struct stored {
  bool whole;      /* with all its layers, and as the signature policy wants it */
  bool unverified; /* whole but for that */
  char digest[ZL_DIGEST_TEXT], source_digest[ZL_DIGEST_TEXT];
};

static int find_stored(struct pull *p, struct stored *ret, struct zl_error *err)
{
  zl_autoimage image = { 0 };
  int r = zl_catalog_find(p->store, p->ref.canonical, ret->digest, ret->source_digest, err);

  if (r == 0)
    r = zl_image_resolve(p->store, p->ref.canonical, &image, err);
  if (r < 0)
    return r == -ZL_E_NOT_FOUND ? 0 : r;
  ret->whole = true;
  if (p->rule != NULL)
    r = zl_catalog_is_verified(p->store, p->ref.canonical, ret->digest, p->print, &ret->whole, err);
  ret->unverified = !ret->whole;
  return r;
}

static int find_rule(struct pull *p, struct zl_error *err)
{
  const struct zl_policy_rule *rule;
  int r = zl_registries_load(p->store->root_fd, p->store->root, &p->registries, err);

  if (r < 0)
    return r;
  rule = zl_policy_find(&p->registries.policy, &p->ref);
  p->rule = rule != NULL && !rule->accept_unsigned ? rule : NULL;
  return p->rule != NULL ? zl_policy_print(p->rule, p->print, err) : 0;
}

static int fail_never(const struct pull *p, const struct stored *stored, struct zl_error *err)
{
  if (!stored->unverified || p->rule == NULL)
    return zl_fail(err, ZL_E_NOT_FOUND, 0, "it is not stored here and the pull policy is never");
  return zl_fail(err, ZL_E_NOT_FOUND, 0,
                 "it is stored here, but under this name no signature of it has been verified "
                 "with the present rule for '%s' in config.yaml, and the pull policy is never",
                 p->rule->prefix);
}

static int run(struct pull *p, char digest[ZL_DIGEST_TEXT], struct zl_error *err)
{
  const enum zl_pull_policy policy = p->options->policy;
  struct stored stored = { 0 };
  int r = find_rule(p, err);

  if (r == 0)
    r = find_stored(p, &stored, err);
  if (r < 0)
    return r;
  memcpy(digest, stored.digest, ZL_DIGEST_TEXT);
  if (policy == ZL_PULL_NEVER && !stored.whole)
    return fail_never(p, &stored, err);
  if (stored.whole && (policy == ZL_PULL_NEVER || policy == ZL_PULL_IF_NOT_PRESENT))
    return 0;
  r = open_root(p, err);
  if (policy == ZL_PULL_NEWER && stored.whole) {
    if (r == 0 && strcmp(p->root.digest, stored.source_digest) == 0)
      return 0;
    if (r == -ZL_E_REMOTE || r == -ZL_E_TIMEOUT) {
      zl_warning("image '%s': the stored one is used: %s", p->ref.canonical, err->msg);
      return 0;
    }
  }
  if (r == 0)
    r = fetch(p, p->ref.canonical, (const char *const[]){ p->ref.canonical, NULL }, err);
  if (r == 0)
    memcpy(digest, p->selection.document.digest, ZL_DIGEST_TEXT);
  return r;
}

int zl_image_pull(struct zl_image_store *store, const char *reference,
                  const struct zl_pull_options *options, char **ret_digest, struct zl_error *err)
{
  static const struct zl_pull_options defaults = { .policy = ZL_PULL_IF_NOT_PRESENT };
  ZL_CLEANUP(pull_done)
  struct pull p = { .store = store,
                    .options = options != NULL ? options : &defaults,
                    .cancel_fd = -1,
                    .root = ZL_DOCUMENT_INIT,
                    .selection = ZL_SELECTION_INIT };
  struct zl_error local = { 0 };
  char digest[ZL_DIGEST_TEXT], *copy;
  int r;

  err = err != NULL ? err : &local;
  r = zl_image_ref_parse(reference, &p.ref, err);
  if (r < 0)
    return r;
  p.cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (p.cancel_fd < 0)
    return zl_fail_errno(err, "pulling an image");
  r = run(&p, digest, err);
  if (r < 0)
    return zl_wrap(err, "pulling '%s'", p.ref.canonical);
  copy = strdup(digest);
  if (copy == NULL)
    return zl_fail_nomem(err, "a digest");
  if (ret_digest != NULL)
    *ret_digest = copy;
  else
    free(copy);
  return 0;
}

int zl_image_pull_source(struct zl_image_store *store, struct zl_source *source,
                         const char *const *names, const struct zl_pull_options *options,
                         char ret_digest[ZL_DIGEST_TEXT], struct zl_error *err)
{
  ZL_CLEANUP(pull_done)
  struct pull p = { .store = store,
                    .options = options,
                    .source = source,
                    .cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
                    .root = ZL_DOCUMENT_INIT,
                    .selection = ZL_SELECTION_INIT };
  int r;

  if (p.cancel_fd < 0)
    return zl_fail_errno(err, "storing an image");
  r = zl_source_root(source, &p.root, err);
  if (r == 0)
    r = fetch(&p, names != NULL && names[0] != NULL ? names[0] : "without a name", names, err);
  if (r == 0)
    memcpy(ret_digest, p.selection.document.digest, ZL_DIGEST_TEXT);
  return r;
}
