// The allowed direction of imports, read from the source itself; docs/architecture.md draws it.

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** The other folders and the packages that each folder of src/ may import. */
const allowed: Record<string, { folders: readonly string[]; packages: readonly string[] }> = {
  domain: { folders: [], packages: [] },
  gateway: { folders: [], packages: [] },
  protocol: { folders: ["domain", "gateway"], packages: ["node:crypto", "node:zlib", "zod"] },
  storage: { folders: [], packages: [] },
  registry: {
    folders: ["domain", "gateway", "protocol", "storage"],
    packages: ["node:crypto", "node:net", "node:zlib", "zod"],
  },
  prober: { folders: ["domain", "storage"], packages: [] },
  haproxy: { folders: ["domain"], packages: [] },
  explain: { folders: ["domain", "protocol", "proxy", "ingress"], packages: [] },
  control: {
    folders: ["domain", "gateway", "protocol", "telemetry", "registry", "proxy", "explain"],
    packages: ["hono", "prom-client", "zod", "node:crypto"],
  },
  dashboard: {
    folders: ["domain", "protocol", "telemetry", "registry", "control"],
    packages: ["hono", "jose", "uplot", "node:crypto"],
  },
  stats: {
    folders: ["domain", "telemetry", "registry", "control"],
    packages: ["hono"],
  },
  telemetry: { folders: ["domain", "storage"], packages: [] },
  proxy: { folders: ["domain", "gateway", "telemetry"], packages: [] },
  ingress: { folders: ["domain", "gateway", "telemetry", "proxy"], packages: [] },
  edge: { folders: ["domain", "telemetry", "proxy", "ingress"], packages: [] },
  package: { folders: [], packages: ["node:*"] },
  net: { folders: ["gateway"], packages: ["node:*", "ws"] },
  os: { folders: [], packages: ["node:*", "zod"] },
  agent: {
    folders: ["domain", "gateway", "protocol", "net", "os", "package"],
    packages: ["node:*", "dns-packet", "dockerode", "ws", "zod"],
  },
  cli: {
    folders: ["domain", "protocol", "telemetry", "haproxy", "net", "os", "package"],
    packages: ["node:*", "commander", "ws", "zod"],
  },
  local: {
    folders: ["domain", "gateway", "protocol", "telemetry", "proxy", "net", "os", "package", "agent", "cli"],
    packages: ["node:*", "ws", "zod", "esbuild", "miniflare"],
  },
};

/** For each folder of src/domain/: the other folders of src/domain/ that it may import. */
const allowedInDomain: Record<string, readonly string[]> = {
  model: [],
  table: ["model"],
  labels: ["model", "table"],
  compile: ["model", "table", "labels"],
  validate: ["model", "labels"],
  scheduler: ["model"],
  orchestrator: ["model", "scheduler"],
};

/** The only file that compiles patterns of operators. The data plane does not import it. */
const patternEngine = "src/domain/model/check-pattern.ts -> re2js";

/** Commands that start a mesh or an agent import those folders on demand. */
const commandImports = new Set([
  "src/cli/control.ts -> local",
  "src/cli/down.ts -> local",
  "src/cli/edge.ts -> agent",
  "src/cli/edge.ts -> local",
  "src/cli/hold-sockets.ts -> local",
  "src/cli/reload.ts -> local",
  "src/cli/tls-flags.ts -> local",
  "src/cli/up.ts -> local",
  "src/cli/up-edge.ts -> local",
  "src/cli/agent.ts -> agent",
  "src/cli/agent.ts -> local",
  "src/cli/agent-main.ts -> agent",
]);

type Import = { readonly file: string; readonly from: string; readonly target: string };

test("[U1] imports in src/ go one way, and the data plane carries no framework", () => {
  const wrong = importsUnder("src").filter((found) => !mayImport(found));
  expect(wrong.map(({ file, target }) => `${file} imports ${target}`)).toEqual([]);
});

test("[U1] nothing in src/ imports workers/ or test/", () => {
  const wrong = importsUnder("src").filter(({ target }) => /^(workers|test)\//.test(target));
  expect(wrong).toEqual([]);
});

test("[U1] imports inside src/domain/ go one way, and every folder there has a rule", () => {
  const wrong = importsUnder("src/domain").filter(({ file, target }) => {
    if (`${file} -> ${target}` === patternEngine) return false;
    const [from, to] = [domainFolder(file), domainFolder(target)];
    return from !== to && allowedInDomain[from]?.includes(to) !== true;
  });
  expect(wrong.map(({ file, target }) => `${file} imports ${target}`)).toEqual([]);
  expect(readdirSync(join(root, "src/domain")).sort()).toEqual(Object.keys(allowedInDomain).sort());
});

test("[U1] every folder of src/ has a rule", () => {
  const folders = readdirSync(join(root, "src"), { withFileTypes: true }).filter((entry) =>
    entry.isDirectory(),
  );
  expect(folders.map((entry) => entry.name).filter((name) => !(name in allowed))).toEqual([]);
});

/** `model` of `src/domain/model/task.ts`. */
function domainFolder(path: string): string {
  return path.split("/")[2] ?? "";
}

function mayImport({ file, from, target }: Import): boolean {
  const rule = allowed[from];
  if (rule === undefined) return false;
  if (`${file} -> ${target}` === patternEngine) return true;
  if (!target.startsWith("src/")) return rule.packages.some((name) => matches(name, target));
  const folder = target.split("/")[1] ?? "";
  return folder === from || rule.folders.includes(folder) || commandImports.has(`${file} -> ${folder}`);
}

function matches(rule: string, target: string): boolean {
  return rule.endsWith("*")
    ? target.startsWith(rule.slice(0, -1))
    : target === rule || target.startsWith(`${rule}/`);
}

function importsUnder(folder: string): Import[] {
  return readdirSync(join(root, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
    .flatMap((entry) => importsOf(relative(root, join(entry.parentPath, entry.name))));
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), "utf8");
  const specifiers = text.matchAll(
    /(?:^|\n)\s*(?:import|export)\s(?:[^;]*?\sfrom\s)?"([^"]+)"|\bimport\("([^"]+)"\)/g,
  );
  return [...specifiers].map(([, statement, call]) => {
    const specifier = statement ?? call ?? "";
    const target = specifier.startsWith(".")
      ? relative(root, resolve(root, dirname(file), specifier))
      : specifier;
    return { file, from: file.split("/")[1] ?? "", target };
  });
}
