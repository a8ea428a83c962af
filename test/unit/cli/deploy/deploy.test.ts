// `waggle deploy` and `waggle destroy` against the stand-in for Cloudflare's API, with failures at each request.

import { EventEmitter } from "node:events";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import {
  type ApiFault,
  type ApiWorld,
  accountId,
  type CloudflareApiServer,
  emptyWorld,
  otherAccountId,
  startCloudflareApi,
  type UploadedWorker,
} from "../../../support/cloudflare-api/server.ts";
import { runCli } from "../support.ts";
import { type DeployTest, deployTest, exampleAnswers, runDeploy, runDestroy } from "./deploy-run.ts";

const wwwRecord = {
  id: "w".repeat(32),
  type: "A" as const,
  name: "www.example.com",
  content: "192.0.2.1",
  ttl: 1 as const,
  proxied: true,
};

/** A zone with a site of its own. */
function worldWithSite(): ApiWorld {
  const world = emptyWorld();
  world.zones[0]?.records.push(wwwRecord);
  return world;
}

async function withApi(
  world: ApiWorld,
  use: (run: DeployTest, api: CloudflareApiServer) => Promise<void>,
): Promise<void> {
  await using api = await startCloudflareApi(world);
  const run = deployTest(api);
  try {
    await use(run, api);
  } finally {
    rmSync(dirname(run.config), { recursive: true, force: true });
  }
}

/** What is deployed, without ids and secrets. */
function deployed({ zones, workers }: ApiWorld): unknown {
  const [zone] = zones;
  return {
    records: zone?.records
      .map(({ name, type, content, proxied, comment = "" }) =>
        [name, type, content, proxied, comment].join(" "),
      )
      .sort(),
    routes: zone?.routes.map(({ pattern, script = "" }) => `${pattern} ${script}`).sort(),
    workers: [...workers].map(([name, { secrets }]) => `${name} ${Object.keys(secrets).sort()}`),
  };
}

const wholeMesh = {
  records: [
    "*.example.com AAAA 100:: true made by waggle deploy for the mesh waggle",
    "waggle.example.com AAAA 100:: true made by waggle deploy for the mesh waggle",
    "www.example.com A 192.0.2.1 true ",
  ],
  routes: ["*.example.com/* waggle", "waggle.example.com/* waggle", "www.example.com/* "],
  workers: ["waggle OPERATOR_TOKEN,VIEWER_TOKEN"],
};
const noMesh = { records: ["www.example.com A 192.0.2.1 true "], routes: [], workers: [] };

function contextsOf({ env }: DeployTest): { path: string; token: () => string | undefined } {
  const path = join(env.HOME ?? "", ".config/waggle/contexts.json");
  return { path, token: () => JSON.parse(readFileSync(path, "utf8")).contexts.waggle?.token };
}

test("[L146] a deployment prints its plan, each step, and the next steps; destroy takes all of it back", async () => {
  await withApi(worldWithSite(), async (run, { world }) => {
    const { code, out } = await runDeploy(run);
    expect(out).toContain("  create  route www.example.com/* without a Worker");
    expect(out).toContain("done: create  DNS record *.example.com");
    expect(out).toContain("https://waggle.example.com/dashboard/");
    expect(out).toContain('docker context create waggle --docker "host=tcp://waggle.example.com:443,ca=');
    expect(out).toContain("waggle agent --join SWMTKN-1-abc-def https://waggle.example.com");
    expect(code).toBe(0);
    expect(deployed(world)).toEqual(wholeMesh);
    expect(await runDestroy(run, "--yes", "--name", "waggle")).toMatchObject({ code: 0, err: "" });
    expect(deployed(world)).toEqual(noMesh);
    expect(existsSync(run.config)).toBe(false);
  });
});

/** Dozens of runs on a busy machine. */
const manyRunsTimeoutMs = 60_000;

const faults: readonly Exclude<ApiFault, null>[] = [500, "reset", "lose"];

test.each(faults)(
  "[L147] a deployment that fails at any request (%s) is completed by the next one",
  { timeout: manyRunsTimeoutMs },
  async (fault) => {
    let requests = 0;
    await withApi(worldWithSite(), async (run, api) => {
      await runDeploy(run);
      requests = api.calls.length;
    });
    expect(requests).toBeGreaterThan(8);
    for (let failing = 0; failing < requests; failing += 1) {
      await withApi(worldWithSite(), async (run, api) => {
        api.fault = (number) => (number >= failing ? fault : null);
        const first = await runDeploy(run);
        expect(first.code, `request ${failing}`).not.toBe(0);
        api.fault = () => null;
        const second = await runDeploy(run);
        expect(second, `request ${failing}`).toMatchObject({ code: 0 });
        expect(deployed(api.world), `request ${failing}`).toEqual(wholeMesh);
        // The token that the user has is the mesh's.
        expect(contextsOf(run).token()).toBe(api.world.workers.get("waggle")?.secrets.OPERATOR_TOKEN);
        expect(await runDestroy(run, "--yes", "--name", "waggle")).toMatchObject({ code: 0 });
        expect(deployed(api.world), `request ${failing}`).toEqual(noMesh);
      });
    }
  },
);

test.each(faults)(
  "[L147] a destruction that fails at any request (%s) is completed by the next one",
  { timeout: manyRunsTimeoutMs },
  async (fault) => {
    for (let failing = 0; failing < 10; failing += 1) {
      await withApi(worldWithSite(), async (run, api) => {
        await runDeploy(run);
        const begun = api.calls.length;
        api.fault = (number) => (number >= begun + failing ? fault : null);
        const { code } = await runDestroy(run, "--yes", "--name", "waggle");
        expect(code, `request ${failing}`).toBe(3);
        api.fault = () => null;
        expect(await runDestroy(run, "--yes", "--name", "waggle"), `request ${failing}`).toMatchObject({
          code: 0,
        });
        expect(deployed(api.world)).toEqual(noMesh);
      });
    }
  },
);

test.each([429, 500, "reset", "lose"] as const)(
  "[L148] one failure of each request (%s) is repeated, and not noticed",
  async (fault) => {
    await withApi(worldWithSite(), async (run, api) => {
      const seen = new Set<string>();
      // Uploads are wrangler's, which has retries of its own.
      api.fault = (_, { method, path }) => {
        const isRepeated = seen.has(`${method} ${path}`) || method === "PUT";
        seen.add(`${method} ${path}`);
        return isRepeated ? null : fault;
      };
      expect(await runDeploy(run)).toMatchObject({ code: 0, err: "" });
      expect(deployed(api.world)).toEqual(wholeMesh);
    });
  },
);

test("[L147] Ctrl-C ends a deployment between two steps, and the next run completes it", async () => {
  await withApi(worldWithSite(), async (run, { world }) => {
    const stopping = new AbortController();
    const write = (text: string) => {
      if (text.startsWith("done: create  route www")) stopping.abort();
    };
    const interrupted = await runDeploy(run, exampleAnswers, {
      out: { write },
      onInterrupt: () => stopping.signal,
    });
    expect(interrupted).toMatchObject({ code: 130, err: expect.stringContaining("goes on from there") });
    expect(world.zones[0]?.routes).toHaveLength(1);
    expect(await runDeploy(run)).toMatchObject({ code: 0 });
    expect(deployed(world)).toEqual(wholeMesh);
  });
});

test("[L148] an API that stays unavailable ends the command after a bounded number of attempts", async () => {
  await withApi(emptyWorld(), async (run, api) => {
    api.fault = () => 429;
    const { code, err } = await runDeploy(run);
    expect(code).toBe(3);
    expect(err).toContain("in 5 attempts: status 429");
    expect(api.calls).toHaveLength(5);
    const offline = { ...run, env: { ...run.env, CLOUDFLARE_API_BASE_URL: "http://127.0.0.1:1/client/v4" } };
    expect((await runDeploy(offline)).err).toContain("cannot reach Cloudflare's API at http://127.0.0.1:1");
  });
});

test("[L149] a token that is missing, unknown, expired, or lacks a permission is named with what would work", async () => {
  await withApi(emptyWorld(), async (run, { world }) => {
    const missing = await runDeploy({ ...run, env: { ...run.env, CLOUDFLARE_API_TOKEN: "" } });
    expect(missing).toMatchObject({ code: 4 });
    expect(missing.err).toContain("Zone / DNS / Edit");
    expect(await runDeploy({ ...run, env: { ...run.env, CLOUDFLARE_API_TOKEN: "wrong" } })).toMatchObject({
      code: 4,
      err: expect.stringContaining("does not accept CLOUDFLARE_API_TOKEN"),
    });
    world.token.status = "expired";
    expect((await runDeploy(run)).err).toContain("CLOUDFLARE_API_TOKEN is expired");
    world.token.status = "active";
    const wanted = {
      "Account Settings / Read": "Account / Account Settings / Read",
      "Workers Scripts / Edit": "Account / Workers Scripts / Edit",
      "Zone / Read": "Zone / Zone / Read",
      "DNS / Edit": "Zone / DNS / Edit",
      "Workers Routes / Edit": "Zone / Workers Routes / Edit",
    } as const;
    for (const permission of Object.keys(wanted) as (keyof typeof wanted)[]) {
      world.token.permissions.delete(permission);
      const { code, err } = await runDeploy(run);
      expect(code).toBe(4);
      expect(err).toContain(`lacks the permission ${wanted[permission]}`);
      world.token.permissions.add(permission);
    }
    expect(deployed(world)).toEqual({ records: [], routes: [], workers: [] });
  });
});

test("[L170] a mesh that runs a newer release is not deployed over without --downgrade", async () => {
  await withApi(worldWithSite(), async (run, api) => {
    expect((await runDeploy(run)).code).toBe(0);
    run.release = "99.0.0";
    const before = api.world.workers.get("waggle");
    const refused = await runDeploy(run);
    expect(refused).toMatchObject({ code: 1, out: "" });
    expect(refused.err).toMatch(
      /^the mesh runs waggle 99\.0\.0, which is newer than this package, \S+\nget that release/,
    );
    expect(api.world.workers.get("waggle")).toBe(before);
    const forced = await runDeploy(run, { ...exampleAnswers, downgrade: true });
    expect([forced.code, forced.out]).toEqual([
      0,
      expect.stringContaining("note: waggle 99.0.0 runs now, and "),
    ]);
  });
});

test("[L150] answers are asked for once, and kept in a file without secrets", async () => {
  await withApi(worldWithSite(), async (run, api) => {
    const answers = ["", "single", "example.com", "", "", "nowhere", "weur", "paid", "y"];
    const { code, err, out } = await runDeploy(run, {}, { keys: terminal(answers) });
    expect({ code, err }).toMatchObject({ code: 0 });
    expect(err).toContain("the name of the mesh [waggle]: ");
    expect(err).toContain('"nowhere" is not one of wnam');
    expect(answers).toEqual([]);
    const text = readFileSync(run.config, "utf8");
    expect(JSON.parse(text)).toEqual({
      form: "single",
      account: accountId,
      name: "waggle",
      zone: "example.com",
      domain: "example.com",
      controlHost: "waggle.example.com",
      location: "weur",
      plan: "paid",
      made: { workers: ["waggle"], routes: ["www.example.com/*", "waggle.example.com/*", "*.example.com/*"] },
    });
    const { OPERATOR_TOKEN = "", VIEWER_TOKEN = "" } = api.world.workers.get("waggle")?.secrets ?? {};
    for (const token of [OPERATOR_TOKEN, VIEWER_TOKEN]) {
      expect(token).toMatch(/^[0-9a-f]{48}$/);
      expect(out).toContain(token);
      expect(text).not.toContain(token);
    }
    run.changes.set("mesh", 1);
    const again = await runDeploy(run, {}, { keys: terminal(["y"]) });
    expect(again).toMatchObject({ code: 0, err: "Go on? [Y/n] " });
    expect(again.out).not.toContain(OPERATOR_TOKEN);
    expect(again.out).toContain("update the agents");
  });
});

test.each([
  ["a question", ["", "", "example.com"], "the domain of the services"],
  ["the confirmation", ["", "", "example.com", "", "", "weur", "paid"], "Go on? [Y/n] "],
])("[L204] Ctrl-D at %s ends deploy with 130 before it changes anything", async (_, answers, asked) => {
  await withApi(emptyWorld(), async (run, { world }) => {
    const { code, err } = await runDeploy(run, {}, { keys: terminal(answers) });
    expect([code, err]).toEqual([130, expect.stringContaining(asked)]);
    expect(deployed(world)).toEqual({ records: [], routes: [], workers: [] });
    expect(existsSync(run.config)).toBe(false);
  });
});

test("[L204] Ctrl-C at the confirmation of deploy ends it with 130 before it changes anything", async () => {
  await withApi(emptyWorld(), async (run, { world }) => {
    const stopping = new AbortController();
    const keys = { ...terminal([]), resume: () => queueMicrotask(() => stopping.abort()) };
    const { yes: _, ...answers } = exampleAnswers;
    const flags = { ...answers, domain: "example.com", controlHost: "mesh.example.com" };
    const { code, err } = await runDeploy(run, flags, { keys, onInterrupt: () => stopping.signal });
    expect([code, err]).toEqual([130, "Go on? [Y/n] nothing was deployed\n"]);
    expect(deployed(world)).toEqual({ records: [], routes: [], workers: [] });
    expect(existsSync(run.config)).toBe(false);
  });
});

test("[L150] without a terminal a missing answer is named with its flag, and nothing is deployed", async () => {
  const world = emptyWorld();
  world.accounts.push({ id: otherAccountId, name: "Other" });
  await withApi(world, async (run, api) => {
    expect((await runDeploy(run)).err).toContain(
      `(Acme: ${accountId}; Other: ${otherAccountId}) is missing\ngive --account ID`,
    );
    const named = { account: accountId, name: "waggle" };
    const flags = { ...named, form: "single", zone: "example.com" } as const;
    expect((await runDeploy(run, { account: accountId })).err).toContain("give --name NAME");
    expect((await runDeploy(run, named)).err).toContain("give --form FORM, or --yes for the default, split");
    expect((await runDeploy(run, flags)).err).toContain(
      "give --domain DOMAIN, or --yes for the default, example.com",
    );
    const all = {
      ...flags,
      domain: "example.com",
      controlHost: "mesh.example.com",
      location: "weur",
      plan: "paid",
    } as const;
    expect((await runDeploy(run, all)).err).toContain("give --yes");
    const refusal = await runDeploy(run, { ...all, domain: "example.net" });
    expect(refusal).toMatchObject({
      code: 2,
      err: expect.stringContaining("example.net is not in the zone example.com"),
    });
    const dry = await runDeploy(run, { ...all, dryRun: true });
    expect(dry).toMatchObject({ code: 0, out: expect.stringContaining("create  Worker waggle") });
    expect(existsSync(run.config)).toBe(false);
    expect(deployed(api.world)).toEqual({ records: [], routes: [], workers: [] });
  });
});

test("[L151] a file is for one mesh: another name, zone or location is refused, another plan is not", async () => {
  await withApi(emptyWorld(), async (run) => {
    await runDeploy(run);
    expect((await runDeploy(run, { ...exampleAnswers, name: "other" })).err).toContain(
      "is for a mesh with the name waggle, not other",
    );
    expect((await runDeploy(run, { ...exampleAnswers, form: "split" })).err).toContain(
      "is for a mesh with the form single, not split",
    );
    expect((await runDeploy(run, { ...exampleAnswers, zone: "none" })).err).toContain(
      "with the zone example.com, not none",
    );
    expect((await runDeploy(run, { ...exampleAnswers, location: "enam" })).err).toContain(
      "with the location weur, not enam",
    );
    expect(await runDeploy(run, { ...exampleAnswers, plan: "free" })).toMatchObject({ code: 0 });
    expect(JSON.parse(readFileSync(run.config, "utf8")).plan).toBe("free");
  });
});

test("[L151] a file that cannot be read or written stops the command before the first change", async () => {
  await withApi(emptyWorld(), async (run, { world }) => {
    for (const [text, problem] of [
      ["{", "JSON"],
      ['{"name":"Not A Name"}', "not a name for a mesh"],
      ['{"zone":"example.com","domain":"example.net"}', "not in the zone"],
      ['{"token":"x"}', "token"],
      ['{"location":"mars"}', "location"],
    ] as const) {
      writeFileSync(run.config, text);
      expect(await runDeploy(run)).toMatchObject({ code: 2, err: expect.stringContaining(problem) });
    }
    const missing = { ...run, config: join(dirname(run.config), "no-folder/waggle.deploy.json") };
    expect(await runDeploy(missing)).toMatchObject({ code: 1, err: expect.stringContaining("cannot write") });
    expect(deployed(world)).toEqual({ records: [], routes: [], workers: [] });
  });
});

test("[L152] the operator token is stored in the user's contexts, and removed by destroy", async () => {
  await withApi(emptyWorld(), async (run, { world }) => {
    await runDeploy(run);
    const { token, path } = contextsOf(run);
    expect(token()).toBe(world.workers.get("waggle")?.secrets.OPERATOR_TOKEN);
    const old = token();
    expect(await runDeploy(run, { ...exampleAnswers, newTokens: true })).toMatchObject({ code: 0 });
    expect(token()).not.toBe(old);
    expect(token()).toBe(world.workers.get("waggle")?.secrets.OPERATOR_TOKEN);
    await runDestroy(run, "--yes", "--name", "waggle");
    expect(JSON.parse(readFileSync(path, "utf8"))).toEqual({ current: null, contexts: {} });
  });
});

test("[L152] the stored token is used again after an upload that failed", async () => {
  await withApi(emptyWorld(), async (run, api) => {
    api.fault = (_, { method }) => (method === "PUT" ? "reset" : null);
    expect(await runDeploy(run)).toMatchObject({ code: 1 });
    const shown = contextsOf(run).token();
    expect(shown).toMatch(/^[0-9a-f]{48}$/);
    api.fault = () => null;
    expect(await runDeploy(run)).toMatchObject({ code: 0 });
    expect(api.world.workers.get("waggle")?.secrets.OPERATOR_TOKEN).toBe(shown);
  });
});

test("[L152] a context of another mesh stays, and a token that the mesh refuses is reported", async () => {
  await withApi(emptyWorld(), async (run, { world }) => {
    const { path } = contextsOf(run);
    mkdirSync(dirname(path), { recursive: true });
    const contexts = {
      waggle: { url: "https://else.example.net", token: "mine", stateDir: null, description: "" },
    };
    writeFileSync(path, JSON.stringify({ current: "waggle", contexts }));
    expect(await runDeploy(run)).toMatchObject({ code: 0 });
    await runDestroy(run, "--yes", "--name", "waggle");
    expect(JSON.parse(readFileSync(path, "utf8"))).toEqual({ current: "waggle", contexts });
    await runDeploy(run);
    const wrong = await runDeploy({ ...run, env: { ...run.env, WAGGLE_TOKEN: "a-wrong-token-of-mine" } });
    expect(wrong).toMatchObject({ code: 4, err: expect.stringContaining("--new-tokens") });
    // Without a token the registry is not called, and the rest is checked.
    expect((await runDeploy(run)).out).toContain("the registry needs the operator token");
    expect(world.workers.get("waggle")?.uploads).toBe(1);
  });
});

test("[L143] workers.dev needs a subdomain of the account, and nothing else", async () => {
  await withApi(emptyWorld(), async (run, api) => {
    api.world.subdomain = null;
    const site = {
      name: "waggle",
      form: "single",
      zone: "none",
      location: "weur",
      plan: "paid",
      yes: true,
    } as const;
    expect((await runDeploy(run, site)).err).toContain("no subdomain of workers.dev yet");
    api.world.subdomain = "acme";
    api.world.token.permissions = new Set(["Account Settings / Read", "Workers Scripts / Edit"]);
    const { code, out } = await runDeploy(run, site);
    expect(code).toBe(0);
    expect(out).toContain("https://waggle.acme.workers.dev/dashboard/");
    expect(await runDestroy(run, "--yes", "--name", "waggle")).toMatchObject({ code: 0 });
    expect(deployed(api.world)).toEqual({ records: [], routes: [], workers: [] });
  });
});

test("[L154] destroy asks for the mesh's name, and deletes nothing without it", async () => {
  await withApi(worldWithSite(), async (run, { world }) => {
    expect((await runDestroy(run)).err).toContain("the file that waggle deploy writes");
    await runDeploy(run);
    expect(await runDestroy(run)).toMatchObject({
      code: 2,
      err: expect.stringContaining("--yes --name waggle"),
    });
    expect(await runDestroy(run, "--yes")).toMatchObject({
      code: 2,
      err: expect.stringContaining("--name waggle"),
    });
    expect(await runDestroy(run, "--yes", "--name", "other")).toMatchObject({ code: 2 });
    expect((await runDestroy(run, "--dry-run")).out).toContain("delete  Worker waggle, with the registry");
    expect(deployed(world)).toEqual(wholeMesh);
  });
});

const splitAnswers = { ...exampleAnswers, form: "split" } as const;

const splitMesh = {
  records: wholeMesh.records,
  routes: [
    "*-nodes.example.com/* waggle-ingress",
    "*.example.com/* waggle-edge",
    "waggle.example.com/* waggle-control",
    "www.example.com/* ",
  ],
  workers: ["objects", "control", "edge", "ingress"].map(
    (role) => `waggle-${role} OPERATOR_TOKEN,VIEWER_TOKEN`,
  ),
};

function uploadsOf({ workers }: ApiWorld): unknown {
  return Object.fromEntries(
    [...workers].map(([name, { uploads }]) => [name.replace("waggle-", ""), uploads]),
  );
}

/** True if all Workers have the same secrets. */
function haveSameSecrets({ workers }: ApiWorld): boolean {
  return new Set([...workers.values()].map(({ secrets }) => JSON.stringify(secrets))).size === 1;
}

test("[L183] a release of the dashboard deploys the control Worker alone, and one that changes nothing deploys nothing", async () => {
  await withApi(worldWithSite(), async (run, { world }) => {
    const first = await runDeploy(run, splitAnswers);
    expect(first).toMatchObject({ code: 0, err: "" });
    expect(deployed(world)).toEqual(splitMesh);
    expect(haveSameSecrets(world)).toBe(true);
    run.changes.set("control", 1);
    const dry = await runDeploy(run, { ...splitAnswers, dryRun: true });
    expect(dry.out).toContain("  deploy  Worker waggle-control, this release\n");
    expect(dry.out).toContain("  keep    Worker waggle-objects: unchanged\n");
    expect(dry.out).toContain("note: the registry keeps running: agents stay connected\n");
    expect(await runDeploy(run)).toMatchObject({ code: 2, err: expect.stringContaining("form split") });
    expect(await runDeploy(run, { yes: true })).toMatchObject({ code: 0 });
    expect(uploadsOf(world)).toEqual({ objects: 1, control: 2, edge: 1, ingress: 1 });
    const same = await runDeploy(run, { yes: true });
    expect(same.out).not.toContain("update the agents");
    expect(uploadsOf(world)).toEqual({ objects: 1, control: 2, edge: 1, ingress: 1 });
    // Rolled back with wrangler, or edited: the served version is not the one of this release.
    const control = world.workers.get("waggle-control");
    if (control === undefined) throw new Error("there is no control Worker");
    control.served = "v1";
    expect(await runDeploy(run, { yes: true })).toMatchObject({ code: 0 });
    expect(uploadsOf(world)).toMatchObject({ objects: 1, control: 3 });
    expect(await runDestroy(run, "--yes", "--name", "waggle")).toMatchObject({ code: 0, err: "" });
    expect(deployed(world)).toEqual(noMesh);
  });
});

test("[L186] a split deployment or destruction that fails at any upload or deletion is completed by the next run, with one operator token", {
  timeout: manyRunsTimeoutMs,
}, async () => {
  const isChange = ({ method }: { method: string }) => method !== "GET";
  for (let failing = 0; failing < 9; failing += 1) {
    await withApi(worldWithSite(), async (run, api) => {
      let changes = 0;
      api.fault = (_, call) => (isChange(call) && changes++ >= failing ? "lose" : null);
      expect((await runDeploy(run, splitAnswers)).code, `change ${failing}`).not.toBe(0);
      api.fault = () => null;
      expect(await runDeploy(run, { yes: true }), `change ${failing}`).toMatchObject({ code: 0 });
      expect(deployed(api.world), `change ${failing}`).toEqual(splitMesh);
      expect(haveSameSecrets(api.world), `change ${failing}`).toBe(true);
      expect(contextsOf(run).token()).toBe(api.world.workers.get("waggle-objects")?.secrets.OPERATOR_TOKEN);
      changes = 0;
      api.fault = (_, call) => (isChange(call) && changes++ >= failing ? "lose" : null);
      expect((await runDestroy(run, "--yes", "--name", "waggle")).code, `change ${failing}`).toBe(3);
      api.fault = () => null;
      expect(await runDestroy(run, "--yes", "--name", "waggle"), `change ${failing}`).toMatchObject({
        code: 0,
      });
      expect(deployed(api.world)).toEqual(noMesh);
    });
  }
});

test("[L188] at workers.dev the control API and the services have a host name each, and nodes have none", async () => {
  await withApi(emptyWorld(), async (run, { world }) => {
    world.token.permissions = new Set(["Account Settings / Read", "Workers Scripts / Edit"]);
    const { code, out } = await runDeploy(run, { ...splitAnswers, zone: "none" });
    expect(code).toBe(0);
    expect(out).toContain("  https://waggle-control.acme.workers.dev/dashboard/\n");
    expect(out).toContain("Services answer at https://waggle-edge.acme.workers.dev\n");
    expect([...world.workers.keys()]).toEqual(["waggle-objects", "waggle-control", "waggle-edge"]);
  });
});

test("[L185] a mesh that exists keeps its form, also without its file, and is not deployed in the other one", async () => {
  await withApi(emptyWorld(), async (run, { world }) => {
    await runDeploy(run);
    rmSync(run.config);
    const { form: _, ...answers } = exampleAnswers;
    expect(await runDeploy(run, answers)).toMatchObject({ code: 0 });
    expect(JSON.parse(readFileSync(run.config, "utf8"))).toMatchObject({
      form: "single",
      made: { workers: [] },
    });
    rmSync(run.config);
    const refused = await runDeploy(run, splitAnswers);
    expect(refused).toMatchObject({ code: 1, out: "" });
    expect(refused.err).toContain(
      "deploy moves no registry\ndeploy with --form single; to change the form, take a backup",
    );
    expect([...world.workers.keys()]).toEqual(["waggle"]);
    expect(existsSync(run.config)).toBe(false);
  });
});

test("[L189] doctor deploy looks at all Workers of the mesh, their secrets, and its routes and records", async () => {
  await withApi(worldWithSite(), async (run, { world }) => {
    await runDeploy(run, splitAnswers);
    const doctor = async () => {
      const { code, out } = await runCli(["doctor", "deploy", "--config", run.config], { env: run.env });
      return { code, out: out.replaceAll(/ +/g, " ") };
    };
    const well = await doctor();
    expect(well.code).toBe(0);
    for (const role of ["objects", "control", "edge", "ingress"])
      expect(well.out).toContain(` ok Worker waggle-${role} deployed`);
    expect(well.out).toContain(" ok secret VIEWER_TOKEN set in all Workers");
    expect(well.out).toContain(" ok names all routes and DNS records are there");
    const [zone] = world.zones;
    const [edge, control] = ["waggle-edge", "waggle-control"].map((name) => world.workers.get(name));
    if (zone === undefined || edge === undefined || control === undefined) throw new Error("no mesh");
    world.workers.delete("waggle-ingress");
    edge.secrets = { OPERATOR_TOKEN: "a" };
    control.served = "v0";
    control.tags = { v0: undefined };
    zone.routes = zone.routes.filter(({ pattern }) => pattern !== "*.example.com/*");
    const ill = await doctor();
    expect(ill.code).toBe(1);
    expect(ill.out).toContain(" FAIL Worker waggle-ingress the account has no such Worker\n");
    expect(ill.out).toContain(" WARN Worker waggle-control what is served was not deployed by waggle deploy");
    expect(ill.out).toContain(" FAIL secret VIEWER_TOKEN not set in waggle-edge, waggle-ingress");
    expect(ill.out).toContain(" FAIL names missing: route *.example.com/*\n");
    expect(await runDeploy(run, { yes: true })).toMatchObject({ code: 0 });
    expect((await doctor()).code).toBe(0);
    const blind = await runCli(["doctor", "deploy", "--config", run.config], { env: { HOME: run.env.HOME } });
    expect([blind.code, blind.out]).toEqual([1, expect.stringContaining("CLOUDFLARE_API_TOKEN is not set")]);
  });
});

/** A Worker of the world, which is there. */
function workerIn({ workers }: ApiWorld, name: string) {
  const worker = workers.get(name);
  if (worker === undefined) throw new Error(`there is no Worker ${name}`);
  return worker;
}

test("[U600] a Worker of which Cloudflare has no version is there all the same: it keeps its secrets, and another's is not overwritten", async () => {
  await withApi(emptyWorld(), async (run, { world }) => {
    await runDeploy(run, splitAnswers);
    const edge = workerIn(world, "waggle-edge");
    const { secrets } = edge;
    edge.tags = {};
    const again = await runDeploy(run, { yes: true });
    expect(again).toMatchObject({
      code: 0,
      out: expect.stringContaining("deploy  Worker waggle-edge, this"),
    });
    expect(workerIn(world, "waggle-edge").secrets).toEqual(secrets);
    const stranger = workerIn(world, "waggle-ingress");
    stranger.tags = {};
    stranger.metadata = { ...stranger.metadata, bindings: [] };
    expect(await runDeploy(run, { yes: true })).toMatchObject({
      code: 1,
      err: expect.stringContaining("a Worker waggle-ingress that is not a mesh's"),
    });
    expect((await runDestroy(run, "--yes", "--name", "waggle")).err).toContain("nothing was deleted");
  });
});

test("[U601] without its file a mesh keeps the form, names, location and plan that it has, and is not deployed with others", async () => {
  await withApi(worldWithSite(), async (run, { world }) => {
    const answers = { ...splitAnswers, domain: "apps.example.com", controlHost: "admin.example.com" };
    expect(await runDeploy(run, answers)).toMatchObject({ code: 0 });
    const file = JSON.parse(readFileSync(run.config, "utf8"));
    rmSync(run.config);
    const elsewhere = await runDeploy(run, { yes: true, zone: "none", dryRun: true });
    expect(elsewhere).toMatchObject({ code: 1, out: "" });
    expect(elsewhere.err).toContain("the mesh waggle has the domain apps.example.com, not none");
    expect((await runDeploy(run, { yes: true, location: "enam" })).err).toContain(
      "the mesh waggle has the location weur, not enam",
    );
    expect((await runDeploy(run, { yes: true, domain: "example.com" })).err).toContain("not example.com");
    expect(uploadsOf(world)).toEqual({ objects: 1, control: 1, edge: 1, ingress: 1 });
    expect(await runDeploy(run, { yes: true })).toMatchObject({ code: 0 });
    expect(uploadsOf(world)).toEqual({ objects: 1, control: 1, edge: 1, ingress: 1 });
    const { made: _, ...kept } = file;
    expect(JSON.parse(readFileSync(run.config, "utf8"))).toMatchObject(kept);
  });
});

const workersDevAnswers = { ...splitAnswers, zone: "none" } as const;

test("[U604] a host name at workers.dev that an upload did not get to is made by the next run, and one that was turned on is taken away", async () => {
  await withApi(emptyWorld(), async (run, { world }) => {
    // The upload of these tests is not followed by the request that turns it on: as if it had been interrupted.
    await runDeploy(run, workersDevAnswers);
    expect(workerIn(world, "waggle-control").isOnWorkersDev).toBe(false);
    workerIn(world, "waggle-objects").isOnWorkersDev = true;
    const ill = await runCli(["doctor", "deploy", "--config", run.config], { env: run.env });
    expect(ill.out).toMatch(/FAIL +names +missing: host name of waggle-control at workers\.dev/);
    expect(ill.out).toMatch(/FAIL +names +waggle-objects has a host name at workers\.dev as well/);
    const { out } = await runDeploy(run, { yes: true });
    expect(out).toContain("done: delete  host name of waggle-objects at workers.dev");
    expect(out).toContain("done: create  host name of waggle-edge at workers.dev");
    const names = [...world.workers].filter(([, { isOnWorkersDev }]) => isOnWorkersDev).map(([name]) => name);
    expect(names).toEqual(["waggle-control", "waggle-edge"]);
    expect(uploadsOf(world)).toEqual({ objects: 1, control: 1, edge: 1 });
    expect((await runDeploy(run, { yes: true })).out).not.toContain("host name of");
  });
});

test("[U605] a Worker that somebody else creates, deploys or changes after the plan was made is left alone", async () => {
  await withApi(emptyWorld(), async (run, { world }) => {
    const another = await runDeploy(run, splitAnswers, {
      out: {
        write: (text) => {
          // The other operator confirmed first.
          if (text.startsWith("Tokens, shown")) world.workers.set("waggle-objects", strangeWorker());
        },
      },
    });
    expect(another).toMatchObject({ code: 1 });
    expect(another.err).toContain("the Worker waggle-objects was created by somebody else after the plan");
    expect([...world.workers.keys()]).toEqual(["waggle-objects"]);
    world.workers.clear();
    expect(await runDeploy(run, { yes: true })).toMatchObject({ code: 0 });
    run.changes.set("control", 1);
    const late = await runDeploy(
      run,
      { yes: true },
      {
        out: {
          write: (text) => {
            if (text.startsWith("The mesh")) workerIn(world, "waggle-control").served = "v9";
          },
        },
      },
    );
    expect(late.err).toContain("the Worker waggle-control was deployed or changed by somebody else");
    expect(uploadsOf(world)).toMatchObject({ control: 1 });
  });
});

function strangeWorker(): UploadedWorker {
  return {
    metadata: { main_module: "m", bindings: [], compatibility_date: "2026-11-01", compatibility_flags: [] },
    modules: {},
    secrets: {},
    migrationTag: null,
    isOnWorkersDev: false,
    uploads: 1,
    tags: {},
    served: "v7",
    version: null,
  };
}

test("[U606] a Worker gets the operator token that the mesh accepts as an operator's, of the context or WAGGLE_TOKEN, and no other", async () => {
  await withApi(emptyWorld(), async (run, { world }) => {
    await runDeploy(run, splitAnswers);
    const { OPERATOR_TOKEN = "", VIEWER_TOKEN = "" } = workerIn(world, "waggle-objects").secrets;
    // Another operator has replaced the tokens; this machine's context has the earlier one.
    for (const worker of world.workers.values()) worker.secrets = { OPERATOR_TOKEN: "theirs", VIEWER_TOKEN };
    world.workers.delete("waggle-edge");
    for (const WAGGLE_TOKEN of ["of another mesh", VIEWER_TOKEN]) {
      const wrong = await runDeploy({ ...run, env: { ...run.env, WAGGLE_TOKEN } }, { yes: true });
      expect(wrong).toMatchObject({ code: 1, out: "" });
      expect(wrong.err).toContain("lacks the operator token, and this machine does not know it");
    }
    const right = { ...run, env: { ...run.env, WAGGLE_TOKEN: "theirs" } };
    expect(await runDeploy(right, { yes: true })).toMatchObject({ code: 0 });
    expect(haveSameSecrets(world)).toBe(true);
    expect(workerIn(world, "waggle-edge").secrets.OPERATOR_TOKEN).toBe("theirs");
    expect(OPERATOR_TOKEN).not.toBe("theirs");
    world.workers.delete("waggle-control");
    const dry = await runDeploy(right, { yes: true, dryRun: true });
    expect(dry.out).toContain("note: no Worker can check the operator token that this machine knows");
  });
});

test("[U606] new tokens that only some Workers have got are completed by the next run, also without --new-tokens", {
  timeout: manyRunsTimeoutMs,
}, async () => {
  for (let failing = 0; failing < 4; failing += 1) {
    await withApi(emptyWorld(), async (run, api) => {
      await runDeploy(run, splitAnswers);
      let uploads = 0;
      api.fault = (_, { method }) => (method === "PUT" && uploads++ >= failing ? "reset" : null);
      expect((await runDeploy(run, { yes: true, newTokens: true })).code).toBe(1);
      api.fault = () => null;
      expect(await runDeploy(run, { yes: true }), `upload ${failing}`).toMatchObject({ code: 0 });
      expect(haveSameSecrets(api.world), `upload ${failing}`).toBe(true);
      expect(contextsOf(run).token()).toBe(workerIn(api.world, "waggle-edge").secrets.OPERATOR_TOKEN);
      expect(readFileSync(run.config, "utf8")).not.toContain("lacksSecrets");
    });
  }
});

test("[U616] doctor deploy names the Workers that new tokens have not reached", async () => {
  await withApi(emptyWorld(), async (run, api) => {
    await runDeploy(run, splitAnswers);
    let uploads = 0;
    api.fault = (_, { method }) => (method === "PUT" && uploads++ >= 1 ? "reset" : null);
    expect((await runDeploy(run, { yes: true, newTokens: true })).code).toBe(1);
    api.fault = () => null;
    const doctor = () => runCli(["doctor", "deploy", "--config", run.config], { env: run.env });
    const unfinished = await doctor();
    expect(unfinished.code).toBe(1);
    expect(unfinished.out).toMatch(
      /FAIL +secrets +the new tokens are not set in waggle-control, waggle-edge/,
    );
    await runDeploy(run, { yes: true });
    expect((await doctor()).code).toBe(0);
  });
});

test("[U617] the operator token is not sent to a control host that leads elsewhere", async () => {
  await withApi(worldWithSite(), async (run, { world }) => {
    await runDeploy(run, splitAnswers);
    expect(run.calls.length).toBeGreaterThan(0);
    const host = "waggle.example.com";
    const [record] = world.zones.flatMap(({ records }) => records.filter(({ name }) => name === host));
    if (record === undefined) throw new Error("the control host has a record");
    Object.assign(record, { type: "A", content: "192.0.2.9", proxied: false });
    const { length } = run.calls;
    const refused = await runDeploy(run, { yes: true });
    expect(refused).toMatchObject({ code: 1, out: "" });
    expect(refused.err).toContain(`${host} has a DNS record already: A 192.0.2.9`);
    expect(run.calls).toHaveLength(length);
    // Without its own record the host has that of another wildcard.
    for (const zone of world.zones) zone.records = zone.records.filter(({ name }) => name !== host);
    expect(await runDeploy(run, { yes: true, dryRun: true })).toMatchObject({ code: 0 });
    expect(run.calls).toHaveLength(length);
    expect(await runDeploy(run, { yes: true })).toMatchObject({ code: 0 });
    expect(run.calls.length).toBeGreaterThan(length);
  });
});

test("[U607] destroy deletes nothing of a mesh whose zone its token does not see, and keeps the file", async () => {
  await withApi(worldWithSite(), async (run, { world }) => {
    await runDeploy(run);
    const [zone] = world.zones;
    world.zones = [];
    const blind = await runDestroy(run, "--yes", "--name", "waggle");
    expect(blind).toMatchObject({ code: 1, out: "" });
    expect(blind.err).toContain("the token sees no zone example.com");
    expect(blind.err).toContain("give a token that sees the zone");
    expect([existsSync(run.config), [...world.workers.keys()]]).toEqual([true, ["waggle"]]);
    world.zones = zone === undefined ? [] : [zone];
    expect(await runDestroy(run, "--yes", "--name", "waggle")).toMatchObject({ code: 0 });
    expect(deployed(world)).toEqual(noMesh);
  });
});

test("[U607] a file with an answer that was edited is refused: what deploy has made would be forgotten", async () => {
  await withApi(worldWithSite(), async (run, { world }) => {
    await runDeploy(run, splitAnswers);
    const file = JSON.parse(readFileSync(run.config, "utf8"));
    const site = { zone: null, domain: null, controlHost: null };
    const other = { zone: "example.net", domain: "example.net", controlHost: "waggle.example.net" };
    for (const edit of [{ name: "other" }, { form: "single" }, site, other]) {
      writeFileSync(run.config, JSON.stringify({ ...file, ...edit }));
      const name = "name" in edit ? edit.name : "waggle";
      const results = [await runDestroy(run, "--yes", "--name", name), await runDeploy(run, { yes: true })];
      for (const { code, err } of results) {
        expect({ code, err }).toMatchObject({ code: 2, err: expect.stringContaining("was changed by hand") });
        expect(err).toMatch(/says that deploy has made \S+, which is not of that mesh/);
      }
    }
    expect(deployed(world)).toEqual(splitMesh);
  });
});

test("[U607] a plan says that the registry is new and empty if the Worker that had it is not there any more", async () => {
  await withApi(emptyWorld(), async (run, { world }) => {
    const note = "note: the registry is new and empty: there is no Worker waggle-objects any more";
    expect((await runDeploy(run, splitAnswers)).out).not.toContain(note);
    world.workers.delete("waggle-objects");
    expect((await runDeploy(run, { yes: true, dryRun: true })).out).toContain(note);
  });
});

/** A terminal whose user types the lines, and then Ctrl-D. */
function terminal(lines: string[]) {
  const events = new EventEmitter();
  return {
    isTTY: true,
    resume: () =>
      queueMicrotask(() => {
        const line = lines.shift();
        if (line === undefined) events.emit("end");
        else events.emit("data", Buffer.from(`${line}\n`));
      }),
    pause: () => {},
    on: events.on.bind(events),
    off: events.off.bind(events),
  };
}
