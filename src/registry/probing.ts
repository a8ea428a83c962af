// Probing: what the probers are to check, and what follows from what they say.
//
// A prober is one object for each region. With each report it says which list it has, and is answered with the present
// one when that is another; when the list changes it is woken. A region unheard for `silentMs` does not count any more,
// and its prober is woken again, so that an object which lost its alarm goes on.

import { createHash } from "node:crypto";
import { checkText } from "../domain/model/check-result.ts";
import {
  maxProbeReportGapMs,
  type ProbeList,
  type ProbeReport,
  type ProbeTarget,
} from "../domain/model/probe-list.ts";
import { type StaticServer, serverName } from "../domain/model/server.ts";
import { combineRegions, type RegionHealth } from "../domain/model/server-health.ts";
import type { World } from "../domain/model/world.ts";
import { type Draft, serverSubject } from "./draft.ts";
import { serviceOf } from "./servers.ts";

/** A region unheard for this long does not count, milliseconds. */
export const probeSilenceMs = 3 * maxProbeReportGapMs;

/** What every region's prober is to check. */
export function probeList(world: World): ProbeList {
  return probeListOf(probeTargets(world));
}

function probeTargets(world: World): readonly ProbeTarget[] {
  return [...world.servers.values()]
    .flatMap((server) => probeTargetOf(world, server))
    .sort((a, b) => (a.serverId < b.serverId ? -1 : 1));
}

function probeListOf(targets: readonly ProbeTarget[]): ProbeList {
  // Where a counter stands matters only to who begins.
  const face = JSON.stringify(targets.map((target) => ({ ...target, counter: 0 })));
  return { hash: createHash("sha256").update(face).digest("base64url"), targets };
}

/** The list of who has nothing to check. */
export function emptyProbeList(): ProbeList {
  return probeListOf([]);
}

/** Whether the probers' list is not the same in two worlds. */
export function isProbeListChanged(before: World, after: World): boolean {
  return before.servers !== after.servers && probeList(before).hash !== probeList(after).hash;
}

/** Takes in what one region's prober says. */
export function applyProbeReports(draft: Draft, region: string, reports: readonly ProbeReport[]): void {
  const { store, nowMs, context } = draft;
  if (!context.regions.includes(region)) return;
  const isNews = !liveRegions(draft).has(region);
  store.setRegionSeenAt(region, nowMs);
  const heard = liveRegions(draft);
  for (const { serverId, epoch, counter, fails, last } of reports) {
    const server = draft.world.servers.get(serverId);
    if (server?.epoch === epoch)
      applyRegionHealth(draft, server, { [region]: { counter, fails, last } }, heard);
  }
  if (isNews) for (const server of draft.world.servers.values()) applyRegionHealth(draft, server, {}, heard);
  scheduleRegionSweep(draft);
}

/** Looks which regions are silent, and takes them out of every server's health. Returns those whose prober to wake. */
export function sweepRegions(draft: Draft): readonly string[] {
  const { store, context } = draft;
  const heard = liveRegions(draft);
  const silent = context.regions.filter((region) => !heard.has(region));
  for (const [region] of store.regionsSeenAt()) {
    if (heard.has(region)) continue;
    store.setRegionSeenAt(region, null);
    const mesh = {
      type: "mesh",
      id: store.meta("meshId") ?? "",
      name: store.meta("meshName") ?? "",
    } as const;
    draft.recordEvent("registry", "prober.silent", mesh, `nothing was heard of the checks from ${region}`);
  }
  for (const server of draft.world.servers.values()) applyRegionHealth(draft, server, {}, heard);
  scheduleRegionSweep(draft);
  return silent;
}

/** Sets when to look for silent regions: while there is anything to check, and at no other time. */
export function scheduleRegionSweep(draft: Draft): void {
  const any = [...draft.world.servers.values()].some(isProbed);
  draft.store.setDeadline("probers", any ? draft.nowMs + probeSilenceMs : null);
}

/** The regions that count now. */
function liveRegions({ store, nowMs, context }: Draft): ReadonlySet<string> {
  const heard = store.regionsSeenAt();
  return new Set(
    context.regions.filter((region) => nowMs - (heard.get(region) ?? -probeSilenceMs) < probeSilenceMs),
  );
}

function applyRegionHealth(
  draft: Draft,
  server: StaticServer,
  said: Readonly<Record<string, RegionHealth>>,
  heard: ReadonlySet<string>,
): void {
  const { health, spec } = server;
  if (health === null || spec.check === null || server.admin === "maint") return;
  const next = combineRegions(health, said, heard, spec.check, draft.nowMs);
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

/** A row is not written for how long a check took. */
function isSameHealth(
  a: NonNullable<StaticServer["health"]>,
  b: NonNullable<StaticServer["health"]>,
): boolean {
  return healthFingerprint(a) === healthFingerprint(b);
}

function healthFingerprint(health: NonNullable<StaticServer["health"]>): string {
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
