// Probing: the list of static servers that the probers check, and the results that they report.
//
// Each region has one prober. A report names the list that the prober has; the reply is the current list if
// it differs. A prober is woken when the list changes. A region that was silent for `probeSilenceMs` does not
// count, and its prober is woken again, in case it lost its alarm.

import { createHash } from "node:crypto";
import { checkText } from "../domain/model/check-result.ts";
import {
  maxProbeReportGapMs,
  type ProbeList,
  type ProbeReport,
  type ProbeTarget,
} from "../domain/model/probe-list.ts";
import { type StaticServer, serverName } from "../domain/model/server.ts";
import { combineRegions, type RegionHealth, type ServerHealth } from "../domain/model/server-health.ts";
import type { World } from "../domain/model/world.ts";
import { type Draft, meshSubject, serverSubject } from "./draft.ts";
import { serviceOf } from "./servers.ts";

/** A region that was silent for this long does not count, milliseconds. */
export const probeSilenceMs = 3 * maxProbeReportGapMs;

/** The list for the prober of every region. */
export function probeList(world: World): ProbeList {
  return probeListOf(probeTargets(world));
}

function probeTargets(world: World): readonly ProbeTarget[] {
  return [...world.servers.values()]
    .flatMap((server) => probeTargetOf(world, server))
    .sort((a, b) => (a.serverId < b.serverId ? -1 : 1));
}

function probeListOf(targets: readonly ProbeTarget[]): ProbeList {
  // Only a prober without a counter of its own reads the counter.
  const fingerprint = JSON.stringify(targets.map((target) => ({ ...target, counter: 0 })));
  return { hash: createHash("sha256").update(fingerprint).digest("base64url"), targets };
}

/** The list of a prober that has nothing to check. */
export function emptyProbeList(): ProbeList {
  return probeListOf([]);
}

/** True if the list differs between two worlds. */
export function isProbeListChanged(before: World, after: World): boolean {
  return before.servers !== after.servers && probeList(before).hash !== probeList(after).hash;
}

/** Applies the results of one region's prober. A region that is not configured is ignored. */
export function applyProbeReports(draft: Draft, region: string, reports: readonly ProbeReport[]): void {
  const { store, nowMs, context } = draft;
  if (!context.regions.includes(region)) return;
  const wasSilent = !liveRegions(draft).has(region);
  store.setRegionSeenAt(region, nowMs);
  const live = liveRegions(draft);
  for (const { serverId, epoch, counter, fails, last } of reports) {
    const server = draft.world.servers.get(serverId);
    if (server?.epoch === epoch)
      applyRegionHealth(draft, server, { [region]: { counter, fails, last } }, live);
  }
  if (wasSilent)
    for (const server of draft.world.servers.values()) applyRegionHealth(draft, server, {}, live);
  scheduleRegionSweep(draft);
}

/** Removes silent regions from every server's health. Returns the regions whose prober to wake. */
export function sweepRegions(draft: Draft): readonly string[] {
  const { store, context } = draft;
  const live = liveRegions(draft);
  const silent = context.regions.filter((region) => !live.has(region));
  for (const [region] of store.regionsSeenAt()) {
    if (live.has(region)) continue;
    store.setRegionSeenAt(region, null);
    draft.recordEvent("registry", "prober.silent", meshSubject(draft), `no check results from ${region}`);
  }
  for (const server of draft.world.servers.values()) applyRegionHealth(draft, server, {}, live);
  scheduleRegionSweep(draft);
  return silent;
}

/** Sets the deadline of the next search for silent regions, unless there is nothing to check. */
export function scheduleRegionSweep(draft: Draft): void {
  const hasProbed = [...draft.world.servers.values()].some(isProbed);
  draft.store.setDeadline("probers", hasProbed ? draft.nowMs + probeSilenceMs : null);
}

/** The configured regions that reported within `probeSilenceMs`. */
function liveRegions({ store, nowMs, context }: Draft): ReadonlySet<string> {
  const seenAtMs = store.regionsSeenAt();
  return new Set(
    context.regions.filter((region) => nowMs - (seenAtMs.get(region) ?? -probeSilenceMs) < probeSilenceMs),
  );
}

function applyRegionHealth(
  draft: Draft,
  server: StaticServer,
  reported: Readonly<Record<string, RegionHealth>>,
  live: ReadonlySet<string>,
): void {
  const { health, spec } = server;
  if (health === null || spec.check === null || server.admin === "maint") return;
  const next = combineRegions(health, reported, live, spec.check, draft.nowMs);
  if (isSameHealth(health, next)) return;
  draft.put("servers", { ...server, health: next });
  if (next.up === health.up) return;
  const why = next.last === null ? "" : checkText(next.last);
  draft.recordEvent(
    "registry",
    next.up ? "server.up" : "server.down",
    serverSubject(draft.world, server),
    why,
  );
}

/** Ignores the duration of checks: it is not worth a written row. */
function isSameHealth(a: ServerHealth, b: ServerHealth): boolean {
  return healthFingerprint(a) === healthFingerprint(b);
}

function healthFingerprint(health: ServerHealth): string {
  return JSON.stringify(health, (key, value) => (key === "durationMs" ? 0 : value));
}

function isProbed({ spec, admin }: StaticServer): boolean {
  return spec.check !== null && admin !== "maint";
}

function probeTargetOf(world: World, server: StaticServer): readonly ProbeTarget[] {
  const { id, epoch, spec, health } = server;
  if (spec.check === null || health === null || !isProbed(server)) return [];
  return [
    {
      serverId: id,
      name: serverName(serviceOf(world, server).spec.name, server),
      epoch,
      host: spec.host,
      port: spec.check.port ?? spec.port,
      check: spec.check,
      counter: health.counter,
    },
  ];
}
