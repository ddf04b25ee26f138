/* SPDX-License-Identifier: Apache-2.0
 *
 * Doubles of Windows' compute, storage and network services for tests under Wine, and what a test
 * does with them. README.md tells how strict they are. Nothing here is part of the product.
 *
 * One directory is one machine: every process whose environment names it in HCS_SIM_DIR sees the
 * same systems, layers, networks and disks, as on a host. They are held by one server process,
 * hcs-sim.exe, which the first call starts and hcs_sim_stop() ends; it also owns all processes of
 * all containers. Without a call or client it ends by itself after HCS_SIM_IDLE_MS (60000).
 *
 * Libraries, all in one directory together with hcs-sim.exe:
 *   computecore.dll vmcompute.dll computestorage.dll computenetwork.dll virtdisk.dll
 *     named as on Windows, with the functions of the .def file of that name;
 *   hcssim.dll
 *     all of these functions, and beside them the ones that the doubles have to see of
 *       kernel32: LocalFree BackupRead BackupWrite CreateFileW DeviceIoControl
 *       ntdll:    RtlGetVersion          (the machine's build, not Wine's)
 *       ole32:    CoTaskMemFree
 *       advapi32: AdjustTokenPrivileges  (refuses when "host privileges=0")
 *       ws2_32:   socket bind listen accept connect getsockname closesocket: sockets of family 34
 *                 (AF_HYPERV) become loopback TCP ones, SOCKADDR_HV stays what the caller sees. All
 *                 other calls work with the real ws2_32 on these sockets. Other families pass.
 *     No two of its names clash: a table of functions may take everything from hcssim.dll alone,
 *     and from the system what that does not have.
 * Load them with their full path and LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR |
 * LOAD_LIBRARY_SEARCH_SYSTEM32.
 *
 * Files in HCS_SIM_DIR: knobs (below; a test may write it itself, one knob a line, between two
 * calls), journal (one JSON object a line for each call, see hcs_sim_journal), server.log.
 */
#ifndef HCS_SIM_CONTROL_H
#define HCS_SIM_CONTROL_H

#include <jansson.h>
#include <stddef.h>

/* ---- Knobs ------------------------------------------------------------------------------------
 *
 * A fault:    NAME [nth=N] [times=M] [match=TEXT] [hr=0x…] [delay=MS] [at=call|result] [do=ACTION]
 * A property: host KEY=VALUE
 *
 * NAME is an exported function ("HcsCreateComputeSystem"), a message to a machine's guest
 * ("guest:NegotiateProtocol", "guest:ModifySettings" …), "guest:dial", "*" for every function, or
 * "guest:*" for every message. An unknown one is refused.
 *   nth    the first call that it hits, counted from setting the knob, from 1 (default 1)
 *   times  how many calls from there on; 0 is all (default 1)
 *   match  counts only calls whose arguments have TEXT in them (JSON text, or a path; no blanks)
 *   hr     the call fails with it and does nothing
 *   at     of calls with an operation: the function itself fails ("call"), or it is accepted and
 *          the operation fails ("result", default)
 *   delay  it takes so long before anything else happens
 *   do     of functions:
 *            after   does its work and then fails with hr all the same
 *            hang    never completes (until it is cancelled or its system goes)
 *            die     the service dies: every handle is dead, systems and their processes too
 *            exit    (HcsStartComputeSystem) starts, then the system exits unexpectedly with hr
 *            quirk   (HcsCreateProcess) gives a process that runs, and the operation fails with hr
 *            stay    (HcsShutDown…, HcsTerminate…) is accepted, and the system does not exit
 *            lose    (HcsTerminate…, HcsTerminateProcess) it exits, and no event tells
 *            error   (Hcn…) its number says success, and its error record tells of hr
 *          of messages:
 *            mute    never answered
 *            drop    the guest closes the connection instead of answering
 *            dropafter   it answers, then closes
 *            crash   the machine exits unexpectedly
 *            garbage an answer that is no JSON;  huge: a frame of 16 MiB;  short: a frame of size 8
 *            wrongid an answer to a call that never was;  wrongtype: of another message
 *            early   a notification of the container's exit before the answer
 *            twice   the answer comes two times
 *            version (NegotiateProtocol) version 3 is chosen
 *          of guest:dial:
 *            never   it does not dial
 *            drop    it dials and closes
 *            crash   the machine exits before it dials
 *            twice   it dials a second time
 *
 * Properties (default): build (20348) hyperv (1) hns (15.4: major.minor)
 *   service (1; 0: HCS_E_SERVICE_NOT_AVAILABLE) processors (4) privileges (1)
 *   signals (1; 0: the guest cannot signal) ignore (0; 1: workloads ignore console events)
 *   zone (1; 0: a Create of the machine's own container without time zone does not kill it)
 *   flush (0; 1: unprepared layers' disks stay attached, as DeactivateLayer sometimes leaves them)
 */

/* All return 0, or -1 with a line on stderr. HCS_SIM_DIR has to be set. */

/* Adds one knob. */
int hcs_sim_set(const char *knob);
/* Removes all faults and puts all properties back. */
int hcs_sim_clear(void);

/* ---- Looking ----------------------------------------------------------------------------------
 */

/* What the machine has now:
 * {"systems":[{"id","owner","type","state","runtime_id","document","handles","processes":[{"pid",
 *   "command","exited","exit_code","handles"}]}],
 *  "layers":[{"path","state","volume","parents":[…],"size"}], "disks":[{"path","attached_by"}],
 *  "grants":[{"vm","path"}], "networks":[…], "endpoints":[…], "namespaces":[…],   (documents)
 *  "handles":{"system","process","operation","network","endpoint","namespace","disk","address"},
 *  "strings":{"local","cotask"}, "listeners":[{"vm","service"}], "children":N, "misuse":["…"]}
 * The caller gives the reference up. */
int hcs_sim_ledger(json_t **ret);
/* 0: the machine is as it was when it was new (networks may stay with `networks`). 1: it is not,
 * `why` tells all that is left: systems, processes, handles, strings that were not freed, layers
 * not destroyed, disks attached, grants, endpoints, namespaces, listeners, and every misuse (a
 * string freed with the wrong function, a handle used after it was closed, …). */
int hcs_sim_leaks(int networks, char *why, size_t size);
/* Every call since the last hcs_sim_forget, in order:
 * {"n":1,"pid":…,"call":"HcsStartComputeSystem", "hr":"0x00000000","args":{…}}; guests' messages
 * are "guest:Create" and so on. */
int hcs_sim_journal(json_t **ret);
/* How often `name` was called since then; -1 for an error. */
int hcs_sim_count(const char *name);
/* Empties the journal, and forgets what misuse there was. */
int hcs_sim_forget(void);

/* ---- Doing ------------------------------------------------------------------------------------
 */

/* The service dies and is there again at the next call, with the layers, grants and networks that
 * it had: its clients' handles are dead, systems and processes are gone. */
int hcs_sim_kill_service(void);
/* A machine's or container's unexpected exit. */
int hcs_sim_crash(const char *system_id);
/* Ends the machine: processes, systems, memory of everything. */
int hcs_sim_stop(void);

#endif
