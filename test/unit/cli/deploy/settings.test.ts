// The settings of a deployment, and the configuration that wrangler gets.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { meshWorkers } from "../../../../src/cli/deploy/mesh-workers.ts";
import { wranglerEnvironment } from "../../../../src/cli/deploy/run-wrangler.ts";
import {
  controlHostIn,
  controlUrl,
  type DeploySettings,
  domainIn,
  edgeUrl,
  locationNear,
  nothingMade,
  printDeployFile,
  readDeployFile,
  readDomainName,
  readMeshName,
  registryLocations,
} from "../../../../src/cli/deploy/settings.ts";
import {
  fingerprintOf,
  uploadFailed,
  withPackagePaths,
  withPackageSources,
  wranglerConfig,
} from "../../../../src/cli/deploy/wrangler.ts";

function templateOf(config: string): string {
  return readFileSync(new URL(`../../../../${config}`, import.meta.url), "utf8");
}

const settings: DeploySettings = {
  form: "single",
  account: "0123456789abcdef0123456789abcdef",
  name: "prod",
  zone: "example.com",
  domain: "apps.example.com",
  controlHost: "prod.example.com",
  location: "weur",
  plan: "free",
};

test("[L151] the file reads back, and may have some answers only", () => {
  const file = { ...settings, made: { workers: ["prod"], routes: ["prod.example.com/*"] } };
  expect(readDeployFile(printDeployFile(file), "f")).toEqual(file);
  // From before there were forms.
  expect(readDeployFile('{"name":"prod","made":{"worker":true,"routes":[]}}', "f").made.workers).toEqual([
    "prod",
  ]);
  expect(readDeployFile('{"name":"prod"}', "f")).toEqual({ name: "prod", made: nothingMade });
});

test("[L150] names are read strictly", () => {
  for (const name of ["waggle", "a", "my-mesh-2"]) expect(readMeshName(name)).toBe(name);
  for (const name of ["", "-a", "a-", "Waggle", "a_b", "1a", "a".repeat(55)])
    expect(() => readMeshName(name), name).toThrow("is not a name for a mesh");
  expect(readDomainName("Example.COM.")).toBe("example.com");
  for (const name of ["", "com", "a..b", "*.example.com", "exa mple.com", "https://example.com", "-a.com"])
    expect(() => readDomainName(name), name).toThrow("is not a domain name");
});

test("[L143] a domain is the zone or below it, and the control host below it", () => {
  expect(domainIn("example.com", "example.com")).toBe("example.com");
  expect(domainIn("example.com", "a.b.example.com")).toBe("a.b.example.com");
  expect(() => domainIn("example.com", "notexample.com")).toThrow("not in the zone");
  expect(() => controlHostIn("example.com", "example.com")).toThrow("not below the zone");
  expect(controlHostIn("example.com", "mesh.example.com")).toBe("mesh.example.com");
});

test("[L150] the default location is near the time zone", () => {
  const near = (zone: string) => locationNear(zone);
  expect(
    ["Europe/Berlin", "America/New_York", "America/Los_Angeles", "Asia/Tokyo", "Australia/Sydney", "UTC"].map(
      near,
    ),
  ).toEqual(["weur", "enam", "wnam", "apac-ne", "oc", "enam"]);
  for (const zone of Intl.supportedValuesOf("timeZone")) expect(registryLocations).toContain(near(zone));
});

/** The configuration of each Worker, by role, with the lines that its template does not have. */
function configsOf(changes: Partial<DeploySettings> = {}, isBuilt = false) {
  const all = { ...settings, ...changes };
  return new Map(
    meshWorkers(all).map((worker) => {
      const template = templateOf(worker.config);
      const text = wranglerConfig(template, worker, all, { main: `/srv/${worker.main}`, isBuilt });
      const changed = text.split("\n").filter((line) => !template.split("\n").includes(line));
      return [worker.role, { text, changed }];
    }),
  );
}

const site = { zone: null, domain: null, controlHost: null };

test("[L155] wrangler gets wrangler.toml with the settings in place of the defaults, and all else as it is", () => {
  expect(configsOf().get("mesh")?.changed).toEqual([
    'name = "prod"',
    'main = "/srv/workers/main.ts"',
    "workers_dev = false",
    'MESH_NAME = "prod"',
    'MESH_DOMAIN = "apps.example.com"',
    'CONTROL_HOST = "prod.example.com"',
    'REGISTRY_LOCATION = "weur"',
  ]);
  expect(configsOf(site).get("mesh")?.text).toContain("workers_dev = true");
  expect(configsOf({ plan: "paid" }).get("mesh")?.text).toMatch(/\n\[limits\]\ncpu_ms = 30000\n$/);
  const [worker] = meshWorkers(settings);
  if (worker === undefined) throw new Error("a mesh has a Worker");
  expect(() => wranglerConfig("name = 1\n", worker, settings, { main: "main.js", isBuilt: true })).toThrow(
    'wrangler.toml has no line "main = …"',
  );
});

test("[L188] the configuration of a built Worker has no build command, wherever its template has one", () => {
  const [worker] = meshWorkers(settings);
  if (worker === undefined) throw new Error("a mesh has a Worker");
  const template = templateOf(worker.config);
  const [section = ""] = /\[build\]\n[^[]*/.exec(template) ?? [];
  const last = `${template.replace(section, "")}\n${section}`;
  for (const text of [template, last]) {
    const built = wranglerConfig(text, worker, settings, { main: "main.js", isBuilt: true });
    expect(built).not.toMatch(/^\[build\]|^command = /m);
    expect(built).toContain("[observability]");
    expect(wranglerConfig(text, worker, settings, { main: "main.js", isBuilt: false })).toContain("[build]");
  }
});

test("[L188] the Workers of the split form are bound to the objects of their mesh, and only public ones are at workers.dev", () => {
  const split = { form: "split" as const };
  const control = configsOf(split).get("control");
  expect(control?.changed).toEqual([
    'name = "prod-control"',
    'main = "/srv/workers/control.ts"',
    "workers_dev = false",
    'MESH_NAME = "prod"',
    'MESH_DOMAIN = "apps.example.com"',
    'CONTROL_HOST = "prod.example.com"',
    'REGISTRY_LOCATION = "weur"',
    ...Array(3).fill('script_name = "prod-objects"'),
  ]);
  const built = configsOf(split, true);
  expect([...built.keys()]).toEqual(["objects", "control", "edge", "ingress"]);
  expect([...built.values()].some(({ text }) => text.includes('waggle-objects"'))).toBe(false);
  // What is built already is not built again.
  expect(built.get("control")?.text).not.toMatch(/\[build\]|dashboard-assets/);
  expect(built.get("control")?.text).toContain('\n[vars]\nMESH_NAME = "prod"');
  const dev = configsOf({ ...split, ...site });
  const isPublic = [...dev].map(([role, { text }]) => [role, text.includes("workers_dev = true")]);
  expect(isPublic).toEqual([
    ["objects", false],
    ["control", true],
    ["edge", true],
  ]);
  const mesh = { ...settings, ...split, ...site };
  expect(controlUrl(mesh, "acme")).toBe("https://prod-control.acme.workers.dev");
  expect(edgeUrl(mesh, "acme")).toBe("https://prod-edge.acme.workers.dev");
});

test.each([
  [
    "CPU limits are not supported for the Free plan. [code: 100328]",
    "the account is on Workers Free",
    "--plan free",
  ],
  [
    "Your Worker exceeded the size limit of 3 MiB. [code: 10027]",
    "larger than the plan allows",
    "--plan paid",
  ],
  [
    "You have exceeded the limit of 100 Workers. [code: 10037]",
    "as many Workers as its plan allows",
    "delete one",
  ],
  [
    "line 1\n\u2718 [ERROR] Something else [code: 1]\nline 3",
    "wrangler deploy ended with 1",
    "[ERROR] Something else",
  ],
])("[L155] wrangler's output %s is reported as: %s", (output, message, hint) => {
  const error = uploadFailed(1, output, { ...settings, plan: "paid" });
  expect(error.message).toContain(message);
  expect(error.hint).toContain(hint);
  expect(error.hint).not.toContain("line 1");
});

const bundled = (folder: string) =>
  `var a = 1;\n// ${folder}src/a.ts\nvar require_util = __commonJS({\n  "${folder}node_modules/b/util.js"(exports) {}\n});`;

test("[U602] a build in another folder has the same code and fingerprint, also that of a CommonJS module", () => {
  const [here, there] = ["../../../../work/waggle", "../../../home/ops/mesh"].map((folder) =>
    withPackagePaths(bundled(`${folder}/`), folder),
  );
  expect(here).toBe(bundled(""));
  expect(there).toBe(here);
  const map = {
    version: 3,
    sourceRoot: "/tmp/x",
    sources: ["../../work/src/a.ts", "b.ts"],
    mappings: "AAAA",
  };
  expect(JSON.parse(withPackageSources(JSON.stringify(map), "../../work"))).toEqual({
    version: 3,
    sources: ["src/a.ts", "b.ts"],
    mappings: "AAAA",
  });
  // A text of the program is no path.
  const text = 'x = "../../work/src/a.ts";';
  expect(withPackagePaths(text, "../../work")).toBe(text);
});

test("[U602] a fingerprint changes with each line of a module, each byte of a binary one, its name, and the configuration", () => {
  const print = (code: string, config = 'name = "a"', more: Readonly<Record<string, Buffer>> = {}) => {
    const modules = Object.entries({ ...more, "main.js": Buffer.from(code) });
    return fingerprintOf(config, new Map(modules));
  };
  const first = print("a();\n// src/a.ts\nb();");
  expect(first).toMatch(/^[0-9a-f]{32}$/);
  // A source that was moved, and a comment of the configuration.
  expect(print("a();\n// src/b/c.ts\nb();", '# why\nname = "a"\n')).toBe(first);
  const wasm = (byte: number) => ({ "m.wasm": Buffer.from([0xff, byte]) });
  const others = [
    print("a();\n// src/a.ts\nc();"),
    // Of a text in the program, such as a page.
    print("a(`\n// a comment that is shown\n`);"),
    print("a(`\n// another one\n`);"),
    print("a();\n// src/a.ts\nb();", 'name = "b"'),
    print("a();\n// src/a.ts\nb();", undefined, wasm(0xfe)),
    print("a();\n// src/a.ts\nb();", undefined, wasm(0xfd)),
  ];
  expect(new Set([first, ...others]).size).toBe(others.length + 1);
});

test("[U603] wrangler gets no variable by which it would deploy another Worker, or as another user", () => {
  const misleading = {
    CLOUDFLARE_ENV: "production",
    WRANGLER_CI_OVERRIDE_NAME: "web",
    WRANGLER_CI_MATCH_TAG: "t",
    CLOUDFLARE_API_KEY: "k",
    CLOUDFLARE_EMAIL: "ops@example.com",
    CF_API_KEY: "k",
    CF_EMAIL: "ops@example.com",
  };
  const useful = { CLOUDFLARE_API_TOKEN: "t", HTTPS_PROXY: "http://proxy", CLOUDFLARE_API_BASE_URL: "u" };
  const env = wranglerEnvironment({ ...misleading, ...useful });
  expect(env).toMatchObject(useful);
  for (const name of Object.keys(misleading)) expect(env).not.toHaveProperty(name);
  // The user of a machine without a token, for doctor.
  expect(wranglerEnvironment({ CLOUDFLARE_API_KEY: "k" })).toMatchObject({ CLOUDFLARE_API_KEY: "k" });
});
