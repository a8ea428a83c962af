// Plans of deployments: from settings and from what exists to steps.

import { expect, test } from "vitest";
import type { DnsRecord, FoundParts, FoundWorker, WorkerRoute } from "../../../../src/cli/deploy/account.ts";
import { planDestruction } from "../../../../src/cli/deploy/destroy-plan.ts";
import { meshWorkers } from "../../../../src/cli/deploy/mesh-workers.ts";
import { type DeployPlan, deploymentRefusals, planDeployment } from "../../../../src/cli/deploy/plan.ts";
import { destroyStepText, stepText } from "../../../../src/cli/deploy/report.ts";
import { type DeploySettings, nothingMade } from "../../../../src/cli/deploy/settings.ts";

const account = "0123456789abcdef0123456789abcdef";

const settings: DeploySettings = {
  form: "single",
  account,
  name: "waggle",
  zone: "example.com",
  domain: "example.com",
  controlHost: "waggle.example.com",
  location: "weur",
  plan: "paid",
};
const split: DeploySettings = { ...settings, form: "split" };

const zone = { id: "z", name: "example.com", status: "active", account: { id: account } };
const nothing: FoundParts = { workers: new Map(), workersDev: null, zone, records: [], routes: [] };
const mesh: FoundWorker = {
  isWaggle: true,
  hasRegistry: true,
  variables: { MESH_NAME: "waggle" },
  secrets: ["OPERATOR_TOKEN", "VIEWER_TOKEN"],
  hasCpuLimit: true,
  isOnWorkersDev: false,
  versions: "v1",
  fingerprint: "before",
};
const client: FoundWorker = { ...mesh, hasRegistry: false };

/** The account's Workers: the mesh as one. */
function workersOf(worker: FoundWorker): Pick<FoundParts, "workers"> {
  return { workers: new Map([["waggle", worker]]) };
}

/** All Workers of the split form, with changes of some. */
function splitWorkers(changes: Readonly<Record<string, Partial<FoundWorker> | null>> = {}) {
  const all = meshWorkers(split).map(({ role, name }) => {
    const { [role]: change = {} } = changes;
    return [name, change && { ...(role === "objects" ? mesh : client), ...change }] as const;
  });
  return { workers: new Map(all.flatMap(([name, worker]) => (worker === null ? [] : [[name, worker]]))) };
}

/** The fingerprints of this package: all Workers have changed but those of the given roles. */
function fingerprintsOf({ form }: DeploySettings, unchanged: readonly string[] = []): Map<string, string> {
  return new Map(
    meshWorkers({ ...settings, form }).map(({ name, role }) => [
      name,
      unchanged.includes(role) ? "before" : "after",
    ]),
  );
}

function recordOf(name: string, fields: Partial<DnsRecord> = {}): DnsRecord {
  return { id: `id-${name}`, name, type: "AAAA", content: "100::", proxied: true, comment: null, ...fields };
}

function madeRecord(name: string, fields: Partial<DnsRecord> = {}): DnsRecord {
  return recordOf(name, { comment: "made by waggle deploy for the mesh waggle", ...fields });
}

function routeTo(pattern: string, script?: string): WorkerRoute {
  return { id: `id-${pattern}`, pattern, ...(script !== undefined && { script }) };
}

function plan(
  found: Partial<FoundParts>,
  changes: Partial<DeploySettings> = {},
  unchanged: readonly string[] = [],
): DeployPlan {
  const all = { ...settings, ...changes };
  return planDeployment(all, nothingMade, { ...nothing, ...found }, fingerprintsOf(all, unchanged));
}

function refusals(found: Partial<FoundParts>, changes: Partial<DeploySettings> = {}) {
  return deploymentRefusals({ ...settings, ...changes }, { ...nothing, ...found });
}

function stepsOf(planned: DeployPlan): string[] {
  return planned.steps.map((step) => stepText(step, planned).replace(/\s+/g, " "));
}

test("[L141] a first deployment creates Worker and secrets, then routes, then the names that lead to them", () => {
  const first = plan({});
  expect(refusals({})).toEqual([]);
  expect(stepsOf(first)).toEqual([
    "create Worker waggle, with new secrets OPERATOR_TOKEN and VIEWER_TOKEN",
    "create route waggle.example.com/* to waggle",
    "create route *.example.com/* to waggle",
    "create DNS record waggle.example.com (AAAA 100::, proxied)",
    "create DNS record *.example.com (AAAA 100::, proxied)",
  ]);
  expect(first.made).toEqual({ workers: ["waggle"], routes: ["waggle.example.com/*", "*.example.com/*"] });
});

const completeNames = {
  records: [madeRecord("waggle.example.com"), madeRecord("*.example.com")],
  routes: [routeTo("waggle.example.com/*", "waggle"), routeTo("*.example.com/*", "waggle")],
};

test("[L141] a deployment that is complete is an upload alone", () => {
  const complete = { ...workersOf(mesh), ...completeNames };
  expect(stepsOf(plan(complete))).toEqual(["deploy Worker waggle, this release"]);
  expect(plan(complete).made).toEqual(nothingMade);
  expect(stepsOf(plan({ ...complete, ...workersOf({ ...mesh, secrets: ["OPERATOR_TOKEN"] }) }))).toEqual([
    "deploy Worker waggle, this release, with new secrets VIEWER_TOKEN",
  ]);
  const { steps, newSecrets } = planDeployment(
    settings,
    nothingMade,
    { ...nothing, ...complete },
    fingerprintsOf(settings),
    { newTokens: true },
  );
  const [worker] = meshWorkers(settings);
  expect(steps).toEqual([{ kind: "upload", worker, isNew: false, secrets: newSecrets }]);
  expect(newSecrets).toEqual(["OPERATOR_TOKEN", "VIEWER_TOKEN"]);
});

const splitNames = {
  records: completeNames.records,
  routes: [
    routeTo("waggle.example.com/*", "waggle-control"),
    routeTo("*-nodes.example.com/*", "waggle-ingress"),
    routeTo("*.example.com/*", "waggle-edge"),
  ],
};

test("[L182] in the split form the objects come first, then control, edge and ingress, each with its route", () => {
  expect(stepsOf(plan({}, split))).toEqual([
    "create Worker waggle-objects, with new secrets OPERATOR_TOKEN and VIEWER_TOKEN",
    "create Worker waggle-control, with new secrets OPERATOR_TOKEN and VIEWER_TOKEN",
    "create Worker waggle-edge, with new secrets OPERATOR_TOKEN and VIEWER_TOKEN",
    "create Worker waggle-ingress, with new secrets OPERATOR_TOKEN and VIEWER_TOKEN",
    "create route waggle.example.com/* to waggle-control",
    "create route *-nodes.example.com/* to waggle-ingress",
    "create route *.example.com/* to waggle-edge",
    "create DNS record waggle.example.com (AAAA 100::, proxied)",
    "create DNS record *.example.com (AAAA 100::, proxied)",
  ]);
  // No host name leads to a node at workers.dev.
  const site = { ...split, zone: null, domain: null, controlHost: null };
  expect(plan({ zone: null, workersDev: "acme" }, site).made.workers).toEqual([
    "waggle-objects",
    "waggle-control",
    "waggle-edge",
  ]);
});

test("[L183] a Worker whose code and configuration are those of its last deployment is left alone, in both forms", () => {
  const found = { ...splitWorkers(), ...splitNames };
  const all = ["objects", "control", "edge", "ingress"];
  const dashboard = plan(found, split, ["objects", "edge", "ingress"]);
  expect(stepsOf(dashboard)).toEqual(["deploy Worker waggle-control, this release"]);
  expect(dashboard.kept).toContain("Worker waggle-objects: unchanged");
  expect(dashboard.notes).toContain("the registry keeps running: agents stay connected");
  const schema = plan(found, split, ["control", "edge", "ingress"]);
  expect(stepsOf(schema)).toEqual(["deploy Worker waggle-objects, this release"]);
  expect(schema.notes.join()).toContain("the registry starts again within 300 s");
  expect(plan(found, split, all).steps).toEqual([]);
  expect(plan({ ...workersOf(mesh), ...completeNames }, {}, ["mesh"]).steps).toEqual([]);
  // A version that deploy has not made: a rollback by hand, an edit in the dashboard, two versions at once.
  const edited = { ...splitWorkers({ edge: { fingerprint: null } }), ...splitNames };
  expect(stepsOf(plan(edited, split, all))).toEqual(["deploy Worker waggle-edge, this release"]);
});

test("[L184] a Worker that lacks the operator token gets the one that this machine knows; without it nothing is done", () => {
  const found = { ...nothing, ...splitWorkers({ edge: null }), ...splitNames };
  const fingerprints = fingerprintsOf(split, ["objects", "control", "ingress"]);
  const known = planDeployment(split, nothingMade, found, fingerprints, { knowsToken: true });
  expect(known.newSecrets).toEqual(["VIEWER_TOKEN"]);
  expect(stepsOf(known)).toContain(
    "create Worker waggle-edge, with new secrets VIEWER_TOKEN, with the mesh's OPERATOR_TOKEN",
  );
  expect(known.notes.join()).toContain("the viewer's token is replaced");
  expect(deploymentRefusals(split, found, { knowsToken: true })).toEqual([]);
  const [refusal] = deploymentRefusals(split, found);
  expect(refusal?.message).toBe(
    "waggle-edge of the mesh waggle lacks the operator token, and this machine does not know it",
  );
  expect(deploymentRefusals(split, found, { newTokens: true })).toEqual([]);
  const { steps, newSecrets } = planDeployment(split, nothingMade, found, fingerprints, { newTokens: true });
  expect([steps.length, newSecrets]).toEqual([4, ["OPERATOR_TOKEN", "VIEWER_TOKEN"]]);
});

test("[L185] a registry is not moved between the forms: the refusal says how to get to the other one", () => {
  const [one] = refusals(workersOf(mesh), split);
  expect(one?.message).toBe(
    "the registry of the mesh waggle is in the Worker waggle, as in the form single, and deploy moves no registry",
  );
  expect(one?.hint).toContain("waggle backup");
  const [four] = refusals(splitWorkers());
  expect(four?.message).toContain("is in the Worker waggle-objects, as in the form split");
  // Before there was a Worker for the objects, the control Worker had them.
  const [early] = refusals(splitWorkers({ objects: null, control: { hasRegistry: true } }), split);
  expect(early?.message).toContain("is in the Worker waggle-control, as an earlier release had it");
  // Another Worker with the name of the mesh is not in the way.
  expect(refusals(workersOf({ ...mesh, isWaggle: false, hasRegistry: false }), split)).toEqual([]);
  expect(refusals(splitWorkers(), split)).toEqual([]);
});

test("[L182] to go back to an earlier release the objects are deployed last", () => {
  const found = { ...nothing, ...splitWorkers(), ...splitNames };
  const releases = { running: "0.3.0", own: "0.2.0" };
  const back = planDeployment(split, nothingMade, found, fingerprintsOf(split), { releases });
  expect(stepsOf(back).map((text) => text.replace(", this release", ""))).toEqual([
    "deploy Worker waggle-ingress",
    "deploy Worker waggle-edge",
    "deploy Worker waggle-control",
    "deploy Worker waggle-objects",
  ]);
});

test("[L187] destroy deletes the Worker with the registry last, and only Workers that deploy has made", () => {
  const made = { workers: meshWorkers(split).map(({ name }) => name), routes: ["*-nodes.example.com/*"] };
  const all = planDestruction(split, made, { ...nothing, ...splitWorkers(), ...splitNames });
  expect(all.steps.map((step) => destroyStepText(step).replace(/\s+/g, " "))).toEqual([
    "delete DNS record waggle.example.com",
    "delete DNS record *.example.com",
    "delete route *-nodes.example.com/*",
    "delete Worker waggle-ingress",
    "delete Worker waggle-edge",
    "delete Worker waggle-control",
    "delete Worker waggle-objects, with the registry: all services, nodes and secrets of the mesh",
  ]);
  expect(all.left).toEqual([
    "route waggle.example.com/* to waggle-control: deploy did not make it",
    "route *.example.com/* to waggle-edge: deploy did not make it",
  ]);
  const kept = planDestruction(split, nothingMade, { ...nothing, ...splitWorkers() });
  expect([kept.steps, kept.left.length]).toEqual([[], 4]);
  const stranger = { ...nothing, ...splitWorkers({ edge: { isWaggle: false } }) };
  expect(planDestruction(split, made, stranger).refusals[0]?.message).toContain("waggle-edge that is not");
});

test("[L142] names with a proxied record of their own keep it: nodes, www, other wildcards", () => {
  const records = [
    recordOf("www.example.com", { type: "A", content: "192.0.2.1" }),
    recordOf("node1.example.com", { type: "CNAME", content: "host.example.net" }),
    recordOf("node2.example.com", { type: "A", content: "192.0.2.2", proxied: false }),
    recordOf("*.dev.example.com", { type: "A", content: "192.0.2.3" }),
    recordOf("mail.example.com", { type: "MX", content: "mx.example.net", proxied: false }),
    recordOf("example.com", { type: "A", content: "192.0.2.1" }),
    recordOf("shop.example.com", { content: "100::", meta: { origin_worker_id: "shop" } }),
    recordOf("api.example.com", { type: "A", content: "192.0.2.4" }),
  ];
  const found = plan({ records, routes: [routeTo("api.example.com/*", "other")] });
  const exempt = found.steps.flatMap((step) =>
    step.kind === "route" && step.worker === null ? [step.pattern] : [],
  );
  expect(exempt).toEqual([
    "*.dev.example.com/*",
    "node1.example.com/*",
    "shop.example.com/*",
    "www.example.com/*",
  ]);
  // Before the wildcard takes them.
  const routes = found.steps.flatMap((step) => (step.kind === "route" ? [step.pattern] : []));
  expect(routes.slice(-2)).toEqual(["waggle.example.com/*", "*.example.com/*"]);
  expect(found.notes.join("\n")).toContain("www.example.com go where they go now");
});

test("[L142] names that are left out stay so in a later deployment, and too many are refused", () => {
  const records = [recordOf("www.example.com", { type: "A", content: "192.0.2.1" })];
  const again = plan({ ...workersOf(mesh), records, routes: [routeTo("www.example.com/*")] });
  expect(again.kept).toContain("route www.example.com/*");
  const many = Array.from({ length: 101 }, (_, n) =>
    recordOf(`site${n}.example.com`, { type: "A", content: "192.0.2.1" }),
  );
  expect(refusals({ records: many })[0]?.hint).toContain("--domain apps.example.com");
  expect(refusals({ records: many }, { domain: "apps.example.com" })).toEqual([]);
});

test.each<[string, Partial<FoundParts>, Partial<DeploySettings>, string]>([
  [
    "a Worker that is no mesh",
    workersOf({ ...mesh, isWaggle: false }),
    {},
    "a Worker waggle that is not a mesh's",
  ],
  [
    "another mesh",
    workersOf({ ...mesh, variables: { MESH_NAME: "other" } }),
    {},
    'the Worker waggle is of the mesh "other"',
  ],
  ["no zone", { zone: null }, {}, "the token sees no zone example.com"],
  [
    "a zone of another account",
    { zone: { ...zone, account: { id: "f".repeat(32), name: "Other" } } },
    {},
    "in another account, Other",
  ],
  [
    "an inactive zone",
    { zone: { ...zone, status: "pending" } },
    {},
    "the zone example.com is pending, not active",
  ],
  [
    "no workers.dev",
    { zone: null },
    { zone: null, domain: null, controlHost: null },
    "no subdomain of workers.dev yet",
  ],
  [
    "another target",
    { records: [recordOf("*.example.com", { type: "A", content: "192.0.2.1" })] },
    {},
    "*.example.com has a DNS record already: A 192.0.2.1",
  ],
  [
    "a record that is not proxied",
    { records: [recordOf("waggle.example.com", { proxied: false })] },
    {},
    "waggle.example.com has a DNS record already: AAAA 100::, not proxied",
  ],
  [
    "a record of deploy that was changed",
    { records: [madeRecord("waggle.example.com", { content: "2001:db8::1" })] },
    {},
    "AAAA 2001:db8::1",
  ],
  [
    "a custom domain of another Worker",
    { records: [recordOf("waggle.example.com", { meta: { origin_worker_id: "w" } })] },
    {},
    "waggle.example.com has a DNS record already",
  ],
  [
    "a route of another Worker",
    { routes: [routeTo("*.example.com/*", "other")] },
    {},
    "the route *.example.com/* belongs to the Worker other",
  ],
  [
    "a route without a Worker",
    { routes: [routeTo("waggle.example.com/*")] },
    {},
    "the route waggle.example.com/* turns Workers off",
  ],
])("[L143] %s is refused before anything is done, with what would work", (_, found, changes, message) => {
  const reasons = refusals(found, changes);
  expect(reasons.map((refusal) => refusal.message).join("\n")).toContain(message);
  expect(reasons.every(({ hint }) => hint !== "")).toBe(true);
});

test.each<[string | null, string, boolean]>([
  ["0.2.0", "0.1.0", true],
  ["0.1.10", "0.1.9", true],
  ["1.0.0", "0.9.9", true],
  ["0.2.0", "0.2.0-rc.1", true],
  ["0.2.0-rc.10", "0.2.0-rc.9", true],
  ["0.1.0", "0.1.0", false],
  ["0.1.0", "0.2.0", false],
  ["0.2.0-rc.1", "0.2.0", false],
  ["0.2.0-rc.1", "0.2.0-rc.2", false],
  ["29.1.3-ce", "0.1.0", true],
  ["a fork", "0.1.0", false],
  [null, "0.1.0", false],
])("[L170] over waggle %s, %s is a downgrade: %s", (running, own, isRefused) => {
  const releases = { running, own };
  const found = { ...nothing, ...workersOf(mesh) };
  const reasons = deploymentRefusals(settings, found, { releases });
  expect(reasons).toEqual(
    isRefused
      ? [
          {
            message: `the mesh runs waggle ${running}, which is newer than this package, ${own}`,
            hint: "get that release or a later one; to go back to this one, read docs/rollback.md and give --downgrade",
          },
        ]
      : [],
  );
  const { notes } = planDeployment(settings, nothingMade, found, fingerprintsOf(settings), { releases });
  if (running === null) expect(notes.join()).toContain("the release that runs is unknown");
  expect(deploymentRefusals(settings, found, { releases, downgrade: true })).toEqual([]);
});

test("[L144] a domain that Universal SSL does not cover, the Free plan and workers.dev are pointed out", () => {
  expect(plan({}, { domain: "apps.example.com" }).notes.join()).toContain(
    "Universal SSL does not cover *.apps.example.com",
  );
  expect(plan({}).notes).toEqual([]);
  expect(plan({}, { plan: "free" }).notes.join()).toContain("100,000 requests a day");
  const site = { zone: null, domain: null, controlHost: null };
  expect(plan({ zone: null, workersDev: "acme" }, site).notes.join()).toContain("one host name");
});

test("[L145] destroy deletes what deploy has made, in reverse order, and lists what it leaves", () => {
  const made = {
    workers: ["waggle"],
    routes: ["www.example.com/*", "waggle.example.com/*", "*.example.com/*"],
  };
  const found: FoundParts = {
    ...nothing,
    ...workersOf(mesh),
    records: [
      madeRecord("waggle.example.com"),
      madeRecord("*.example.com"),
      madeRecord("old.example.com", { comment: "made by waggle deploy for the mesh other" }),
      recordOf("www.example.com", { type: "A", content: "192.0.2.1" }),
    ],
    routes: [
      routeTo("www.example.com/*"),
      routeTo("*.example.com/*", "waggle"),
      routeTo("waggle.example.com/*", "waggle"),
      routeTo("extra.example.com/*", "waggle"),
      routeTo("off.example.com/*"),
    ],
  };
  const { steps, left } = planDestruction(settings, made, found);
  expect(steps.map((step) => destroyStepText(step).replace(/\s+/g, " "))).toEqual([
    "delete DNS record waggle.example.com",
    "delete DNS record *.example.com",
    "delete route *.example.com/*",
    "delete route waggle.example.com/*",
    "delete route www.example.com/*",
    "delete Worker waggle, with the registry: all services, nodes and secrets of the mesh",
  ]);
  expect(left).toEqual(["route extra.example.com/* to waggle: deploy did not make it"]);
});

test("[L145] what others made or changed stays: a record without the mark, a route that existed, an older Worker", () => {
  const found: FoundParts = {
    ...nothing,
    ...workersOf(mesh),
    records: [recordOf("waggle.example.com"), madeRecord("*.example.com", { content: "2001:db8::1" })],
    routes: [routeTo("waggle.example.com/*", "waggle"), routeTo("*.example.com/*", "other")],
  };
  const { steps, left } = planDestruction(settings, { workers: [], routes: ["*.example.com/*"] }, found);
  expect(steps).toEqual([]);
  expect(left.join("\n")).toContain("DNS record waggle.example.com (AAAA 100::)");
  expect(left.join("\n")).toContain("DNS record *.example.com (AAAA 2001:db8::1)");
  expect(left.join("\n")).toContain("route waggle.example.com/* to waggle");
  expect(left.join("\n")).toContain("Worker waggle: it existed before the first deploy");
  const other = planDestruction(
    settings,
    { workers: ["waggle"], routes: [] },
    { ...nothing, ...workersOf({ ...mesh, isWaggle: false }) },
  );
  expect(other.refusals[0]?.message).toContain("not a mesh");
});
