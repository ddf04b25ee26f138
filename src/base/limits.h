/* SPDX-License-Identifier: Apache-2.0
 *
 * Every maximum in one place, each with its reason. A list, buffer or message without a line here
 * must not exist.
 */
#ifndef ZL_BASE_LIMITS_H
#define ZL_BASE_LIMITS_H

#include <stdint.h>

/* One layer: beyond the largest model images seen; the disk's own reserve stops most earlier. */
#define ZL_MAX_LAYER_BYTES   (UINT64_C(128) << 30)
/* Disk space that unpacking leaves free, so that containers go on working. */
#define ZL_LAYER_RESERVE     (UINT64_C(256) << 20)
/* What interrupted downloads may hold together until somebody continues them. */
#define ZL_MAX_PARTIAL_BYTES (UINT64_C(16) << 30)
/* One document for Windows' compute service: all layers, mounts and variables are less. */
#define ZL_MAX_HCS_DOCUMENT  (UINT32_C(1) << 20)

enum {
  ZL_MAX_ID = 128,              /* display id of a container: becomes a directory and cgroup name */
  ZL_MAX_NAME = 64,             /* user-given name, service name, volume name */
  ZL_MAX_SPEC_FILE = 4 << 20,   /* a deployment file; real ones are a few KiB */
  ZL_MAX_SPEC_DEPTH = 32,       /* YAML nesting */
  ZL_MAX_SPEC_NODES = 200000,   /* values of a deployment file, aliases expanded */
  ZL_MAX_SPEC_TEXT = 16 << 20,  /* bytes of all its texts, aliases expanded */
  ZL_MAX_SPEC_ERRORS = 256,     /* errors kept of one file */
  ZL_MAX_TOML = 1 << 20,        /* a hosts.toml or registries.conf; long alias lists have 10 KiB */
  ZL_MAX_TOML_VALUES = 16384,   /* each new key of one is compared with all of its table */
  ZL_MAX_ENV_FILE = 1 << 20,    /* --env-file: the kernel takes no more at exec than some MiB */
  ZL_MAX_UNITS = 1024,          /* containers of one deployment on one node */
  ZL_MAX_SERVICES = 1024,       /* services in one deployment */
  ZL_MAX_REPLICAS = 1024,       /* of one service: more than a node's slice has addresses */
  ZL_MAX_LIST = 4096,           /* entries of any list in a spec (env, args, mounts, ...) */
  ZL_MAX_JSON = 4 << 20,        /* a manifest or image config: what registries themselves accept */
  ZL_MAX_JSON_DEPTH = 32,       /* JSON nesting */
  ZL_MAX_LAYERS = 128,          /* layers of one image: overlayfs itself stops at 500 */
  ZL_MAX_BLOB_PIECES = 1 << 14, /* of 8 MiB: as much as a layer may hold when unpacked */
  ZL_MAX_PARTIALS = 4096,       /* interrupted downloads looked at by one sweep */
  ZL_MAX_PARTIAL_AGE_S = 7 * 24 * 3600, /* of one: nobody waits longer for the rest */
  ZL_MAX_INDEX = 1024,                  /* manifests in one index */
  ZL_MAX_BUNDLE = 4 << 20,              /* config.json given to the shim */
  ZL_MAX_AMENDMENT = 64 << 10, /* late part of a bundle: one message of a socket's default buffer */
  ZL_MAX_CONTROL_MSG =
      192 << 10,                 /* one control message; exec's argv and env must fit (SO_SNDBUF) */
  ZL_MAX_PRESERVED_FDS = 256,    /* descriptors of the caller that a container gets */
  ZL_MAX_CONTROL_FDS = 4,        /* descriptors with one control message */
  ZL_MAX_CONTROL_CONNS = 96,     /* clients of one shim at once: sessions, attachments, waiters */
  ZL_MAX_CONTROL_WAITS = 16,     /* answers owed to one client at the end of the container */
  ZL_MAX_ATTACH = 8,             /* clients attached to one container at once */
  ZL_MAX_EXEC_SESSIONS = 64,     /* running exec processes of one container */
  ZL_MAX_EXEC_OUTPUT = 16 << 20, /* buffered exec: bytes kept of each stream */
  ZL_MAX_LOG_LINE = 16 << 10,    /* longer lines are split and marked partial (the CRI's figure) */
  ZL_MIN_LOG_BYTES = 64 << 10,   /* of one log file: some of the longest lines must fit */
  ZL_DEFAULT_LOG_BYTES = 100 << 20, /* of one log file when nothing is said */
  ZL_MAX_LOG_FILES = 100,           /* kept log files of one container */
  ZL_DEFAULT_LOG_FILES = 5,
  ZL_MAX_PASSWD = 1 << 20,     /* /etc/passwd or /etc/group of an image */
  ZL_MAX_USER_NAME = 256,      /* of a user or group: what Linux systems accept at most */
  ZL_MAX_GROUPS = 256,         /* supplementary groups */
  ZL_MAX_PUBLISHED = 64 << 10, /* published ports of a node: as many as a protocol has */
  ZL_MAX_MOUNTS = 512,         /* mounts of one container */
  ZL_MAX_MOUNT_DATA = 4095,    /* options of one mount joined: the kernel takes one page */
  ZL_MAX_COPY_UP_DEPTH = 128,  /* directories below tmpcopyup: each holds three descriptors */
  ZL_MAX_HOSTNAME = 64,        /* the kernel's own maximum */
  ZL_MAX_RLIMITS = 16,         /* the kernel has sixteen */
  ZL_MAX_IDMAPS = 340,         /* extents of an id map: the kernel's own maximum */
  ZL_MAX_INLINE_IDMAPS = 16,   /* the same, written as an option of a mount */
  ZL_MAX_DEVICE_NODES = 4096,  /* device nodes of one container: as many as a large host has */
  ZL_MAX_DEVICES = 256,        /* device rules of one container: a BPF program */
  ZL_MAX_NET_DEVICES = 32,     /* links of the host that one container is given */
  ZL_MAX_CPUS = 8192,          /* processors of a host: what x86 kernels are built for at most */
  ZL_MAX_PID_LIST = 1 << 20,   /* cgroup.procs: some hundred thousand processes */
  ZL_MAX_CGROUP_PATH = 512,    /* below the cgroup mount */
  ZL_MAX_UNIT_NAME = 255,      /* of a systemd unit: its own maximum */
  ZL_MAX_DBUS_CALL = 64 << 10, /* one call to systemd: properties of a unit, device rules */
  ZL_MAX_DBUS_MESSAGE = 256 << 10, /* one message from it: a path, a text, a signal */
  ZL_MAX_SYSCTL_TEXT = 1024,       /* key or value of one setting */
  ZL_MAX_SYSCTLS = 256,            /* settings of one container */
  ZL_MAX_CGROUP_SETTINGS = 256,    /* entries of any list in linux.resources */
  ZL_MAX_HOOKS = 64,               /* hooks of one phase: they run one after the other */
  ZL_MAX_HOOK_TIMEOUT_S = 86400,   /* of one hook: whoever waits for a day has not meant it */
  ZL_MAX_HOOK_STDERR = 1024,       /* of a failed hook's complaint, in the error */
  ZL_MAX_STATE_JSON = 1 << 20,     /* the state of a container: its annotations are not limited */
  ZL_MAX_SECCOMP_RULES = 1024,     /* rules of one filter: a long one has some hundred */
  ZL_MAX_SECCOMP_ARGS = 12,        /* conditions of one rule: twice the arguments of a call */
  ZL_MAX_URL = 8192,               /* an address; signed blob addresses of clouds reach 3 KiB */
  ZL_MAX_HTTP_HEADERS = 64 << 10,  /* all header lines of one reply */
  ZL_MAX_HTTP_ERROR = 64 << 10,    /* body of an error reply, of which the first message is shown */
  ZL_MAX_HTTP_TOKEN = 64 << 10,    /* a token server's reply */
  ZL_MAX_CA_BYTES = 4 << 20,       /* authorities for one server; all that exist have 250 KiB */
  ZL_MAX_KEY_FILE = 256 << 10,     /* a PEM file of a key or of authorities, config.yaml names it */
  ZL_MAX_SIGNATURES = 64,          /* of one image that are tried */
  ZL_MAX_SIGNATURE = 64 << 10,     /* a cosign payload: some hundred bytes and annotations */
  ZL_MAX_ENVELOPE = 1 << 20,       /* a notation envelope: its certificates are most of it */
  ZL_MAX_CHAIN = 10,               /* certificates in one */
  ZL_MAX_REDIRECTS = 10,           /* of one request */
  ZL_MAX_CREDENTIALS = 1 << 20,    /* a docker config.json, or what a credential helper prints */
  ZL_MAX_ARCHIVE_MEMBERS =
      1 << 16,                  /* files in an oci-archive or docker-archive: blobs, not contents */
  ZL_MAX_SMALL_FILE = 64 << 10, /* /proc and cgroup files, state files */
  ZL_MAX_LAYER_ENTRIES = 2 << 20, /* members of one layer; the largest real ones have 600,000 */
  ZL_MAX_LAYER_PATH = 4095,       /* bytes of a path in a layer: what the kernel resolves at once */
  ZL_MAX_LAYER_DEPTH = 256,       /* components of one */
  ZL_MAX_LAYER_NAME = 255,        /* bytes of one component */
  ZL_MAX_TAR_EXTENSION = 1 << 20, /* one PAX or GNU header block; Go's reader has the same */
  ZL_MAX_TAR_CHAIN = 8,           /* such blocks in front of one member */
  ZL_MAX_TAR_SPARSE = 64 << 10,   /* segments of one sparse file */
  ZL_MAX_TAR_XATTRS = 64,         /* extended attributes of one member */
  ZL_MAX_XATTR_VALUE = 64 << 10,  /* XATTR_SIZE_MAX of the kernel */
  ZL_MAX_WINDOWS_RECORDS = 72,    /* of one member: 64 extended attributes, and the rest */
  ZL_MAX_LAYER_NOTES = 64 << 10,  /* implicit directories, deferred links, opaque marks: each */
  ZL_MAX_EROFS_NAMES = 4 << 20,   /* of one image: entries of a layer and directories implied */
  ZL_MAX_EROFS_TEXT = 128 << 20,  /* names and link targets of one image, held in memory */
  ZL_MAX_WINDOWS_TEXT = 256 << 20,   /* paths of one Windows layer: 128 bytes for each entry */
  ZL_MAX_WINDOWS_STREAMS = 64,       /* alternate streams of one file */
  ZL_MAX_WINDOWS_LISTING = 64 << 20, /* names of one directory of a layer below */
  ZL_MAX_UNPACK_RESULT = 16 << 20,   /* message of the unpacking child */
  ZL_MAX_EVENTS_FILE = 4 << 20       /* events.log before it is rotated; one older file is kept */
};

#endif
