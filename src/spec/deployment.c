/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading, checking and writing: the public functions around the tables.
 */
#include <fcntl.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/limits.h"
#include "spec/tables.h"

enum {
  RENDER_MAX = 64 << 20 /* of the largest model that can be read, every character escaped */
};

/* Decodes and checks the document into an object that has its defaults. `name` is the path's first
 * part, or NULL. */
static int read_object(const char *text, size_t len, const char *name, const struct zl_type *type,
                       void *object, struct zl_spec_ctx *ctx, struct zl_error *err)
{
  struct zl_tree *tree = NULL;
  struct zl_at at = { .key = name };
  int r;

  r = zl_tree_parse(text, len, ctx, &tree, &at.node, err);
  if (r < 0)
    return r;
  if (at.node != NULL && !ctx->no_memory) {
    zl_object_decode(ctx, type, &at, object);
    if (!ctx->no_memory)
      zl_object_check(ctx, type, &at, object);
  }
  zl_tree_free(tree);
  return 0;
}

static int parse_document(const char *text, size_t len, const char *file_name, const char *name,
                          const struct zl_type *type, void *object, struct zl_spec_errors *errors,
                          struct zl_error *err)
{
  struct zl_spec_ctx ctx = { .from_file = true };
  int r, finished;

  r = read_object(text, len, name, type, object, &ctx, err);
  finished = zl_spec_ctx_finish(&ctx, file_name, errors, r < 0 ? NULL : err);
  return r < 0 ? r : finished;
}

static int check_size(size_t len, const char *file_name, struct zl_error *err)
{
  if (len <= ZL_MAX_SPEC_FILE)
    return 0;
  return zl_fail(err, ZL_E_LIMIT, 0, "%s%sthe file has %zu bytes; the limit is %d",
                 file_name != NULL ? file_name : "", file_name != NULL ? ": " : "", len,
                 ZL_MAX_SPEC_FILE);
}

int zl_deployment_parse(const char *text, size_t len, const char *file_name,
                        struct zl_deployment **ret, struct zl_spec_errors *errors,
                        struct zl_error *err)
{
  struct zl_deployment *deployment;
  int r = check_size(len, file_name, err);

  if (r < 0)
    return r;
  deployment = calloc(1, sizeof(*deployment));
  if (deployment == NULL)
    return zl_fail_nomem(err, "deployment");
  r = zl_object_init(&zl_type_deployment, deployment, err);
  if (r == 0)
    r = parse_document(text, len, file_name, NULL, &zl_type_deployment, deployment, errors, err);
  if (r < 0) {
    zl_deployment_free(deployment);
    return r;
  }
  *ret = deployment;
  return 0;
}

int zl_deployment_load(const char *path, struct zl_deployment **ret, struct zl_spec_errors *errors,
                       struct zl_error *err)
{
  zl_autobuf text = ZL_BUF_INIT(ZL_MAX_SPEC_FILE);
  int r = zl_file_read(AT_FDCWD, path, &text, err);

  if (r < 0)
    return r;
  return zl_deployment_parse(text.data != NULL ? text.data : "", text.len, path, ret, errors, err);
}

int zl_service_parse(const char *text, size_t len, const char *name, struct zl_service **ret,
                     struct zl_spec_errors *errors, struct zl_error *err)
{
  struct zl_service *service = NULL;
  int r = check_size(len, name, err);

  if (r == 0)
    r = zl_service_new(name, &service, err);
  if (r == 0)
    r = parse_document(text, len, NULL, name, &zl_type_service, service, errors, err);
  if (r < 0) {
    zl_service_free(service);
    return r;
  }
  *ret = service;
  return 0;
}

int zl_service_validate(const struct zl_service *service, struct zl_spec_errors *errors,
                        struct zl_error *err)
{
  struct zl_spec_ctx ctx = { 0 };
  struct zl_at at = { .key = service->name != NULL ? service->name : "" };

  zl_type_service.check_name(&ctx, &at, service->name);
  zl_object_check(&ctx, &zl_type_service, &at, service);
  return zl_spec_ctx_finish(&ctx, NULL, errors, err);
}

static int render(const struct zl_type *type, const void *object, enum zl_spec_format format,
                  char **ret, struct zl_error *err)
{
  zl_autobuf text = ZL_BUF_INIT(RENDER_MAX);
  char *result;
  int r = zl_object_render(type, object, format, &text, err);

  if (r < 0)
    return r;
  result = zl_buf_steal(&text);
  if (result == NULL)
    return zl_fail_nomem(err, "rendering");
  *ret = result;
  return 0;
}

int zl_deployment_render(const struct zl_deployment *deployment, enum zl_spec_format format,
                         char **ret, struct zl_error *err)
{
  return render(&zl_type_deployment, deployment, format, ret, err);
}

int zl_service_render(const struct zl_service *service, enum zl_spec_format format, char **ret,
                      struct zl_error *err)
{
  return render(&zl_type_service, service, format, ret, err);
}
