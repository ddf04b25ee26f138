/* SPDX-License-Identifier: Apache-2.0
 *
 * The file as a whole.
 */
#include "base/strv.h"
#include "spec/rules.h"
#include "spec/tables.h"

static const struct zl_field external_fields[] = {
  ZL_FIELD(zl_external, backends, ZL_KIND_LIST, .flags = ZL_REQUIRED, .check = zl_check_not_empty,
           .doc = "HOST:PORT of each."),
  ZL_MANY(zl_external, endpoints, ZL_KIND_ARRAY, zl_type_endpoint, .doc = "What it offers."),
  ZL_FIELD(zl_external, health, ZL_KIND_OPTIONAL, .type = &zl_type_health, .doc = "Health checks."),
};

static void check_external(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *object)
{
  const struct zl_external *external = object;
  struct zl_at backends = zl_at_key(at, "backends", NULL);

  if (backends.node != NULL && zl_strv_len((const char *const *)external->backends) == 0)
    zl_report(ctx, &backends, ZL_E_INVALID, "must not be empty");
}

static const struct zl_type external = { .name = "external",
                                         .size = sizeof(struct zl_external),
                                         .named = true,
                                         .check = check_external,
                                         .check_name = zl_check_service_name,
                                         ZL_FIELDS(external_fields) };

static const struct zl_field tunnel_fields[] = {
  ZL_FIELD(zl_tunnel, from, ZL_KIND_TEXT, .flags = ZL_REQUIRED, .check = zl_check_not_empty,
           .doc = "Node where it begins."),
  ZL_FIELD(zl_tunnel, to, ZL_KIND_TEXT, .flags = ZL_REQUIRED, .check = zl_check_not_empty,
           .doc = "Node where it ends."),
  ZL_FIELD(zl_tunnel, local_port, ZL_KIND_INT, .flags = ZL_REQUIRED, .min = 1, .max = 65535,
           .doc = "Port at its beginning."),
  ZL_FIELD(zl_tunnel, remote_port, ZL_KIND_INT, .flags = ZL_REQUIRED, .min = 1, .max = 65535,
           .doc = "Port at its end."),
  ZL_FIELD(zl_tunnel, protocol, ZL_KIND_ENUM, .options = zl_options_transport, .fallback = "tcp",
           .doc = "Which transport."),
  ZL_FIELD(zl_tunnel, expose, ZL_KIND_ENUM, .options = zl_options_exposure, .fallback = "internal",
           .doc = "For whom."),
};

static const struct zl_type tunnel = { .name = "tunnel",
                                       .size = sizeof(struct zl_tunnel),
                                       .named = true,
                                       .check_name = zl_check_service_name,
                                       ZL_FIELDS(tunnel_fields) };

static const struct zl_field api_fields[] = {
  ZL_FIELD(zl_api_spec, enabled, ZL_KIND_BOOL, .fallback = "true", .planned = ZL_ALWAYS,
           .doc = "The HTTP interface, which does not exist yet."),
  ZL_FIELD(zl_api_spec, bind, ZL_KIND_TEXT, .fallback = "0.0.0.0:3669", .planned = ZL_ALWAYS,
           .doc = "Where it listens."),
  ZL_FIELD(zl_api_spec, jwt_secret, ZL_KIND_TEXT, .planned = ZL_ALWAYS,
           .doc = "Key of its tokens."),
  ZL_FIELD(zl_api_spec, swagger, ZL_KIND_BOOL, .fallback = "true", .planned = ZL_ALWAYS,
           .doc = "Describes itself."),
};

static const struct zl_type api = { .name = "api",
                                    .size = sizeof(struct zl_api_spec),
                                    ZL_FIELDS(api_fields) };

static const struct zl_field fields[] = {
  ZL_FIELD(zl_deployment, version, ZL_KIND_TEXT, .flags = ZL_REQUIRED, .check = zl_check_version,
           .doc = "v1."),
  ZL_KEYED(zl_deployment, name, "deployment", ZL_KIND_TEXT, .flags = ZL_REQUIRED,
           .also = "name project", .check = zl_check_deployment,
           .doc = "Its name: 3 to 63 letters, digits or '-'."),
  ZL_MANY(zl_deployment, services, ZL_KIND_MAP, zl_type_service, .also = "containers",
          .doc = "By name: 1 to 63 letters, digits, '_', '.' or '-'."),
  ZL_MANY(zl_deployment, externals, ZL_KIND_MAP, external, .planned = ZL_ALWAYS,
          .hint = "there is no proxy yet", .doc = "Services that run elsewhere."),
  ZL_MANY(zl_deployment, tunnels, ZL_KIND_MAP, tunnel, .planned = ZL_ALWAYS,
          .doc = "Tunnels between nodes."),
  ZL_FIELD(zl_deployment, api, ZL_KIND_STRUCT, .type = &api, .doc = "The HTTP interface."),
};

const struct zl_type zl_type_deployment = { .name = "deployment",
                                            .size = sizeof(struct zl_deployment),
                                            .check = zl_check_deployment_rules,
                                            ZL_FIELDS(fields) };
