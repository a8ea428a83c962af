// Plans of deployments: from settings and from what exists to steps.

import { expect, test } from "vitest";
import type { DnsRecord, FoundParts, FoundWorker, WorkerRoute } from "../../../../src/cli/deploy/account.ts";
import { type DeployPlan, planDeployment, planDestruction } from "../../../../src/cli/deploy/plan.ts";
import { stepText } from "../../../../src/cli/deploy/report.ts";
import { type DeploySettings, nothingMade } from "../../../../src/cli/deploy/settings.ts";

const account = "0123456789abcdef0123456789abcdef";

const settings: DeploySettings = {
  account,
  name: "waggle",
  zone: "example.com",
  domain: "example.com",
  controlHost: "waggle.example.com",
  location: "weur",
  plan: "paid",
};

const zone = { id: "z", name: "example.com", status: "active", account: { id: account } };
const nothing: FoundParts = { worker: null, workersDev: null, zone, records: [], routes: [] };
const mesh: FoundWorker = {
  isWaggle: true,
  variables: { MESH_NAME: "waggle" },
  secrets: ["OPERATOR_TOKEN", "VIEWER_TOKEN"],
};

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
  made = nothingMade,
): DeployPlan {
  return planDeployment({ ...settings, ...changes }, made, { ...nothing, ...found });
}

function stepsOf({ steps }: DeployPlan): string[] {
  return steps.map((step) => stepText(settings, step).replace(/\s+/g, " "));
}

test("[L141] a first deployment creates Worker and secrets, then routes, then the names that lead to them", () => {
  const first = plan({});
  expect(first.refusals).toEqual([]);
  expect(stepsOf(first)).toEqual([
    "create Worker waggle, with new secrets OPERATOR_TOKEN and VIEWER_TOKEN",
    "create route waggle.example.com/* to waggle",
    "create route *.example.com/* to waggle",
    "create DNS record waggle.example.com (AAAA 100::, proxied)",
    "create DNS record *.example.com (AAAA 100::, proxied)",
  ]);
  expect(first.made).toEqual({ worker: true, routes: ["waggle.example.com/*", "*.example.com/*"] });
});

test("[L141] a deployment that is complete is an upload alone", () => {
  const complete = {
    worker: mesh,
    records: [madeRecord("waggle.example.com"), madeRecord("*.example.com")],
    routes: [routeTo("waggle.example.com/*", "waggle"), routeTo("*.example.com/*", "waggle")],
  };
  expect(stepsOf(plan(complete))).toEqual(["deploy Worker waggle, this release"]);
  expect(plan(complete).made).toEqual(nothingMade);
  expect(stepsOf(plan({ ...complete, worker: { ...mesh, secrets: ["OPERATOR_TOKEN"] } }))).toEqual([
    "deploy Worker waggle, this release, with new secrets VIEWER_TOKEN",
  ]);
  const { steps } = planDeployment(settings, nothingMade, { ...nothing, ...complete }, { newTokens: true });
  expect(steps).toEqual([{ kind: "upload", isNew: false, secrets: ["OPERATOR_TOKEN", "VIEWER_TOKEN"] }]);
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
  const again = plan({ worker: mesh, records, routes: [routeTo("www.example.com/*")] });
  expect(again.kept).toContain("route www.example.com/*");
  const many = Array.from({ length: 101 }, (_, n) =>
    recordOf(`site${n}.example.com`, { type: "A", content: "192.0.2.1" }),
  );
  expect(plan({ records: many }).refusals[0]?.hint).toContain("--domain apps.example.com");
  expect(plan({ records: many }, { domain: "apps.example.com" }).refusals).toEqual([]);
});

test.each<[string, Partial<FoundParts>, Partial<DeploySettings>, string]>([
  [
    "a Worker that is no mesh",
    { worker: { ...mesh, isWaggle: false } },
    {},
    "a Worker waggle that is not a mesh",
  ],
  [
    "another mesh",
    { worker: { ...mesh, variables: { MESH_NAME: "other" } } },
    {},
    'the Worker waggle is the mesh "other"',
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
  const { refusals, steps } = plan(found, changes);
  expect(steps).toEqual([]);
  expect(refusals.map((refusal) => refusal.message).join("\n")).toContain(message);
  expect(refusals.every(({ hint }) => hint !== "")).toBe(true);
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
  const { refusals, steps, notes } = planDeployment(
    settings,
    nothingMade,
    { ...nothing, worker: mesh },
    { releases },
  );
  expect([refusals.length, steps.length > 0]).toEqual(isRefused ? [1, false] : [0, true]);
  if (isRefused)
    expect(refusals[0]).toEqual({
      message: `the mesh runs waggle ${running}, which is newer than this package, ${own}`,
      hint: "get that release or a later one; to go back to this one, read docs/rollback.md and give --downgrade",
    });
  if (running === null) expect(notes.join()).toContain("the release that runs is unknown");
  const forced = planDeployment(
    settings,
    nothingMade,
    { ...nothing, worker: mesh },
    { releases, downgrade: true },
  );
  expect(forced.refusals).toEqual([]);
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
  const made = { worker: true, routes: ["www.example.com/*", "waggle.example.com/*", "*.example.com/*"] };
  const found: FoundParts = {
    ...nothing,
    worker: mesh,
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
  expect(steps.map((step) => `${step.kind} ${"name" in step ? step.name : step.pattern}`)).toEqual([
    "delete-record waggle.example.com",
    "delete-record *.example.com",
    "delete-route *.example.com/*",
    "delete-route waggle.example.com/*",
    "delete-route www.example.com/*",
    "delete-worker waggle",
  ]);
  expect(left).toEqual(["route extra.example.com/* to waggle: deploy did not make it"]);
});

test("[L145] what others made or changed stays: a record without the mark, a route that existed, an older Worker", () => {
  const found: FoundParts = {
    ...nothing,
    worker: mesh,
    records: [recordOf("waggle.example.com"), madeRecord("*.example.com", { content: "2001:db8::1" })],
    routes: [routeTo("waggle.example.com/*", "waggle"), routeTo("*.example.com/*", "other")],
  };
  const { steps, left } = planDestruction(settings, { worker: false, routes: ["*.example.com/*"] }, found);
  expect(steps).toEqual([]);
  expect(left.join("\n")).toContain("DNS record waggle.example.com (AAAA 100::)");
  expect(left.join("\n")).toContain("DNS record *.example.com (AAAA 2001:db8::1)");
  expect(left.join("\n")).toContain("route waggle.example.com/* to waggle");
  expect(left.join("\n")).toContain("Worker waggle: it existed before the first deploy");
  const other = planDestruction(
    settings,
    { worker: true, routes: [] },
    { ...nothing, worker: { ...mesh, isWaggle: false } },
  );
  expect(other.refusals[0]?.message).toContain("not a mesh");
});
