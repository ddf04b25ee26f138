/* SPDX-License-Identifier: Apache-2.0
 *
 * The database schema, one text per version (PRAGMA user_version); steps are never edited once
 * released, only added. Private to the store room.
 */
#ifndef ZL_STORE_SCHEMA_H
#define ZL_STORE_SCHEMA_H

/* A container's row says that it is meant to be, never how it is: that is a fact, read from the
 * host each time (runtime/state.c). */
static const char *const zl_store_schema[] = {
  /* 1 */
  "CREATE TABLE containers ("
  " id TEXT PRIMARY KEY," /* display id */
  " name TEXT UNIQUE,"    /* second name, or NULL */
  " deployment TEXT, service TEXT NOT NULL,"
  " replica INTEGER NOT NULL, role TEXT NOT NULL, node_id INTEGER NOT NULL,"
  " backend TEXT NOT NULL, isolation TEXT NOT NULL,"
  " image TEXT NOT NULL, image_digest TEXT NOT NULL,"
  " config TEXT NOT NULL," /* JSON: what the runtime needs later (command, ports, stop signal, …) */
  " boot_id TEXT NOT NULL," /* the boot that created it */
  " auto_remove INTEGER NOT NULL, created_at INTEGER NOT NULL,"
  /* who made it: an auto_remove container that was never started goes when its maker is dead */
  " creator_pid INTEGER NOT NULL DEFAULT 0, creator_start INTEGER NOT NULL DEFAULT 0"
  ") WITHOUT ROWID;"
  /* A host object that may exist; written before it is made, deleted after it is gone. */
  "CREATE TABLE journal ("
  " container TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, boot_id TEXT NOT NULL,"
  " PRIMARY KEY (container, kind, name)) WITHOUT ROWID;"
  "CREATE TABLE leases ("
  " address INTEGER PRIMARY KEY," /* IPv4, host byte order */
  " container TEXT NOT NULL UNIQUE, link TEXT NOT NULL, boot_id TEXT NOT NULL);"
  "CREATE TABLE ports ("
  " host_ip TEXT NOT NULL, host_port INTEGER NOT NULL, protocol TEXT NOT NULL,"
  " container TEXT NOT NULL, container_port INTEGER NOT NULL,"
  " PRIMARY KEY (host_ip, host_port, protocol)) WITHOUT ROWID;"
  "CREATE TABLE images ("
  " reference TEXT PRIMARY KEY,"  /* canonical */
  " digest TEXT NOT NULL,"        /* of the manifest for this node */
  " source_digest TEXT NOT NULL," /* of what the reference names: that manifest, or an index */
  " pulled_at INTEGER NOT NULL) WITHOUT ROWID;"
  "CREATE TABLE manifests ("
  " digest TEXT PRIMARY KEY, media_type TEXT NOT NULL, manifest BLOB NOT NULL,"
  " config BLOB NOT NULL, os TEXT NOT NULL, arch TEXT NOT NULL);"
  /* key: directory name below ROOT/layers */
  "CREATE TABLE layers ("
  " key TEXT PRIMARY KEY, diff_id TEXT NOT NULL, bytes INTEGER NOT NULL, files INTEGER NOT NULL)"
  " WITHOUT ROWID;"
  "CREATE TABLE manifest_layers ("
  " digest TEXT NOT NULL, position INTEGER NOT NULL, key TEXT NOT NULL," /* position 0: base */
  " PRIMARY KEY (digest, position)) WITHOUT ROWID;"
  "CREATE INDEX manifest_layers_by_key ON manifest_layers (key);"
  "CREATE TABLE volumes ("
  " name TEXT PRIMARY KEY, created_at INTEGER NOT NULL) WITHOUT ROWID;"
  "CREATE TABLE volume_users ("
  " name TEXT NOT NULL, container TEXT NOT NULL, PRIMARY KEY (name, container)) WITHOUT ROWID;",
  /* 2: a valid signature was seen for `digest` under the name `reference`. It counts while the
   * node's policy for that name is still the one of `policy` (a hash of rule and keys), and before
   * second `until`. */
  "CREATE TABLE verified ("
  " reference TEXT NOT NULL, digest TEXT NOT NULL, policy TEXT NOT NULL, until INTEGER NOT NULL,"
  " PRIMARY KEY (reference, digest)) WITHOUT ROWID;"
  "CREATE TRIGGER verified_goes AFTER DELETE ON images"
  " BEGIN DELETE FROM verified WHERE reference = OLD.reference; END;",
};

#endif
