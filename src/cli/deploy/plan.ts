// Decides what a deployment has to do: from the settings and from what exists to steps, or to reasons against it.

import type { FoundParts, FoundWorker } from "./account.ts";
import {
  deployForms,
  isAtWorkersDev,
  type MeshWorker,
  meshWorkers,
  type SecretName,
  secretNames,
  workerName,
} from "./mesh-workers.ts";
import { isDowngrade, type Releases } from "./release-order.ts";
import type { DeploySettings, MadeHere } from "./settings.ts";
import { addressTypes, isRouteRecord, recordsAt, wantedNames, wantedRoutes } from "./zone-parts.ts";

/** Each is idempotent: done twice, it changes nothing the second time. */
export type DeployStep =
  | {
      readonly kind: "upload";
      readonly worker: MeshWorker;
      readonly isNew: boolean;
      /** Secrets to set; others of the Worker stay. */
      readonly secrets: readonly SecretName[];
    }
  /** Gives a Worker that is not uploaded its host name at workers.dev, or takes it. */
  | { readonly kind: "workers-dev"; readonly worker: MeshWorker; readonly isOn: boolean }
  /** `worker` is null for a route that leaves a name to its own record. */
  | { readonly kind: "route"; readonly pattern: string; readonly worker: string | null }
  /** A proxied record without an origin: the Worker answers. */
  | { readonly kind: "record"; readonly name: string };

/** A reason why nothing is done, and what would work. */
export type DeployRefusal = { readonly message: string; readonly hint: string };

export type DeployPlan = {
  readonly steps: readonly DeployStep[];
  /** What is as it should be. */
  readonly kept: readonly string[];
  /** What the operator should know before. */
  readonly notes: readonly string[];
  /** Secrets that get a new value; others of the steps get the one that this machine knows. */
  readonly newSecrets: readonly SecretName[];
  /** What deploy will have made after the last step. */
  readonly made: MadeHere;
};

/** Routes that leave names to their own records. A zone may have 1,000 routes in all. */
const maxExemptions = 100;

type DeployOptions = {
  /** True if existing tokens are replaced. */
  readonly newTokens?: boolean;
  /** True if an earlier release may replace a later one. */
  readonly downgrade?: boolean;
  /** Whether this machine knows the operator token of the mesh, as far as the mesh says. */
  readonly knowsToken?: boolean | "unchecked";
  /** Workers that the new secrets of an earlier deployment have not reached, because it failed. */
  readonly lacksSecrets?: readonly string[];
  /** Absent: no mesh runs. */
  readonly releases?: Releases;
};

/** The reasons against a deployment; nothing is done if there is one. */
export function deploymentRefusals(
  settings: DeploySettings,
  found: FoundParts,
  {
    newTokens = false,
    downgrade = false,
    knowsToken = false,
    lacksSecrets = [],
    releases,
  }: DeployOptions = {},
): readonly DeployRefusal[] {
  const ofRegistry = registryRefusals(settings, found);
  // Names that lead to that mesh are no reasons of their own.
  if (ofRegistry.length > 0) return ofRegistry;
  return [
    ...workerRefusals(settings, found),
    ...movedRefusals(settings, found),
    ...(newTokens || knowsToken !== false ? [] : secretRefusals(settings, found, lacksSecrets)),
    ...(downgrade ? [] : releaseRefusals(releases)),
    ...zoneRefusals(settings, found),
  ];
}

/**
 * The steps of a deployment that nothing is against.
 *
 * @param fingerprints of the Workers of this package, by their names
 */
export function planDeployment(
  settings: DeploySettings,
  made: MadeHere,
  found: FoundParts,
  fingerprints: ReadonlyMap<string, string>,
  { newTokens = false, knowsToken = false, lacksSecrets = [], releases }: DeployOptions = {},
): DeployPlan {
  const workers = meshWorkers(settings);
  const names = workers.map(({ name }) => name);
  const changes = new Map(
    secretNames.map((secret) => {
      const lacking = namesWithout(found, names, secret, lacksSecrets);
      const isKnown = secret === "OPERATOR_TOKEN" && knowsToken !== false;
      return [secret, secretChange(names, lacking, newTokens, isKnown)];
    }),
  );
  const uploads = workers.flatMap((worker): readonly (DeployStep & { kind: "upload" })[] => {
    const existing = found.workers.get(worker.name);
    const secrets = secretNames.filter((secret) => changes.get(secret)?.workers.has(worker.name));
    const isUnchanged =
      existing?.fingerprint != null && existing.fingerprint === fingerprints.get(worker.name);
    if (isUnchanged && secrets.length === 0) return [];
    return [{ kind: "upload", worker, isNew: existing === undefined, secrets }];
  });
  const uploaded = new Set(uploads.map(({ worker }) => worker.name));
  // An upload sets it as well, after the new version is served: it may have ended between the two.
  const switches = workers.flatMap((worker): readonly DeployStep[] => {
    const isOn = isAtWorkersDev(worker, settings);
    const now = found.workers.get(worker.name)?.isOnWorkersDev ?? isOn;
    return uploaded.has(worker.name) || now === isOn ? [] : [{ kind: "workers-dev", worker, isOn }];
  });
  const exempt = exemptNames(settings, found);
  const records = wantedNames(settings);
  const routes = [
    ...exempt.map((name) => ({ kind: "route", pattern: `${name}/*`, worker: null }) as const),
    ...wantedRoutes(settings).map((route) => ({ kind: "route", ...route }) as const),
  ];
  const missingRoutes = routes.filter(
    ({ pattern }) => !found.routes.some((route) => route.pattern === pattern),
  );
  const missingRecords = records.filter((name) => recordsAt(found, name).length === 0);
  return {
    // A name is published after its route exists, and the wildcard's route after those that leave names out.
    steps: [
      ...inReleaseOrder(uploads, releases),
      ...switches,
      ...missingRoutes,
      ...missingRecords.map((name) => ({ kind: "record", name }) as const),
    ],
    kept: [
      ...workers.filter(({ name }) => !uploaded.has(name)).map(({ name }) => `Worker ${name}: unchanged`),
      ...routes.filter((route) => !missingRoutes.includes(route)).map(({ pattern }) => `route ${pattern}`),
      ...records.filter((name) => !missingRecords.includes(name)).map((name) => `DNS record ${name}`),
    ],
    notes: [
      ...restartNotes(settings, found, uploads),
      ...notesOf(settings, exempt),
      ...secretNotes(settings, found, changes.get("VIEWER_TOKEN")),
      ...tokenNotes(changes.get("OPERATOR_TOKEN"), knowsToken),
      ...releaseNotes(releases),
    ],
    newSecrets: secretNames.filter((secret) => changes.get(secret)?.isNew),
    made: {
      workers: union(
        made.workers,
        uploads.filter(({ isNew }) => isNew).map(({ worker }) => worker.name),
      ),
      routes: union(
        made.routes,
        missingRoutes.map(({ pattern }) => pattern),
      ),
    },
  };
}

function union(names: readonly string[], others: readonly string[]): readonly string[] {
  return [...new Set([...names, ...others])];
}

/** The objects first; to go back to an earlier release last, which its clients were written for. */
function inReleaseOrder(
  uploads: readonly (DeployStep & { kind: "upload" })[],
  releases: Releases | undefined,
): readonly DeployStep[] {
  const isBack = releases !== undefined && isDowngrade(releases) && uploads.every(({ isNew }) => !isNew);
  return isBack ? uploads.toReversed() : uploads;
}

type SecretChange = {
  /** Names of the Workers that get the secret. */
  readonly workers: ReadonlySet<string>;
  readonly isNew: boolean;
};

/**
 * Which Workers get a secret. Cloudflare does not show its value: where one lacks it and the value is not known here,
 * all get a new one.
 */
function secretChange(
  names: readonly string[],
  lacking: readonly string[],
  newTokens: boolean,
  isKnown: boolean,
): SecretChange {
  if (newTokens || lacking.length === names.length) return { workers: new Set(names), isNew: true };
  if (lacking.length === 0) return { workers: new Set(), isNew: false };
  return { workers: new Set(isKnown ? lacking : names), isNew: !isKnown };
}

function namesWithout(
  { workers }: FoundParts,
  names: readonly string[],
  secret: SecretName,
  lacksSecrets: readonly string[],
): readonly string[] {
  return names.filter(
    (name) => lacksSecrets.includes(name) || workers.get(name)?.secrets.includes(secret) !== true,
  );
}

/** What is sealed under the current operator token cannot be read with a new one, which is made only on request. */
function secretRefusals(
  settings: DeploySettings,
  found: FoundParts,
  lacksSecrets: readonly string[],
): DeployRefusal[] {
  const names = meshWorkers(settings).map(({ name }) => name);
  const lacking = namesWithout(found, names, "OPERATOR_TOKEN", lacksSecrets);
  if (lacking.length === 0 || lacking.length === names.length) return [];
  return [
    {
      message: `${lacking.join(" and ")} of the mesh ${settings.name} ${lacking.length === 1 ? "lacks" : "lack"} the operator token, and this machine does not know it`,
      hint: "give it with WAGGLE_TOKEN, or make new tokens for all Workers of the mesh: waggle deploy --new-tokens",
    },
  ];
}

function secretNotes(
  settings: DeploySettings,
  { workers }: FoundParts,
  change: SecretChange | undefined,
): readonly string[] {
  const has = meshWorkers(settings).some(({ name }) => workers.get(name)?.secrets.includes("VIEWER_TOKEN"));
  return change?.isNew && has ? ["the viewer's token is replaced: viewers need the new one"] : [];
}

/** With a token of another mesh, some Workers would refuse the clients that the others accept. */
function tokenNotes(change: SecretChange | undefined, knowsToken: boolean | "unchecked"): readonly string[] {
  const isGiven = change !== undefined && !change.isNew && change.workers.size > 0;
  return isGiven && knowsToken === "unchecked"
    ? ["no Worker can check the operator token that this machine knows: it must be the one of the mesh"]
    : [];
}

/** What a deployment does to the registry of a mesh that runs. */
function restartNotes(
  settings: DeploySettings,
  { workers }: FoundParts,
  uploads: readonly (DeployStep & { kind: "upload" })[],
): readonly string[] {
  const ofRegistry = uploads.find(({ worker: { role } }) => role === "mesh" || role === "objects");
  if (ofRegistry?.isNew)
    return meshWorkers(settings).some(({ name }) => workers.has(name))
      ? [
          `the registry is new and empty: there is no Worker ${ofRegistry.worker.name} any more, which had it. Restore a backup (waggle restore)`,
        ]
      : [];
  if (ofRegistry !== undefined)
    return [
      "the registry starts again within 300 s: agents dial again, requests go on, and connections that follow events or logs end",
    ];
  return settings.form === "split" && uploads.length > 0
    ? ["the registry keeps running: agents stay connected"]
    : [];
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

function workerRefusals(settings: DeploySettings, found: FoundParts): DeployRefusal[] {
  const { zone, account } = settings;
  return [
    ...meshWorkers(settings).flatMap(({ name }) => strangerRefusals(settings, name, found.workers.get(name))),
    ...(zone === null && found.workersDev === null
      ? [
          {
            message: "the account has no subdomain of workers.dev yet",
            hint: `register one at https://dash.cloudflare.com/${account}/workers/subdomain, or use a zone with --zone`,
          },
        ]
      : []),
  ];
}

/** A Worker that has a name of the mesh's, and is not the mesh's. */
export function strangerRefusals(
  { name: meshName }: DeploySettings,
  name: string,
  worker: FoundWorker | undefined,
): DeployRefusal[] {
  const hint = "choose another name with --name, or delete that Worker";
  if (worker === undefined) return [];
  if (!worker.isWaggle) return [{ message: `the account has a Worker ${name} that is not a mesh's`, hint }];
  const { MESH_NAME: other = "" } = worker.variables;
  return other === meshName ? [] : [{ message: `the Worker ${name} is of the mesh "${other}"`, hint }];
}

/**
 * A registry stays in the Worker that it was created in. Cloudflare can transfer its class to another one, but not
 * back by a rollback, and the other Worker begins with an empty registry if the transfer is left out.
 */
function registryRefusals({ form, name }: DeploySettings, { workers }: FoundParts): DeployRefusal[] {
  const own = workerName({ form, name }, "objects");
  const others = [...workers].filter(
    ([worker, { hasRegistry, variables }]) => worker !== own && hasRegistry && variables.MESH_NAME === name,
  );
  return others.map(([holder]) => {
    const other = deployForms.find((one) => workerName({ form: one, name }, "objects") === holder);
    const move = `take a backup (waggle backup), deploy a mesh under another name (waggle deploy --name NEW --config NEW.json --form ${form}), and restore into it (waggle restore): docs/deploy.md`;
    return {
      message: `the registry of the mesh ${name} is in the Worker ${holder}, ${other === undefined ? "as an earlier release had it" : `as in the form ${other}`}, and deploy moves no registry`,
      hint: other === undefined ? move : `deploy with --form ${other}; to change the form, ${move}`,
    };
  });
}

/**
 * A mesh with other names than those of the settings: its services would stop answering at them. A mesh that has none,
 * such as one that was deployed by hand, may get some.
 */
function movedRefusals(settings: DeploySettings, { workers }: FoundParts): DeployRefusal[] {
  const { name, domain, controlHost, location } = settings;
  const wanted = [
    ["MESH_DOMAIN", "domain", domain],
    ["CONTROL_HOST", "control host", controlHost],
    ["REGISTRY_LOCATION", "location", location],
  ] as const;
  return wanted.flatMap(([variable, what, value]) => {
    const kept = meshWorkers(settings)
      .map((worker) => workers.get(worker.name))
      .filter((worker) => worker?.isWaggle === true && worker.variables.MESH_NAME === name)
      .map((worker) => worker?.variables[variable])
      .find((text) => text !== undefined && text !== "" && text !== value);
    if (kept === undefined) return [];
    return [
      {
        message: `the mesh ${name} has the ${what} ${kept}, not ${value ?? "none"}`,
        hint: "deploy with the waggle.deploy.json of its first deployment, or without that file and without flags for names: the answers are read from the mesh. Another mesh needs another --name",
      },
    ];
  });
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

/** A zone whose records and routes cannot be read, so that what leads to the mesh is unknown. */
export function unseenZoneRefusals(
  { zone: name, account }: DeploySettings,
  { zone }: Pick<FoundParts, "zone">,
): DeployRefusal[] {
  if (name === null) return [];
  if (zone === null)
    return [
      {
        message: `the token sees no zone ${name}`,
        hint: "add the zone to the account, or to the zone resources of the token",
      },
    ];
  if (zone.account.id === account) return [];
  return [
    {
      message: `the zone ${name} is in another account, ${zone.account.name ?? zone.account.id}`,
      hint: `give --account ${zone.account.id}, or a zone of the account ${account}`,
    },
  ];
}

function zoneRefusals(settings: DeploySettings, found: FoundParts): DeployRefusal[] {
  const { zone: name } = settings;
  const { zone } = found;
  const unseen = unseenZoneRefusals(settings, found);
  if (zone === null || unseen.length > 0) return unseen;
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
  const wanted = new Map(wantedRoutes(settings).map(({ pattern, worker }) => [pattern, worker]));
  return routes
    .filter(({ pattern, script }) => wanted.has(pattern) && script !== wanted.get(pattern))
    .map(({ pattern, script }) => ({
      message: `the route ${pattern} ${script ? `belongs to the Worker ${script}` : "turns Workers off"}`,
      hint: `delete it if nothing needs it, or choose another name with ${pattern.startsWith("*") ? "--domain" : "--control-host"}`,
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
          "at workers.dev all services have one host name: its requests go to the default service and to services with path rules",
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
