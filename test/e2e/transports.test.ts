// The transport of nodes in a whole mesh: an agent whose gateway stops answering, and what operators see of it.

import { afterAll, beforeAll, expect, test } from "vitest";
import type { MeshStatus } from "../../src/protocol/status.ts";
import { freePort, isUnderPlatformRules, MeshProcess } from "../support/mesh-process.ts";
import { until } from "../support/until.ts";

type EngineNode = {
  readonly ID: string;
  readonly Gateway?: { readonly Transport: string; readonly URL: string; readonly Reason: string };
};

let mesh: MeshProcess;
let port: number;
/** The mesh binds tunnel objects. */
let hasTunnel: boolean;

beforeAll(async () => {
  mesh = await MeshProcess.start(["--empty", "--nodes", "2"]);
  port = await freePort();
  const created = await mesh.waggle(
    "service",
    "create",
    "--name",
    "my-web",
    "-p",
    `${port}:80`,
    "waggle/whoami",
  );
  expect(created, created.err).toMatchObject({ code: 0 });
  hasTunnel = (await mesh.waggle("node", "update", "--transport", "tunnel", "node2")).code === 0;
  await update("node2", "--transport", "auto");
});

afterAll(async () => {
  await mesh?.remove();
});

/** Under the platform's rules nodes have names and certificates. */
const [scheme, address] = isUnderPlatformRules ? ["https", "node1.edge.test"] : ["http", "127.0.0.2"];

async function update(...args: string[]): Promise<void> {
  const updated = await mesh.waggle("node", "update", ...args.slice(1), args[0] as string);
  expect(updated, updated.err).toMatchObject({ code: 0 });
}

async function gatewayOf(node: string): Promise<NonNullable<EngineNode["Gateway"]>> {
  const { Gateway } = await mesh.get<EngineNode>(`/nodes/${node}?gateway=true`);
  if (Gateway === undefined) throw new Error(`${node} has no gateway`);
  return Gateway;
}

async function problemsOf(node: string) {
  const { problems } = await mesh.get<MeshStatus>("/mesh/status");
  return problems.filter(({ what }) => what === `node ${node}`);
}

/** Freezes a node's agent, which listens then but answers nothing, until `work` has ended. */
async function withFrozenAgent(node: string, work: () => Promise<void>): Promise<void> {
  const pid = mesh.agentPid(node);
  process.kill(pid, "SIGSTOP");
  try {
    await work();
  } finally {
    process.kill(pid, "SIGCONT");
  }
}

test("[O100] [O108] a node whose gateway answers is direct, and every view says so", async () => {
  await until("a check of node1", async () => (await gatewayOf("node1")).Transport === "direct");
  const { URL, Reason } = await gatewayOf("node1");
  expect([URL, Reason]).toEqual([expect.stringMatching(`^${scheme}://${address}:\\d+$`), ""]);
  expect((await mesh.waggle("node", "ls")).out).toMatch(/TRANSPORT\n.*node1 .* direct\n/);
  expect((await mesh.waggle("status")).out).toMatch(new RegExp(`node1 .* ${address} +direct`));
  expect((await mesh.waggle("table")).out).toContain(` ${address} direct ${URL} `);
  expect((await mesh.waggle("node", "inspect", "--pretty", "node1")).out).toContain(
    `Gateway:\n Transport:             direct\n URL:                   ${URL}\n`,
  );
});

test("[O109] a trace names the transport of the attempt", async () => {
  const trace = () => mesh.waggle("trace", `http://127.0.0.2:${port}/`);
  const { out } = await until("a response", async () => {
    const traced = await trace();
    return traced.out.includes("200 OK") ? traced : null;
  });
  expect(out).toMatch(/my-web\.1 on node[12] \((direct|tunnel)\): 200 in /);
});

test("[O101] [O103] [O108] a node pinned to direct stays there when its gateway stops answering; that is a problem until it answers", async () => {
  await update("node1", "--transport", "direct");
  await withFrozenAgent("node1", async () => {
    await update("node1", "--transport", "direct");
    const [problem] = await until("the problem", async () => {
      const found = await problemsOf("node1");
      return found.length > 0 ? found : null;
    });
    const { Transport, URL } = await gatewayOf("node1");
    expect(Transport).toBe("direct");
    expect(problem?.why).toContain(`direct: no answer from ${URL}: open TCP port `);
    expect((await mesh.waggle("status")).out).toContain(`no answer from ${URL}`);
  });
  await update("node1", "--transport", "direct");
  await until("no problem", async () => (await problemsOf("node1")).length === 0);
  expect((await gatewayOf("node1")).Reason).toBe("");
});

test("[O100] [O103] any other node moves to the tunnel if the mesh has one, and back", async () => {
  await withFrozenAgent("node2", async () => {
    await update("node2", "--transport", "auto");
    await until("the reason", async () => (await gatewayOf("node2")).Reason.startsWith("no answer from"));
    expect((await gatewayOf("node2")).Transport).toBe(hasTunnel ? "tunnel" : "direct");
  });
  await update("node2", "--transport", "auto");
  await until("direct", async () => {
    const { Transport, Reason } = await gatewayOf("node2");
    return Transport === "direct" && Reason === "";
  });
});
