// Containers under load: what requests notice while services are updated, and while nodes, daemons and agents stop.
//
// A step has the number of its rule in docs/spec.md. test/system/lab-docker.test.ts runs them and reads the report.

import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Lab, type LabNode, nodes } from "./lab.ts";
import type { LoadCounts } from "./load-client.ts";
import { ownAddress } from "./network.ts";
import { check, type Step, takeSteps } from "./steps.ts";

const port = 8080;
/** The balancer of the mesh: clients of a node's own port notice a cut cable of that node themselves. */
const url = `http://${ownAddress.mesh}:${port}/`;

const loadProgram = fileURLToPath(new URL("load-client.ts", import.meta.url));

const steps: readonly Step<Stage>[] = [
  { rule: "N402", title: "a rolling update of nginx containers", run: updates },
  { rule: "N403", title: "a node is cut off, and healed", run: cutsNode },
  {
    rule: "N404",
    title: "a Docker daemon is restarted, and its containers end with it",
    run: restartsDaemon,
  },
  { rule: "N405", title: "a Docker daemon with live-restore is restarted", run: restartsDaemonLive },
  { rule: "N406", title: "an agent is stopped, and started again", run: restartsAgent },
  { rule: "N408", title: "a secret is on no disk", run: keepsSecret },
];

/**
 * Takes the steps.
 *
 * @param rate requests per second
 * @returns true if no step failed
 */
export function load(lab: Lab, say: (line: string) => void, rate: number): Promise<boolean> {
  return takeSteps(steps, new Stage(lab, say, rate), say, () => lab.logs());
}

/** A container of the service on the daemon of a node. */
type Container = { readonly node: LabNode; readonly id: string };

/** The lab with a service of three nginx containers. */
class Stage {
  readonly lab: Lab;
  readonly say: (line: string) => void;
  /** Requests per second. */
  readonly #rate: number;

  constructor(lab: Lab, say: (line: string) => void, rate: number) {
    this.lab = lab;
    this.say = say;
    this.#rate = rate;
  }

  /** Runs the Docker CLI against the mesh. @throws if it fails */
  async docker(...args: readonly string[]): Promise<string> {
    return (await this.lab.runOk("client", ["docker", ...args])).trim();
  }

  /** Creates the service again, with a task on each node. */
  async begin(): Promise<void> {
    await this.lab.run("client", ["docker", "service", "rm", "web"]);
    const publish = ["--publish", `published=${port},target=80`];
    await this.docker("service", "create", "-d", "--name", "web", ...publish, "--replicas", "3", "nginx");
    const replicas = ["service", "ls", "--filter", "name=web", "--format", "{{.Replicas}}"];
    await this.until("three running tasks", async () => (await this.docker(...replicas)) === "3/3");
    // Those of the earlier service may still be stopping.
    await this.until("one container on each node", async () => {
      const containers = await this.containers();
      const isSpread = new Set(containers.map(({ node }) => node)).size === nodes.length;
      return isSpread && containers.length === nodes.length;
    });
  }

  /**
   * Keeps the service under load while something happens.
   *
   * @returns the counts, which are printed too
   */
  async underLoad(act: () => Promise<void>): Promise<LoadCounts> {
    const client = this.lab.start("load", "client", [process.execPath, loadProgram, url, String(this.#rate)]);
    client.ref();
    const ended = new Promise((resolve) => client.once("exit", resolve));
    try {
      await pause(1_000);
      await act();
      await pause(1_000);
    } finally {
      client.kill("SIGTERM");
      await ended;
    }
    const lines = readFileSync(join(this.lab.dir, "log", "load"), "utf8")
      .trim()
      .split("\n");
    const counts = JSON.parse(lines.at(-1) ?? "") as LoadCounts;
    const { sent, failed, p50Ms, p99Ms, maxMs, why } = counts;
    this.say(`  ${sent} requests, ${failed} failed; p50 ${p50Ms} ms, p99 ${p99Ms} ms, max ${maxMs} ms`);
    for (const [reason, count] of Object.entries(why)) this.say(`  ${count} x ${reason}`);
    return counts;
  }

  /** The running containers of the service on the daemons that respond. */
  async containers(on: readonly LabNode[] = nodes): Promise<readonly Container[]> {
    const filter = ["--filter", "label=com.docker.swarm.service.name=web"];
    const lists = await Promise.all(
      on.map(async (node) => {
        const { out } = await this.lab.engine(node, "ps", "-q", "--no-trunc", ...filter);
        return out
          .split("\n")
          .filter(Boolean)
          .map((id) => ({ node, id }));
      }),
    );
    return lists.flat();
  }

  async until(what: string, isDone: () => Promise<boolean>, withinMs = 60_000): Promise<void> {
    const deadlineMs = Date.now() + withinMs;
    while (!(await isDone())) {
      if (Date.now() > deadlineMs) throw new Error(`waited ${withinMs / 1000} s for ${what}`);
      await pause(200);
    }
  }
}

async function updates(stage: Stage): Promise<void> {
  await stage.begin();
  const before = await stage.containers();
  const counts = await stage.underLoad(async () => {
    await stage.docker("service", "update", "-q", "--no-resolve-image", "--image", "nginx:1.27", "web");
  });
  const after = await stage.containers();
  const isReplaced = after.every(({ id }) => before.every((other) => other.id !== id));
  check(after.length === 3 && isReplaced, "the update did not replace each container");
  check(counts.failed === 0, "the update failed requests");
}

async function cutsNode(stage: Stage): Promise<void> {
  await stage.begin();
  const { lab } = stage;
  let cutMs = 0;
  let detectedMs = 0;
  const counts = await stage.underLoad(async () => {
    lab.network.cut("node3");
    cutMs = Date.now();
    await stage.until("the node to be down", async () => !(await lab.isReady("node3")));
    detectedMs = Date.now();
    stage.say(`  node3 is down after ${seconds(detectedMs - cutMs)}`);
    await stage.until("three tasks on two nodes", async () => {
      return (await stage.containers(["node1", "node2"])).length === 3;
    });
    stage.say(`  its task runs elsewhere after ${seconds(Date.now() - cutMs)}`);
    lab.network.heal("node3");
    const healedMs = Date.now();
    await stage.until("the node to be ready", () => lab.isReady("node3"));
    stage.say(`  after the cable is back it is ready in ${seconds(Date.now() - healedMs)}`);
    await stage.until("its old container to end", async () => (await stage.containers()).length === 3);
  });
  const [first, last] = counts.failedMs ?? [0, 0];
  if (counts.failed > 0) stage.say(`  failures from ${seconds(first - cutMs)} to ${seconds(last - cutMs)}`);
  check(last <= detectedMs, "requests failed after the node was known to be down");
}

async function restartsDaemon(stage: Stage): Promise<void> {
  await stage.begin();
  const before = await containerOf(stage, "node1");
  const counts = await stage.underLoad(async () => {
    await stage.lab.stopDaemon("node1", "TERM");
    await stage.lab.startDaemon("node1");
    await stage.until("three containers", async () => (await stage.containers()).length === 3);
  });
  const after = await stage.containers();
  check(
    after.every(({ id }) => id !== before),
    "the container survived the daemon without live-restore",
  );
  check(counts.failed === 0, "the restart failed requests, although other nodes have tasks");
}

async function restartsDaemonLive(stage: Stage): Promise<void> {
  const { lab } = stage;
  await lab.stopDaemon("node1", "TERM");
  await lab.startDaemon("node1", ["--live-restore"]);
  await stage.begin();
  const before = await stage.containers();
  const counts = await stage.underLoad(async () => {
    await lab.stopDaemon("node1", "TERM");
    await lab.startDaemon("node1", ["--live-restore"]);
    await pause(3_000);
  });
  checkSame(before, await stage.containers());
  check(counts.failed === 0, "the restart failed requests");
}

async function restartsAgent(stage: Stage): Promise<void> {
  await stage.begin();
  const { lab } = stage;
  const before = await stage.containers();
  const counts = await stage.underLoad(async () => {
    const connections = () => lab.log("node1").split("connected to the registry").length;
    const [stoppedMs, earlier] = [Date.now(), connections()];
    await lab.stopNode("node1");
    lab.startNode("node1");
    await stage.until("the agent to be back", async () => connections() > earlier);
    await stage.until("the node to be ready", () => lab.isReady("node1"));
    // A node that is silent for longer counts as down, and its tasks are replaced.
    stage.say(`  the agent is back after ${seconds(Date.now() - stoppedMs)}`);
    await pause(3_000);
  });
  checkSame(before, await stage.containers());
  check(counts.failed === 0, "the restart failed requests");
}

async function keepsSecret(stage: Stage): Promise<void> {
  const { lab } = stage;
  // As long as a multiple of 3, so that its base64 has no padding.
  const value = randomBytes(24).toString("hex");
  await lab.runOk("client", ["docker", "secret", "create", "password", "-"], value);
  const place = ["--constraint", "node.hostname==node1", "--secret", "password"];
  const run = ["--name", "reader", ...place, "busybox", "sleep", "1000"];
  await stage.docker("service", "create", "-q", "--no-resolve-image", ...run);
  const filter = "label=com.docker.swarm.service.name=reader";
  const id = (await lab.engineOk("node1", "ps", "-q", "--filter", filter)).trim();
  const read = (await lab.engineOk("node1", "exec", id, "cat", "/run/secrets/password")).trim();
  check(read === value, `the task reads ${read}`);
  // The folder of the lab has the disks of all machines, the mesh's and the daemons' included.
  for (const text of [value, Buffer.from(value).toString("base64")]) {
    const { out } = await lab.run("mesh", ["grep", "-rlaF", "--devices=skip", text, lab.dir]);
    check(out === "", `these files have the secret: ${out}`);
  }
  // In memory it is on the machine of the task only.
  for (const node of ["node2", "node3"] as const) {
    const { out } = await lab.run(node, [
      "grep",
      "-rlaF",
      "--devices=skip",
      value,
      "/run",
      "/dev/shm",
      "/tmp",
    ]);
    check(out === "", `${node} has the secret in ${out}`);
  }
  stage.say("  the task reads it, and no file of the mesh, the nodes and their daemons has it");
}

async function containerOf(stage: Stage, node: LabNode): Promise<string> {
  const [container] = await stage.containers([node]);
  if (container === undefined) throw new Error(`no container on ${node}`);
  return container.id;
}

function checkSame(before: readonly Container[], after: readonly Container[]): void {
  const ids = (containers: readonly Container[]) =>
    containers
      .map(({ id }) => id)
      .sort()
      .join(" ");
  check(ids(before) === ids(after), `other containers: ${ids(before)}, and then ${ids(after)}`);
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
