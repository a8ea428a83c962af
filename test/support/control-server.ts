// The control API of a mesh in memory, served by Node, with simulated agents: for trying the Docker CLI by
// hand. Run directly, this file starts the server, prints the variables to export, and stops on Ctrl-C.

import { fileURLToPath } from "node:url";
import { controlApp } from "../../src/control/app.ts";
import { randomId } from "../../src/registry/secrets.ts";
import type { Telemetry } from "../../src/telemetry/telemetry.ts";
import { TestMesh } from "../unit/registry/harness.ts";
import { serve } from "./serve.ts";
import { newTelemetry } from "./telemetry.ts";

export type ControlServer = {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  readonly mesh: TestMesh;
  readonly telemetry: Telemetry;
  readonly stop: () => Promise<void>;
};

export const serverToken = "test-operator-token";
const viewerToken = "test-viewer-token";

/** The time an agent takes for each step of a task; long enough for a progress bar to show it. */
const stepMs = 100;

/** Serves a mesh with nodes node1, node2, … on a free port. Its clock is the system clock. */
export async function startControlServer(nodes = 3): Promise<ControlServer> {
  const mesh = new TestMesh();
  mesh.nowMs = Date.now();
  for (let number = 1; number <= nodes; number += 1) mesh.node(`node${number}`);
  const telemetry = newTelemetry();
  const app = controlApp({
    mesh: withSystemClock(mesh),
    telemetry,
    counters: telemetry,
    operatorToken: serverToken,
    viewerToken,
    now: () => Date.now(),
    entrySettings: { domain: "", balancerPort: 8000 },
    newId: randomId,
    dialGateway: async () => new Response(null, { status: 503 }),
    forward: async () => new Response("no sockets here", { status: 426 }),
  });
  const server = await serve((request) => app.fetch(request));
  const agents = setInterval(() => step(mesh), stepMs);
  return {
    host: server.host,
    mesh,
    telemetry,
    stop: async () => {
      clearInterval(agents);
      await server.stop();
    },
  };
}

/** The registry, with its clock set to the system clock before each call. */
function withSystemClock(mesh: TestMesh): TestMesh["registry"] {
  return new Proxy(mesh.registry, {
    get(registry, name) {
      mesh.nowMs = Date.now();
      const member: unknown = Reflect.get(registry, name);
      return typeof member === "function" ? member.bind(registry) : member;
    },
  });
}

function step(mesh: TestMesh): void {
  mesh.nowMs = Date.now();
  mesh.ring([...mesh.nodes.values()]);
  mesh.work();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const server = await startControlServer(Number(process.argv[2] ?? 3));
  console.log(`export DOCKER_HOST=tcp://${server.host}`);
  console.log(`export DOCKER_CUSTOM_HEADERS="Authorization=Bearer ${serverToken}"`);
  process.once("SIGINT", () => void server.stop());
  process.once("SIGTERM", () => void server.stop());
}
