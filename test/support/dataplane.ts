// The data plane in workerd, with a routing table that the test sets. And small routing tables for tests.

import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { Miniflare } from "miniflare";
import type { RoutingTable, TableService, TableTask } from "../../src/domain/table/table.ts";
import { printTable } from "../../src/domain/table/text.ts";
import { sealFacts } from "../../src/local/listener-profile.ts";
import { testNameOf } from "../../src/local/platform/test-names.ts";
import { PlatformNetwork } from "../../src/local/platform-network.ts";
import type { SentTable, TableSource } from "../../src/proxy/routing/table-cache.ts";
import { isUnderPlatformRules } from "./mesh-process.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
/** The secret of the listeners. */
export const entryKey = "test-entry-key";
const domain = "mesh.example.com";
export const operatorToken = "test-operator-token";

/** The entry point of a request, as a published port's listener passes it. */
export type TestEntry = {
  readonly role?: "edge" | "ingress";
  readonly node?: string;
  readonly port?: number;
  readonly client?: string;
  readonly scheme?: "http" | "https";
};

export type TestPlane = {
  /** `http://127.0.0.1:PORT` of the listeners' socket. */
  readonly origin: string;
  readonly port: number;
  /** The origin of the handler that determines the entry point by host name. */
  readonly hostOrigin: string;
  /** Services are also reached as NAME.domain. */
  readonly domain: string;
  /** The header that a listener sets. */
  readonly entry: (entry?: TestEntry) => { readonly "x-waggle-entry": string };
  /** Sets the registry's table, or its response; a function may throw or wait. */
  setTable(table: RoutingTable | (() => Promise<SentTable>)): void;
  /** Number of requests to the registry so far. */
  readonly tableRequests: () => number;
  /** Where workerd lists its debugging targets; only if inspected. */
  readonly inspectorUrl: () => Promise<URL>;
  readonly stop: () => Promise<void>;
};

/**
 * Starts the data plane with a table.
 *
 * @param telemetry whether it sends counters to a telemetry object
 * @param isInspected whether workerd offers its inspector
 */
export async function startPlane(
  table: RoutingTable,
  vars: Readonly<Record<string, string>> = {},
  telemetry = false,
  isInspected = false,
): Promise<TestPlane> {
  const network = isUnderPlatformRules ? await PlatformNetwork.open({ authority: "" }) : null;
  const rules: Readonly<Record<string, string>> =
    network === null
      ? {}
      : { MESH_MODE: "edge", NETWORK_URL: network.access.url, NETWORK_SECRET: network.access.secret };
  let source = tableSource(table);
  let tableRequests = 0;
  let wakes: (() => void)[] = [];
  const handler = async (request: { url: string }) => {
    tableRequests += 1;
    const query = new URL(request.url).searchParams;
    const [after, waitMs] = [Number(query.get("after")), Number(query.get("wait"))];
    let table = await source(after);
    if (table.text === null && waitMs > 0) {
      await new Promise<void>((resolve) => {
        wakes.push(resolve);
        setTimeout(resolve, waitMs).unref();
      });
      table = await source(after);
    }
    return Response.json(network === null ? table : { ...table, text: withTestNames(table.text) });
  };
  const miniflare = new Miniflare({
    ...(await options(handler, { ...rules, ...vars }, telemetry)),
    ...(isInspected && { inspectorPort: 0 }),
  });
  await miniflare.ready;
  const url = await miniflare.unsafeGetDirectURL("standalone", "Entry");
  const hostUrl = await miniflare.unsafeGetDirectURL("standalone");
  return {
    origin: url.origin,
    port: Number(url.port),
    hostOrigin: hostUrl.origin,
    domain,
    entry: (entry = {}) => ({ "x-waggle-entry": entryValue(entry) }),
    setTable(next) {
      source = typeof next === "function" ? next : tableSource(next);
      for (const wake of wakes) wake();
      wakes = [];
    },
    tableRequests: () => tableRequests,
    inspectorUrl: () => miniflare.getInspectorURL(),
    stop: async () => {
      await miniflare.dispose();
      await network?.close();
    },
  };
}

/** A table in which loopback has a public name, because no Worker reaches an address. */
function withTestNames(text: string | null): string | null {
  return text?.replaceAll("//127.0.0.1:", `//${testNameOf("127.0.0.1")}:`) ?? null;
}

function tableSource(table: RoutingTable): TableSource {
  const text = printTable(table);
  return async (after: number) => ({
    version: table.version,
    text: table.version > after ? text : null,
    cookieKey: "test-cookie-key",
  });
}

function entryValue({
  role = "ingress",
  node,
  port,
  client = "203.0.113.7",
  scheme = "http",
}: TestEntry): string {
  const facts = {
    role,
    node: node ?? (role === "edge" ? null : "node1"),
    port: port ?? null,
    client,
    scheme,
  };
  return sealFacts(facts, entryKey);
}

async function options(
  handler: (request: { url: string }) => Promise<Response>,
  vars: Readonly<Record<string, string>>,
  telemetry: boolean,
) {
  const text = (value: string) => ({ type: "json" as const, value });
  const settings = {
    OPERATOR_TOKEN: operatorToken,
    ENTRY_KEY: entryKey,
    MESH_NAME: "test-mesh",
    MESH_DOMAIN: domain,
    REGISTRY_LOCATION: "",
    TRUSTED_PROXIES: "",
    MESH_MODE: "local",
    ...vars,
  };
  const env = Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, text(value)]));
  const modules = { "worker.mjs": { type: "esm" as const, contents: await bundle() } };
  return {
    host: "127.0.0.1",
    port: 0,
    cf: false as const,
    logRequests: false,
    workers: [
      {
        config: {
          name: "standalone",
          compatibilityDate: "2026-11-01",
          compatibilityFlags: ["enable_request_signal"],
          manifest: { mainModule: "worker.mjs", modulesRoot: root, modules },
          env: {
            ...env,
            ...(telemetry && telemetryBindings.env),
            TABLES: { type: "fetcher" as const, handler: handler as never },
          },
          ...(telemetry && { exports: telemetryBindings.exports }),
        },
        dev: {
          unsafeDirectSockets: [
            { host: "127.0.0.1", port: 0 },
            { host: "127.0.0.1", port: 0, entrypoint: "Entry" },
          ],
        },
      },
    ],
  };
}

const telemetryBindings = {
  env: { TELEMETRY: { type: "durable-object", worker: "standalone", exportName: "MeshTelemetry" } },
  exports: { MeshTelemetry: { type: "durable-object", storage: "sqlite" } },
} as const;

async function bundle(): Promise<string> {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: [`test/workers/dataplane/${isUnderPlatformRules ? "standalone-edge" : "standalone"}.ts`],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2024",
    external: ["cloudflare:*", "node:*"],
  });
  return outputFiles[0]?.text ?? "";
}

/** A table with three nodes, of which the third is down, and some services. */
export function tableOf(version: number, ...services: TableService[]): RoutingTable {
  const names = ["node1", "node2", "node3"];
  const nodes = names.map((name, index) => ({
    id: idOf(name),
    name,
    up: name !== "node3",
    address: `127.0.0.${index + 2}`,
    hosts: name === "node2" ? ["two.example.com"] : [],
  }));
  const [first] = services;
  const sorted = services.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return { version, nodes, services: sorted, defaultService: first?.name ?? null, signingKey: null };
}

/** A service published on `port` with one task per origin, on node1, node2, node3 in turn. */
export function serviceOf(
  name: string,
  port: number,
  origins: readonly string[],
  more: Partial<TableService> & { readonly mode?: "ingress" | "host" } = {},
): TableService {
  const { mode = "ingress", ...rest } = more;
  const tasks = origins.map((origin, index): TableTask => {
    const number = index + 1;
    return {
      id: taskId(name, number),
      slot: number,
      nodeId: idOf(`node${((number - 1) % 3) + 1}`),
      weight: 1,
      endpoints: [[80, origin]],
    };
  });
  const ports = [{ target: 80, published: port, mode }];
  return { id: idOf(name), name, policy: "roundrobin", ports, hosts: [], tasks, ...rest };
}

/** A task id of 25 characters. Ids sort by task number. */
export function taskId(service: string, number: number): string {
  return `${idOf(service).slice(0, 20)}${String(number).padStart(5, "0")}`;
}

/** An id of 25 characters made from a name. */
export function idOf(name: string): string {
  return name
    .replaceAll(/[^0-9a-z]/g, "")
    .padEnd(25, "0")
    .slice(0, 25);
}
