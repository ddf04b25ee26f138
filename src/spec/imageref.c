/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/imageref.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/strv.h"

enum {
  REPOSITORY_MAX = 255, /* registry and repository together, as registries limit it */
  TAG_MAX = 128,
  LOCAL_TAG_MAX = 255,
  TEXT_MAX = 4096 /* of a whole reference: a path of a local file fits */
};

#define DEFAULT_REGISTRY "docker.io"

/* `part` was `len` bytes of what the user wrote. */
struct part {
  const char *text;
  size_t len;
};

static bool is_lower_alnum(char c)
{
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
  return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

static bool is_hex(char c)
{
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* One of ".", "_", "__" or any number of "-" between two runs of letters; 0: not a separator. */
static size_t separator_len(const char *p, size_t len)
{
  size_t n = 0;

  if (p[0] == '.')
    return 1;
  if (p[0] == '_')
    return len > 1 && p[1] == '_' ? 2 : 1;
  while (n < len && p[n] == '-')
    n++;
  return n;
}

static bool is_component(struct part part)
{
  size_t i = 0, n;

  while (i < part.len && is_lower_alnum(part.text[i])) {
    while (i < part.len && is_lower_alnum(part.text[i]))
      i++;
    if (i == part.len)
      return true;
    n = separator_len(part.text + i, part.len - i);
    if (n == 0)
      return false;
    i += n;
  }
  return false;
}

static bool is_repository(struct part part)
{
  while (true) {
    const char *slash = memchr(part.text, '/', part.len);
    size_t len = slash != NULL ? (size_t)(slash - part.text) : part.len;

    if (!is_component((struct part){ part.text, len }))
      return false;
    if (slash == NULL)
      return true;
    part.text += len + 1;
    part.len -= len + 1;
  }
}

static bool is_port(struct part part)
{
  unsigned port = 0;

  if (part.len == 0 || part.len > 5)
    return false;
  for (size_t i = 0; i < part.len; i++) {
    if (part.text[i] < '0' || part.text[i] > '9')
      return false;
    port = port * 10 + (unsigned)(part.text[i] - '0');
  }
  return port > 0 && port <= 65535;
}

/* Host names, IPv4 addresses: labels that neither begin nor end with a hyphen. */
static bool is_host(struct part part)
{
  char before = '.';

  for (size_t i = 0; i < part.len; i++) {
    char c = part.text[i];

    if (c == '.' ? !is_alnum(before) : c == '-' ? before == '.' : !is_alnum(c))
      return false;
    before = c;
  }
  return part.len > 0 && is_alnum(before);
}

static bool is_ipv6_host(struct part part)
{
  if (part.len < 4 || part.text[0] != '[' || part.text[part.len - 1] != ']')
    return false;
  for (size_t i = 1; i + 1 < part.len; i++)
    if (!is_hex(part.text[i]) && part.text[i] != ':' &&
        !(part.text[i] >= 'A' && part.text[i] <= 'F'))
      return false;
  return memchr(part.text, ':', part.len) != NULL;
}

static bool is_registry(struct part part)
{
  const char *colon = memrchr(part.text, ':', part.len);
  const char *bracket = memrchr(part.text, ']', part.len);

  if (colon != NULL && (bracket == NULL || colon > bracket)) {
    size_t len = (size_t)(colon - part.text);

    if (!is_port((struct part){ colon + 1, part.len - len - 1 }))
      return false;
    part.len = len;
  }
  return part.len > 0 && (part.text[0] == '[' ? is_ipv6_host(part) : is_host(part));
}

/* The first component is a registry only if it cannot be a repository's: "a.b/c" but not "a/b". */
static bool names_registry(struct part part)
{
  if (part.len == strlen("localhost") && memcmp(part.text, "localhost", part.len) == 0)
    return true;
  for (size_t i = 0; i < part.len; i++)
    if (strchr(".:[", part.text[i]) != NULL || (part.text[i] >= 'A' && part.text[i] <= 'Z'))
      return true;
  return false;
}

static bool is_tag(const char *tag)
{
  size_t n = 0;

  if (!is_alnum(tag[0]) && tag[0] != '_')
    return false;
  while (n <= TAG_MAX && (is_alnum(tag[n]) || (tag[n] != '\0' && strchr("_.-", tag[n]) != NULL)))
    n++;
  return n <= TAG_MAX && tag[n] == '\0';
}

/* The reference name of an image layout (OCI image spec, annotations). */
static bool is_local_tag(const char *tag)
{
  size_t n = 0;

  while (is_alnum(tag[n]) || (tag[n] != '\0' && strchr("-._:@/+", tag[n]) != NULL))
    n++;
  return tag[n] == '\0' && n > 0 && n <= LOCAL_TAG_MAX && is_alnum(tag[0]) && is_alnum(tag[n - 1]);
}

/* Docker refuses 64 hex digits as a name because it could be an image id. */
static bool looks_like_id(struct part part)
{
  if (part.len != 64)
    return false;
  for (size_t i = 0; i < part.len; i++)
    if (!is_hex(part.text[i]))
      return false;
  return true;
}

static int split_digest(char *name, struct zl_image_ref *ref, struct zl_error *err)
{
  char *at = strchr(name, '@');

  if (at == NULL)
    return 0;
  *at = '\0';
  if (!zl_digest_is_valid(at + 1, NULL))
    return zl_fail(err, ZL_E_INVALID, 0,
                   "'%s' is not a digest: expected sha256: and 64 lower-case hex digits", at + 1);
  ref->digest = strdup(at + 1);
  return ref->digest != NULL ? 0 : zl_fail_nomem(err, "image digest");
}

static int split_tag(char *name, struct zl_image_ref *ref, struct zl_error *err)
{
  char *colon = strrchr(name, ':');

  if (colon != NULL && strchr(colon, '/') == NULL && strchr(colon, ']') == NULL) {
    *colon = '\0';
    if (!is_tag(colon + 1))
      return zl_fail(err, ZL_E_INVALID, 0,
                     "'%s' is not a tag: expected up to 128 letters, digits, '_', '.' or '-'",
                     colon + 1);
    ref->tag = strdup(colon + 1);
  } else if (ref->digest == NULL) {
    ref->tag = strdup("latest");
  } else {
    return 0;
  }
  return ref->tag != NULL ? 0 : zl_fail_nomem(err, "image tag");
}

static bool is_docker_hub(struct part registry)
{
  return (registry.len == 9 && memcmp(registry.text, DEFAULT_REGISTRY, 9) == 0) ||
         (registry.len == 15 && memcmp(registry.text, "index.docker.io", 15) == 0);
}

static int set_names(struct part registry, struct part repository, struct zl_image_ref *ref,
                     struct zl_error *err)
{
  const char *library = "";

  if (registry.len == 0 || is_docker_hub(registry)) {
    registry = (struct part){ DEFAULT_REGISTRY, strlen(DEFAULT_REGISTRY) };
    if (memchr(repository.text, '/', repository.len) == NULL)
      library = "library/";
  }
  ref->registry = strndup(registry.text, registry.len);
  ref->repository = zl_asprintf("%s%.*s", library, (int)repository.len, repository.text);
  if (ref->registry == NULL || ref->repository == NULL)
    return zl_fail_nomem(err, "image name");
  if (strlen(ref->registry) + strlen(ref->repository) + 1 > REPOSITORY_MAX)
    return zl_fail(err, ZL_E_INVALID, 0, "the name is longer than %d characters", REPOSITORY_MAX);
  return 0;
}

static int split_names(const char *name, struct zl_image_ref *ref, struct zl_error *err)
{
  const char *slash = strchr(name, '/');
  struct part registry = { name, slash != NULL ? (size_t)(slash - name) : 0 };
  struct part repository = { name, strlen(name) };

  if (slash != NULL && names_registry(registry)) {
    repository = (struct part){ slash + 1, strlen(slash + 1) };
    if (!is_registry(registry))
      return zl_fail(err, ZL_E_INVALID, 0, "'%.*s' is not a registry: expected HOST[:PORT]",
                     (int)registry.len, registry.text);
  } else {
    registry.len = 0;
  }
  if (!is_repository(repository) || (registry.len == 0 && looks_like_id(repository)))
    return zl_fail(err, ZL_E_INVALID, 0,
                   "'%.*s' is not a repository: expected lower-case letters and digits, separated "
                   "by '.', '_', '__', '-' or '/'",
                   (int)repository.len, repository.text);
  return set_names(registry, repository, ref, err);
}

static int parse_registry(const char *text, struct zl_image_ref *ref, struct zl_error *err)
{
  zl_autofree char *name = strdup(text);
  int r;

  if (name == NULL)
    return zl_fail_nomem(err, "image reference");
  r = split_digest(name, ref, err);
  if (r == 0)
    r = split_tag(name, ref, err);
  if (r == 0)
    r = split_names(name, ref, err);
  if (r < 0)
    return r;
  ref->canonical =
      zl_asprintf("%s/%s%s%s%s%s", ref->registry, ref->repository, ref->tag != NULL ? ":" : "",
                  ref->tag != NULL ? ref->tag : "", ref->digest != NULL ? "@" : "",
                  ref->digest != NULL ? ref->digest : "");
  return ref->canonical != NULL ? 0 : zl_fail_nomem(err, "image reference");
}

/* Two programs in different directories must not mean different images by one canonical name. */
static int set_path(struct part path, struct zl_image_ref *ref, struct zl_error *err)
{
  zl_autofree char *cwd = NULL;
  bool drive = path.len > 2 && path.text[1] == ':';

  if (path.len == 0)
    return zl_fail(err, ZL_E_INVALID, 0, "the path of the image is missing");
  if (path.text[0] == '/' || drive) {
    ref->path = strndup(path.text, path.len);
  } else {
    cwd = getcwd(NULL, 0);
    if (cwd == NULL)
      return zl_fail_errno(err, "finding the current directory");
    ref->path = zl_asprintf("%s/%.*s", strcmp(cwd, "/") == 0 ? "" : cwd, (int)path.len, path.text);
  }
  return ref->path != NULL ? 0 : zl_fail_nomem(err, "image path");
}

static int set_local_tag(const char *tag, struct zl_image_ref *ref, struct zl_error *err)
{
  zl_auto_image_ref inner = { 0 };
  int r;

  if (ref->kind != ZL_IMAGE_REF_DOCKER_ARCHIVE) {
    if (!is_local_tag(tag))
      return zl_fail(err, ZL_E_INVALID, 0, "'%s' is not the name of an image in a layout", tag);
    ref->tag = strdup(tag);
    return ref->tag != NULL ? 0 : zl_fail_nomem(err, "image tag");
  }
  r = parse_registry(tag, &inner, err);
  if (r == 0)
    ref->tag = zl_steal_ptr(&inner.canonical);
  return r;
}

static int parse_local(const char *prefix, const char *rest, struct zl_image_ref *ref,
                       struct zl_error *err)
{
  bool drive = is_alnum(rest[0]) && rest[1] == ':' && (rest[2] == '\\' || rest[2] == '/');
  const char *colon = strchr(drive ? rest + 2 : rest, ':');
  size_t len = colon != NULL ? (size_t)(colon - rest) : strlen(rest);
  int r;

  r = set_path((struct part){ rest, len }, ref, err);
  if (r == 0 && colon != NULL)
    r = set_local_tag(colon + 1, ref, err);
  if (r < 0)
    return r;
  ref->canonical = zl_asprintf("%s%s%s%s", prefix, ref->path, ref->tag != NULL ? ":" : "",
                               ref->tag != NULL ? ref->tag : "");
  return ref->canonical != NULL ? 0 : zl_fail_nomem(err, "image reference");
}

/* A reference ends up in paths, headers and logs. */
static bool is_printable(const char *text)
{
  for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++)
    if (*p <= ' ' || *p == 0x7f)
      return false;
  return true;
}

static int parse_any(const char *text, struct zl_image_ref *ref, struct zl_error *err)
{
  static const struct {
    const char *prefix;
    enum zl_image_ref_kind kind;
  } forms[] = {
    { "oci:", ZL_IMAGE_REF_OCI_DIR },
    { "oci-archive:", ZL_IMAGE_REF_OCI_ARCHIVE },
    { "docker-archive:", ZL_IMAGE_REF_DOCKER_ARCHIVE },
  };

  for (size_t i = 0; i < ZL_COUNT(forms); i++) {
    if (!zl_has_prefix(text, forms[i].prefix))
      continue;
    ref->kind = forms[i].kind;
    return parse_local(forms[i].prefix, text + strlen(forms[i].prefix), ref, err);
  }
  ref->kind = ZL_IMAGE_REF_REGISTRY;
  return parse_registry(text, ref, err);
}

int zl_image_ref_parse(const char *text, struct zl_image_ref *ret, struct zl_error *err)
{
  zl_auto_image_ref ref = { 0 };
  int r;

  if (*text == '\0')
    return zl_fail(err, ZL_E_INVALID, 0, "an image reference is empty");
  if (strnlen(text, TEXT_MAX + 1) > TEXT_MAX)
    return zl_fail(err, ZL_E_INVALID, 0, "an image reference is longer than %d bytes", TEXT_MAX);
  if (!is_printable(text))
    return zl_fail(err, ZL_E_INVALID, 0,
                   "an image reference contains a blank or control character");
  r = parse_any(text, &ref, err);
  if (r < 0)
    return r;
  *ret = ref;
  ref = (struct zl_image_ref){ 0 };
  return 0;
}

void zl_image_ref_done(struct zl_image_ref *ref)
{
  free(ref->registry);
  free(ref->repository);
  free(ref->path);
  free(ref->tag);
  free(ref->digest);
  free(ref->canonical);
  *ref = (struct zl_image_ref){ 0 };
}
