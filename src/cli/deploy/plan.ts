// Decides what a deployment has to do: from the settings and from what exists to steps, or to reasons against it.

import type { DnsRecord, FoundParts, WorkerRoute } from "./account.ts";
import { isDowngrade, type Releases } from "./release-order.ts";
import type { DeploySettings, MadeHere } from "./settings.ts";

/** The secrets that deploy makes. */
export type SecretName = "OPERATOR_TOKEN" | "VIEWER_TOKEN";

const secretNames: readonly SecretName[] = ["OPERATOR_TOKEN", "VIEWER_TOKEN"];

/** Each is idempotent: done twice, it changes nothing the second time. */
export type DeployStep =
  | { readonly kind: "upload"; readonly isNew: boolean; readonly secrets: readonly SecretName[] }
  /** `worker` is null for a route that leaves a name to its own record. */
  | { readonly kind: "route"; readonly pattern: string; readonly worker: string | null }
  /** A proxied record without an origin: the Worker answers. */
  | { readonly kind: "record"; readonly name: string };

/** A reason why nothing is done, and what would work. */
type DeployRefusal = { readonly message: string; readonly hint: string };

export type DeployPlan = {
  readonly refusals: readonly DeployRefusal[];
  readonly steps: readonly DeployStep[];
  /** What is as it should be. */
  readonly kept: readonly string[];
  /** What the operator should know before. */
  readonly notes: readonly string[];
  /** What deploy will have made after the last step. */
  readonly made: MadeHere;
};

/** The address of records without an origin: the discard prefix of RFC 6666. */
export const originlessAddress = "100::";

/** Types of records that determine where requests for a name go. */
const addressTypes: ReadonlySet<string> = new Set(["A", "AAAA", "CNAME"]);

/** Routes that leave names to their own records. A zone may have 1,000 routes in all. */
const maxExemptions = 100;

/** The mark of records that deploy has made. */
export function recordMark({ name }: Pick<DeploySettings, "name">): string {
  return `made by waggle deploy for the mesh ${name}`;
}

type DeployOptions = {
  /** True if existing tokens are replaced. */
  readonly newTokens?: boolean;
  /** True if an earlier release may replace a later one. */
  readonly downgrade?: boolean;
  /** Absent: no mesh runs. */
  readonly releases?: Releases;
};

export function planDeployment(
  settings: DeploySettings,
  made: MadeHere,
  found: FoundParts,
  { newTokens = false, downgrade = false, releases }: DeployOptions = {},
): DeployPlan {
  const { worker } = found;
  const refusals = [
    ...workerRefusals(settings, found),
    ...(downgrade ? [] : releaseRefusals(releases)),
    ...zoneRefusals(settings, found),
  ];
  if (refusals.length > 0) return { refusals, steps: [], kept: [], notes: [], made };
  const secrets = secretNames.filter((name) => newTokens || worker?.secrets.includes(name) !== true);
  const upload: DeployStep = { kind: "upload", isNew: worker === null, secrets };
  const madeWorker = made.worker || worker === null;
  const exempt = exemptNames(settings, found);
  const records = wantedNames(settings);
  const routes = [
    ...exempt.map((name) => ({ kind: "route", pattern: `${name}/*`, worker: null }) as const),
    ...records.map((name) => ({ kind: "route", pattern: `${name}/*`, worker: settings.name }) as const),
  ];
  const missingRoutes = routes.filter(
    ({ pattern }) => !found.routes.some((route) => route.pattern === pattern),
  );
  const missingRecords = records.filter((name) => recordsAt(found, name).length === 0);
  return {
    refusals,
    // A name is published after its route exists, and the wildcard's route after those that leave names out.
    steps: [upload, ...missingRoutes, ...missingRecords.map((name) => ({ kind: "record", name }) as const)],
    kept: [
      ...routes.filter((route) => !missingRoutes.includes(route)).map(({ pattern }) => `route ${pattern}`),
      ...records.filter((name) => !missingRecords.includes(name)).map((name) => `DNS record ${name}`),
    ],
    notes: [...notesOf(settings, exempt), ...releaseNotes(releases)],
    made: {
      worker: madeWorker,
      routes: [...new Set([...made.routes, ...missingRoutes.map(({ pattern }) => pattern)])],
    },
  };
}

/** The names that lead to the mesh: the control API's, and any below the domain. */
function wantedNames({ controlHost, domain }: DeploySettings): readonly string[] {
  return [...(controlHost === null ? [] : [controlHost]), ...(domain === null ? [] : [`*.${domain}`])];
}

/** True for a record that leads to a Worker's route, and to no other Worker's custom domain. */
export function isRouteRecord({ type, content, proxied, meta }: DnsRecord): boolean {
  const isOriginless = type === "AAAA" && content === originlessAddress && proxied === true;
  return isOriginless && meta?.origin_worker_id === undefined;
}

function recordsAt({ records }: FoundParts, name: string): readonly DnsRecord[] {
  return records.filter((record) => record.name === name && addressTypes.has(record.type));
}

/**
 * Names below the domain with a proxied record of somebody else, such as www or a node. The wildcard's route
 * would take them: a more specific one without a Worker leaves them where they are.
 */
function exemptNames(settings: DeploySettings, { records, routes }: FoundParts): readonly string[] {
  const wanted = new Set(wantedNames(settings));
  const names = records
    .filter(
      ({ name, type, proxied }) =>
        addressTypes.has(type) && proxied === true && name.endsWith(`.${settings.domain}`),
    )
    .map(({ name }) => name)
    .filter((name) => !wanted.has(name))
    // Another Worker has it, or its owner has turned Workers off.
    .filter((name) => !routes.some(({ pattern, script }) => pattern === `${name}/*` && script));
  return [...new Set(names)].sort();
}

function workerRefusals(
  { name, zone, account }: DeploySettings,
  { worker, workersDev }: FoundParts,
): DeployRefusal[] {
  const other = `choose another name with --name, or delete that Worker`;
  const { MESH_NAME: meshName = "" } = worker?.variables ?? {};
  return [
    ...(worker !== null && !worker.isWaggle
      ? [{ message: `the account has a Worker ${name} that is not a mesh`, hint: other }]
      : []),
    ...(worker?.isWaggle === true && meshName !== name
      ? [{ message: `the Worker ${name} is the mesh "${meshName}"`, hint: other }]
      : []),
    ...(zone === null && workersDev === null
      ? [
          {
            message: "the account has no subdomain of workers.dev yet",
            hint: `register one at https://dash.cloudflare.com/${account}/workers/subdomain, or use a zone with --zone`,
          },
        ]
      : []),
  ];
}

function releaseRefusals(releases: Releases | undefined): DeployRefusal[] {
  if (releases === undefined || !isDowngrade(releases)) return [];
  return [
    {
      message: `the mesh runs waggle ${releases.running}, which is newer than this package, ${releases.own}`,
      hint: "get that release or a later one; to go back to this one, read docs/rollback.md and give --downgrade",
    },
  ];
}

function releaseNotes(releases: Releases | undefined): readonly string[] {
  if (releases === undefined) return [];
  const { running, own } = releases;
  if (running === null)
    return [
      "the release that runs is unknown, because the mesh does not answer or its operator token is not known here: it must not be newer than this package",
    ];
  return running === own ? [] : [`waggle ${running} runs now, and ${own} is deployed`];
}

function zoneRefusals(settings: DeploySettings, found: FoundParts): DeployRefusal[] {
  const { zone: name, account } = settings;
  const { zone } = found;
  if (name === null) return [];
  if (zone === null)
    return [
      {
        message: `the token sees no zone ${name}`,
        hint: "add the zone to the account, or to the zone resources of the token",
      },
    ];
  if (zone.account.id !== account)
    return [
      {
        message: `the zone ${name} is in another account, ${zone.account.name ?? zone.account.id}`,
        hint: `give --account ${zone.account.id}, or a zone of the account ${account}`,
      },
    ];
  if (zone.status !== undefined && zone.status !== "active")
    return [
      {
        message: `the zone ${name} is ${zone.status}, not active`,
        hint: "set Cloudflare's name servers at its registrar, and wait until the dashboard shows it as active",
      },
    ];
  return [
    ...recordRefusals(settings, found),
    ...routeRefusals(settings, found),
    ...exemptionRefusals(settings, found),
  ];
}

function recordRefusals(settings: DeploySettings, found: FoundParts): DeployRefusal[] {
  return wantedNames(settings).flatMap((name) => {
    const other = recordsAt(found, name).find((record) => !isRouteRecord(record));
    if (other === undefined) return [];
    const { type, content = "", proxied } = other;
    const flag = name.startsWith("*.") ? "--domain" : "--control-host";
    return [
      {
        message: `${name} has a DNS record already: ${type} ${content}${proxied === true ? "" : ", not proxied"}`,
        hint: `delete it if nothing needs it, or choose another name with ${flag}`,
      },
    ];
  });
}

function routeRefusals(settings: DeploySettings, { routes }: FoundParts): DeployRefusal[] {
  const patterns = new Set(wantedNames(settings).map((name) => `${name}/*`));
  return routes
    .filter(({ pattern, script }) => patterns.has(pattern) && script !== settings.name)
    .map(({ pattern, script }) => ({
      message: `the route ${pattern} ${script ? `belongs to the Worker ${script}` : "turns Workers off"}`,
      hint: `delete it if nothing needs it, or choose another name with ${pattern.startsWith("*.") ? "--domain" : "--control-host"}`,
    }));
}

function exemptionRefusals(settings: DeploySettings, found: FoundParts): DeployRefusal[] {
  const { length } = exemptNames(settings, found);
  if (length <= maxExemptions) return [];
  return [
    {
      message: `${length} names below ${settings.domain} have records of their own, and at most ${maxExemptions} can be left out`,
      hint: `choose a domain without such names: --domain apps.${settings.zone}`,
    },
  ];
}

function notesOf({ zone, domain, plan }: DeploySettings, exempt: readonly string[]): readonly string[] {
  return [
    ...(zone === null
      ? [
          "at workers.dev the mesh has one host name: its requests go to the default service and to services with path rules",
        ]
      : []),
    ...(exempt.length === 0
      ? []
      : [
          `requests for ${listed(exempt)} go where they go now; deploy again after you add another proxied record`,
        ]),
    ...(domain !== zone && domain !== null
      ? [
          `Universal SSL does not cover *.${domain}: order a certificate for it (Advanced Certificate Manager), or use --domain ${zone}`,
        ]
      : []),
    ...(plan === "free" ? ["Workers Free: 100,000 requests a day, and 10 ms of CPU for each"] : []),
  ];
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 5).join(", ");
  return names.length <= 5 ? shown : `${shown} and ${names.length - 5} others`;
}

/** A part that destroy deletes. */
export type DestroyStep =
  | { readonly kind: "delete-record"; readonly id: string; readonly name: string }
  | { readonly kind: "delete-route"; readonly id: string; readonly pattern: string }
  | { readonly kind: "delete-worker"; readonly name: string };

export type DestroyPlan = {
  readonly refusals: readonly DeployRefusal[];
  readonly steps: readonly DestroyStep[];
  /** What others made, and stays. */
  readonly left: readonly string[];
};

/** Decides what to delete: only what deploy has made. */
export function planDestruction(settings: DeploySettings, made: MadeHere, found: FoundParts): DestroyPlan {
  const { name } = settings;
  const { worker, records, routes } = found;
  if (worker !== null && !worker.isWaggle)
    return { refusals: workerRefusals(settings, found).slice(0, 1), steps: [], left: [] };
  const ownRecords = records.filter(
    (record) => record.comment === recordMark(settings) && isRouteRecord(record),
  );
  const ownRoutes = routes.filter((route) => isMadeRoute(route, made, settings));
  const isMadeWorker = worker !== null && made.worker;
  return {
    refusals: [],
    // The reverse of a deployment. Routes of the mesh go before those that leave names out.
    steps: [
      ...ownRecords.map((record) => ({ kind: "delete-record", id: record.id, name: record.name }) as const),
      ...ownRoutes
        .toSorted((a, b) => Number(!a.script) - Number(!b.script))
        .map(({ id, pattern }) => ({ kind: "delete-route", id, pattern }) as const),
      ...(isMadeWorker ? [{ kind: "delete-worker", name } as const] : []),
    ],
    left: [
      ...wantedNames(settings).flatMap((wanted) =>
        recordsAt(found, wanted)
          .filter((record) => !ownRecords.includes(record))
          .map(
            ({ type, content = "" }) =>
              `DNS record ${wanted} (${type} ${content}): deploy did not make it like this`,
          ),
      ),
      ...routes
        .filter((route) => route.script === name && !ownRoutes.includes(route))
        .map(({ pattern }) => `route ${pattern} to ${name}: deploy did not make it`),
      ...(worker !== null && !isMadeWorker
        ? [`Worker ${name}: it existed before the first deploy; "npx wrangler delete ${name}" deletes it`]
        : []),
    ],
  };
}

/** A route that has been changed since is somebody else's. */
function isMadeRoute(
  { pattern, script }: WorkerRoute,
  { routes }: MadeHere,
  settings: DeploySettings,
): boolean {
  if (!routes.includes(pattern)) return false;
  const isWanted = wantedNames(settings).some((name) => pattern === `${name}/*`);
  return isWanted ? script === settings.name : !script;
}
