// A backup of a mesh, its end, and a restore into a new one, with real agents and tasks.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { newStateDir as newAgentDir, type StartedAgent, startAgent } from "../support/agent-process.ts";
import { MeshProcess } from "../support/mesh-process.ts";
import { until } from "../support/until.ts";

const folder = mkdtempSync(join(tmpdir(), "waggle-restore-"));
const agentDirs = [newAgentDir(), newAgentDir()];
const file = join(folder, "mesh.backup");
const agents: StartedAgent[] = [];
const meshes: MeshProcess[] = [];

beforeAll(() => {
  process.env.WAGGLE_PASSPHRASE = "correct horse battery staple";
});

afterAll(async () => {
  delete process.env.WAGGLE_PASSPHRASE;
  for (const { process: agent, exited } of agents) {
    agent.kill("SIGINT");
    await exited;
  }
  for (const mesh of meshes) await mesh.remove();
  for (const path of [folder, ...agentDirs]) rmSync(path, { recursive: true, force: true });
});

function startNode(number: number, url: string, token?: string): StartedAgent {
  const [stateDir = ""] = agentDirs.slice(number - 1);
  const address = `127.0.0.${number + 1}`;
  const options = { url, stateDir, hostname: `node${number}`, address, ...(token && { token }) };
  const agent = startAgent(options);
  agents.push(agent);
  return agent;
}

const slow = { withinMs: 30_000 };

type Listed = {
  readonly ID: string;
  readonly Status: { readonly State: string; readonly ContainerStatus?: { readonly PID: number } };
  readonly DesiredState: string;
};

const running = async (mesh: MeshProcess, service: string) => {
  const filters = encodeURIComponent(JSON.stringify({ service: [service], "desired-state": ["running"] }));
  const tasks = await mesh.get<readonly Listed[]>(`/tasks?filters=${filters}`);
  return tasks.filter(({ Status }) => Status.State === "running");
};

/** Ids and processes of the tasks, ascending. */
const identities = (tasks: readonly Listed[]) =>
  tasks.map(({ ID, Status }) => `${ID} ${Status.ContainerStatus?.PID}`).sort();

async function post(mesh: MeshProcess, path: string, body: object): Promise<{ readonly ID: string }> {
  const response = await fetch(mesh.control + path, {
    method: "POST",
    headers: { authorization: `Bearer ${mesh.token}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as { readonly ID: string };
}

/** A service whose tasks read the secret. */
const reader = (name: string, secret: string, port: number) => ({
  Name: name,
  TaskTemplate: {
    ContainerSpec: {
      Image: "waggle/whoami",
      Secrets: [
        { SecretID: secret, SecretName: "pw", File: { Name: "pw", UID: "0", GID: "0", Mode: 0o444 } },
      ],
    },
  },
  Mode: { Replicated: { Replicas: 2 } },
  EndpointSpec: { Ports: [{ TargetPort: 80, PublishedPort: port }] },
});

/** True if the service answers at its published port. */
async function serves(mesh: MeshProcess): Promise<boolean> {
  const response = await fetch(`http://127.0.0.1:${mesh.edgePort}/`);
  return response.status === 200 && (await response.text()).includes("service: web");
}

const secretOf = (pid: number) => {
  const environment = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
  const folderOf = environment.find((line) => line.startsWith("WAGGLE_SECRETS_DIR="))?.slice(19);
  return readFileSync(join(folderOf ?? "", "pw"), "utf8");
};

test("[L168] the same tasks serve in a restored mesh, and a new one gets its secret", async () => {
  const old = await MeshProcess.start(["--empty", "--nodes", "0"]);
  meshes.push(old);
  const { JoinTokens } = await old.get<{ readonly JoinTokens: { readonly Worker: string } }>("/swarm");
  for (const number of [1, 2]) startNode(number, old.control, JoinTokens.Worker);
  await until(
    "both nodes",
    async () => {
      const nodes = await old.get<readonly { readonly Status: { readonly State: string } }[]>("/nodes");
      return nodes.filter(({ Status }) => Status.State === "ready").length === 3;
    },
    slow,
  );
  const { ID: secret } = await post(old, "/secrets/create", {
    Name: "pw",
    Data: Buffer.from("hunter2").toString("base64"),
  });
  await post(old, "/services/create", reader("web", secret, old.edgePort));
  const before = await until(
    "the tasks",
    async () => {
      const tasks = await running(old, "web");
      return tasks.length === 2 ? tasks : null;
    },
    slow,
  );
  const taken = await old.waggle("backup", file);
  expect(taken).toMatchObject({
    code: 0,
    out: expect.stringContaining("1 service (web), 2 nodes (node1, node2) and 1 secret (pw)"),
  });
  // Killed, as a machine that is lost.
  old.signal("SIGKILL");
  await old.ended();
  const [, second] = agents;
  second?.process.kill("SIGKILL");
  await second?.exited;

  const next = await MeshProcess.startInPlaceOf(old, ["--empty", "--nodes", "0"]);
  meshes.push(next);
  const [first] = agents;
  await until(
    "the first agent asks the new mesh",
    () => first?.lines.some((line) => line.includes("status 503: this mesh is new")),
    slow,
  );
  expect(await next.waggle("restore", file)).toMatchObject({ code: 0, err: "" });
  // At another URL: with its state folder, and without a token.
  const moved = startNode(2, next.control.replace("127.0.0.1", "localhost"));
  const connections = (agent?: StartedAgent) =>
    agent?.lines.filter((line) => line.includes("connected to the registry")).length;
  await until("both agents connect", () => connections(first) === 2 && connections(moved) === 1, slow);
  await until("the old tasks serve", () => serves(next), slow);
  expect(identities(await running(next, "web"))).toEqual(identities(before));
  await post(next, "/services/create", reader("later", secret, 0));
  const later = await until(
    "new tasks",
    async () => {
      const tasks = await running(next, "later");
      return tasks.length === 2 ? tasks : null;
    },
    slow,
  );
  for (const { Status } of later) expect(secretOf(Status.ContainerStatus?.PID ?? 0)).toBe("hunter2");
  expect(identities(await running(next, "web"))).toEqual(identities(before));
  expect(await serves(next)).toBe(true);
}, 120_000);
