/* SPDX-License-Identifier: Apache-2.0
 *
 * Who reaches a service: endpoints, ports, network modes, overlays.
 */
#include <string.h>

#include "base/strv.h"
#include "spec/rules.h"
#include "spec/tables.h"

const struct zl_option zl_options_exposure[] = {
  { "internal", ZL_EXPOSE_INTERNAL, false },
  { "public", ZL_EXPOSE_PUBLIC, true },
  { 0 },
};

const struct zl_option zl_options_transport[] = {
  { "tcp", ZL_PROTOCOL_TCP, false },
  { "udp", ZL_PROTOCOL_UDP, false },
  { 0 },
};

const struct zl_option zl_options_protocol[] = {
  { "http", ZL_PROTOCOL_HTTP, false },
  { "https", ZL_PROTOCOL_HTTPS, false },
  { "tcp", ZL_PROTOCOL_TCP, false },
  { "udp", ZL_PROTOCOL_UDP, false },
  { "websocket", ZL_PROTOCOL_WEBSOCKET, false },
  { 0 },
};

const char *zl_protocol_name(enum zl_protocol protocol)
{
  const char *name = zl_option_text(zl_options_protocol, protocol);

  return name != NULL ? name : "unknown";
}

/* ---- endpoints ---- */

static const struct zl_option stream_checks[] = {
  { "tcp_connect", ZL_STREAM_CHECK_TCP_CONNECT, false },
  { "udp_probe", ZL_STREAM_CHECK_UDP_PROBE, false },
  { 0 },
};

#define UDP_PROBE ZL_CASE(ZL_STREAM_CHECK_UDP_PROBE)

static const struct zl_field stream_check_fields[] = {
  ZL_FIELD(zl_stream_check, type, ZL_KIND_ENUM, .flags = ZL_REQUIRED | ZL_TAG,
           .options = stream_checks, .doc = "How it is probed."),
  ZL_FIELD(zl_stream_check, request, ZL_KIND_TEXT, .only = UDP_PROBE, .need = UDP_PROBE,
           .doc = "What is sent."),
  ZL_FIELD(zl_stream_check, expect, ZL_KIND_TEXT, .only = UDP_PROBE, .doc = "What must come back."),
};

static const struct zl_type stream_check = { .name = "stream.health_check",
                                             .size = sizeof(struct zl_stream_check),
                                             ZL_FIELDS(stream_check_fields) };

static const struct zl_field stream_fields[] = {
  ZL_FIELD(zl_stream_config, tls, ZL_KIND_BOOL, .fallback = "false", .doc = "Ends TLS."),
  ZL_FIELD(zl_stream_config, proxy_protocol, ZL_KIND_BOOL, .fallback = "false",
           .doc = "Tells the client's address to the service."),
  ZL_FIELD(zl_stream_config, session_timeout, ZL_KIND_DURATION, .fallback = "60s",
           .doc = "How long an idle session is kept."),
  ZL_FIELD(zl_stream_config, health_check, ZL_KIND_OPTIONAL, .type = &stream_check,
           .doc = "Probe of a replica."),
};

static const struct zl_type stream = { .name = "endpoint.stream",
                                       .size = sizeof(struct zl_stream_config),
                                       ZL_FIELDS(stream_fields) };

static const struct zl_field access_fields[] = {
  ZL_FIELD(zl_tunnel_access, enabled, ZL_KIND_BOOL, .fallback = "false", .doc = "On."),
  ZL_FIELD(zl_tunnel_access, max_ttl, ZL_KIND_DURATION, .doc = "Longest access."),
  ZL_FIELD(zl_tunnel_access, audit, ZL_KIND_BOOL, .fallback = "false", .doc = "Recorded."),
};

static const struct zl_type tunnel_access = { .name = "endpoint.tunnel.access",
                                              .size = sizeof(struct zl_tunnel_access),
                                              ZL_FIELDS(access_fields) };

static const struct zl_field endpoint_tunnel_fields[] = {
  ZL_FIELD(zl_endpoint_tunnel, enabled, ZL_KIND_BOOL, .fallback = "false", .doc = "On."),
  ZL_FIELD(zl_endpoint_tunnel, from, ZL_KIND_TEXT, .doc = "Node where it begins."),
  ZL_FIELD(zl_endpoint_tunnel, to, ZL_KIND_TEXT, .doc = "Node where it ends."),
  ZL_FIELD(zl_endpoint_tunnel, remote_port, ZL_KIND_INT, .max = 65535, .fallback = "0",
           .doc = "Port there; 0: any."),
  ZL_FIELD(zl_endpoint_tunnel, expose, ZL_KIND_ENUM, .options = zl_options_exposure,
           .doc = "For whom."),
  ZL_FIELD(zl_endpoint_tunnel, access, ZL_KIND_OPTIONAL, .type = &tunnel_access,
           .doc = "Access on request."),
};

static const struct zl_type endpoint_tunnel = { .name = "endpoint.tunnel",
                                                .size = sizeof(struct zl_endpoint_tunnel),
                                                ZL_FIELDS(endpoint_tunnel_fields) };

static const struct zl_field endpoint_fields[] = {
  ZL_FIELD(zl_endpoint, name, ZL_KIND_TEXT, .flags = ZL_REQUIRED | ZL_METADATA,
           .check = zl_check_not_empty, .doc = "Unique in the service."),
  ZL_FIELD(zl_endpoint, protocol, ZL_KIND_ENUM, .flags = ZL_REQUIRED | ZL_METADATA,
           .options = zl_options_protocol, .doc = "What is spoken."),
  ZL_FIELD(zl_endpoint, port, ZL_KIND_INT, .flags = ZL_REQUIRED | ZL_METADATA, .min = 1,
           .max = 65535, .doc = "Where it is offered."),
  ZL_FIELD(zl_endpoint, target_port, ZL_KIND_INT, .flags = ZL_METADATA, .min = 1, .max = 65535,
           .doc = "Where the workload listens; absent: port."),
  ZL_FIELD(zl_endpoint, path, ZL_KIND_TEXT, .planned = ZL_ALWAYS, .hint = "there is no proxy yet",
           .doc = "Path that is routed here."),
  ZL_FIELD(zl_endpoint, host, ZL_KIND_TEXT, .planned = ZL_ALWAYS, .hint = "there is no proxy yet",
           .doc = "Host name that is routed here."),
  ZL_FIELD(zl_endpoint, expose, ZL_KIND_ENUM, .flags = ZL_METADATA, .options = zl_options_exposure,
           .fallback = "internal",
           .hint = "there is no proxy yet; publish a port with port_mappings",
           .doc = "For whom. A container is reached at its overlay address."),
  ZL_FIELD(zl_endpoint, stream, ZL_KIND_OPTIONAL, .type = &stream, .planned = ZL_ALWAYS,
           .hint = "there is no proxy yet", .doc = "Settings of the stream proxy."),
  ZL_FIELD(zl_endpoint, target_role, ZL_KIND_TEXT, .planned = ZL_ALWAYS, .check = zl_check_role,
           .doc = "Replica group that serves it."),
  ZL_FIELD(zl_endpoint, tunnel, ZL_KIND_OPTIONAL, .type = &endpoint_tunnel, .planned = ZL_ALWAYS,
           .doc = "Tunnel to another node."),
};

static void finish_endpoint(struct zl_spec_ctx *ctx, const struct zl_at *at, void *object)
{
  struct zl_endpoint *endpoint = object;

  (void)ctx;
  (void)at;
  if (endpoint->target_port == 0)
    endpoint->target_port = endpoint->port;
}

const struct zl_type zl_type_endpoint = { .name = "endpoint",
                                          .size = sizeof(struct zl_endpoint),
                                          .finish = finish_endpoint,
                                          ZL_FIELDS(endpoint_fields) };

static const struct zl_field port_mapping_fields[] = {
  ZL_FIELD(zl_port_mapping, host_port, ZL_KIND_INT, .max = 65535, .fallback = "0",
           .also = "published", .doc = "Port of the node; 0: any free one."),
  ZL_FIELD(zl_port_mapping, container_port, ZL_KIND_INT, .flags = ZL_REQUIRED, .min = 1,
           .max = 65535, .also = "target", .doc = "Port of the container."),
  ZL_FIELD(zl_port_mapping, protocol, ZL_KIND_ENUM, .options = zl_options_transport,
           .fallback = "tcp", .doc = "Which transport."),
  ZL_FIELD(zl_port_mapping, host_ip, ZL_KIND_TEXT, .fallback = "0.0.0.0", .check = zl_check_ip,
           .doc = "Address of the node."),
};

const struct zl_type zl_type_port_mapping = { .name = "port_mapping",
                                              .size = sizeof(struct zl_port_mapping),
                                              ZL_FIELDS(port_mapping_fields) };

/* ---- network mode ---- */

static const struct zl_option network_kinds[] = {
  { "default", ZL_NETWORK_DEFAULT, false }, { "host", ZL_NETWORK_HOST, false },
  { "none", ZL_NETWORK_NONE, false },       { "container", ZL_NETWORK_CONTAINER, false },
  { "bridge", ZL_NETWORK_BRIDGE, true },    { 0 },
};

static const struct zl_field network_mode_fields[] = {
  ZL_FIELD(zl_network_mode, kind, ZL_KIND_INT, .max = ZL_NETWORK_BRIDGE),
  ZL_FIELD(zl_network_mode, name, ZL_KIND_TEXT, .check = zl_check_not_empty),
};

static int parse_network_mode(const char *text, void *object, struct zl_error *err)
{
  struct zl_network_mode *mode = object;
  zl_autofree char *kind = strdup(text);
  const struct zl_option *option;
  char *colon;
  bool takes_name;

  if (kind == NULL)
    return zl_fail_nomem(err, "network mode");
  colon = strchr(kind, ':');
  if (colon != NULL)
    *colon = '\0';
  option = zl_option_find(network_kinds, kind);
  takes_name = option != NULL && option->value >= ZL_NETWORK_CONTAINER;
  if (option == NULL || (colon != NULL && (!takes_name || colon[1] == '\0')) ||
      (colon == NULL && option->value == ZL_NETWORK_CONTAINER))
    return zl_fail(err, ZL_E_INVALID, 0, "expected default, host, none or container:ID, found '%s'",
                   text);
  if (colon != NULL) {
    mode->name = strdup(colon + 1);
    if (mode->name == NULL)
      return zl_fail_nomem(err, "network mode");
  }
  mode->kind = option->value;
  return 0;
}

static int render_network_mode(const void *object, struct zl_buf *buf, struct zl_error *err)
{
  const struct zl_network_mode *mode = object;
  const char *kind = zl_option_text(network_kinds, mode->kind);

  return zl_buf_printf(buf, err, "%s%s%s", kind != NULL ? kind : "default",
                       mode->name != NULL ? ":" : "", mode->name != NULL ? mode->name : "");
}

const struct zl_type zl_type_network_mode = { .name = "network_mode",
                                              .size = sizeof(struct zl_network_mode),
                                              .parse = parse_network_mode,
                                              .render = render_network_mode,
                                              ZL_FIELDS(network_mode_fields) };

/* ---- overlays ---- */

#define POLICY_FIELDS(isolated_default)                                                          \
  {                                                                                              \
    ZL_FIELD(zl_overlay_policy, enabled, ZL_KIND_BOOL, .fallback = "true", .planned = ZL_ALWAYS, \
             .hint = "use network_mode none for a container without a network", .doc = "On."),   \
        ZL_FIELD(zl_overlay_policy, encrypted, ZL_KIND_BOOL, .fallback = "true",                 \
                 .planned = ZL_ALWAYS,                                                           \
                 .doc = "Encrypted between nodes. One node's traffic never "                     \
                        "leaves it, so there is nothing to encrypt yet."),                       \
        ZL_FIELD(zl_overlay_policy, isolated, ZL_KIND_BOOL, .fallback = (isolated_default),      \
                 .planned = ZL_ALWAYS, .doc = "Apart from other services."),                     \
  }

static const struct zl_field service_overlay_fields[] = POLICY_FIELDS("true");
static const struct zl_field global_overlay_fields[] = POLICY_FIELDS("false");

static const struct zl_type service_overlay = { .name = "network.overlays.service",
                                                .size = sizeof(struct zl_overlay_policy),
                                                ZL_FIELDS(service_overlay_fields) };
static const struct zl_type global_overlay = { .name = "network.overlays.global",
                                               .size = sizeof(struct zl_overlay_policy),
                                               ZL_FIELDS(global_overlay_fields) };

static const struct zl_field overlays_fields[] = {
  ZL_FIELD(zl_network_overlays, service, ZL_KIND_STRUCT, .type = &service_overlay,
           .doc = "The service's own overlay."),
  ZL_FIELD(zl_network_overlays, global, ZL_KIND_STRUCT, .type = &global_overlay,
           .doc = "The overlay of all services."),
};

static const struct zl_type overlays = { .name = "network.overlays",
                                         .size = sizeof(struct zl_network_overlays),
                                         ZL_FIELDS(overlays_fields) };

static const struct zl_option join_modes[] = {
  { "open", ZL_JOIN_OPEN, false },
  { "token", ZL_JOIN_TOKEN, false },
  { "closed", ZL_JOIN_CLOSED, false },
  { 0 },
};

static const struct zl_option join_scopes[] = {
  { "service", ZL_JOIN_SERVICE, false },
  { "global", ZL_JOIN_GLOBAL, false },
  { 0 },
};

static const struct zl_field join_fields[] = {
  ZL_FIELD(zl_network_join, mode, ZL_KIND_ENUM, .options = join_modes, .fallback = "token",
           .planned = ZL_ALWAYS, .doc = "Who may join."),
  ZL_FIELD(zl_network_join, scope, ZL_KIND_ENUM, .options = join_scopes, .fallback = "service",
           .planned = ZL_ALWAYS, .doc = "What is joined."),
};

static const struct zl_type join = { .name = "network.join",
                                     .size = sizeof(struct zl_network_join),
                                     ZL_FIELDS(join_fields) };

static const struct zl_field network_fields[] = {
  ZL_FIELD(zl_network_policy, overlays, ZL_KIND_STRUCT, .type = &overlays,
           .doc = "Which overlays it is in."),
  ZL_FIELD(zl_network_policy, join, ZL_KIND_STRUCT, .type = &join, .doc = "Who may join them."),
};

const struct zl_type zl_type_network = { .name = "network",
                                         .size = sizeof(struct zl_network_policy),
                                         ZL_FIELDS(network_fields) };

static const struct zl_option overlay_modes[] = {
  { "auto", ZL_OVERLAY_AUTO, false },
  { "shared", ZL_OVERLAY_SHARED, false },
  { "dedicated", ZL_OVERLAY_DEDICATED, true },
  { 0 },
};

static const struct zl_field overlay_fields[] = {
  ZL_FIELD(zl_overlay_spec, mode, ZL_KIND_ENUM, .options = overlay_modes, .fallback = "auto",
           .doc = "auto is shared: one network for all containers of the node."),
  ZL_FIELD(zl_overlay_spec, parent, ZL_KIND_TEXT, .planned = ZL_ALWAYS,
           .doc = "Device below a dedicated overlay."),
};

const struct zl_type zl_type_overlay = { .name = "overlay",
                                         .size = sizeof(struct zl_overlay_spec),
                                         ZL_FIELDS(overlay_fields) };
