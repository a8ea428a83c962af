// What the Docker CLI prints after the same commands on any engine, for golden files.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { maskedOutput, type Replacements } from "./masked-output.ts";
import { run } from "./mesh-process.ts";
import { until } from "./until.ts";

/** The versions of the CLI that have golden files: what it prints is its own. */
const knownVersions = ["20.10", "28.2"];

/** Each Docker CLI of a known version, as version and command; Debian's may be hidden by another one. */
export const dockerCommands: readonly (readonly [version: string, command: string])[] = [
  ...new Map(
    ["/usr/bin/docker", "docker"].flatMap((command) => {
      const { stdout } = spawnSync(command, ["--version"], { encoding: "utf8" });
      const version = /version (\d+\.\d+)\./.exec(stdout ?? "")?.[1] ?? "";
      return knownVersions.includes(version) ? [[version, command] as const] : [];
    }),
  ),
];

/** Why no golden files can be compared; null if they can. */
export const noDockerCommand =
  dockerCommands.length > 0 ? null : `no Docker CLI ${knownVersions.join(" or ")}; apt-get install docker.io`;

export type GoldenEngine = {
  /** Of the folder of its golden files. */
  readonly name: "dockerd" | "mesh";
  /** DOCKER_HOST. */
  readonly host: string;
  /** The node with the tasks. */
  readonly node: string;
  /** Free ports for a service, a stack and a port of mode host. */
  readonly ports: readonly [number, number, number];
  readonly replacements: Replacements;
};

const stackFile = (port: number) => `version: "3.9"
services:
  front:
    image: nginx
    ports: ["${port}:80"]
    deploy: { replicas: 2, labels: { tier: front } }
  once:
    image: busybox
    command: ["true"]
    deploy: { restart_policy: { condition: none } }
`;

/** Creates services of each kind, and compares what commands print with the golden files. */
export async function compareWithGolden(
  version: string,
  command: string,
  engine: GoldenEngine,
): Promise<void> {
  const { DOCKER_CUSTOM_HEADERS: _headers, DOCKER_API_VERSION: _version, ...inherited } = process.env;
  const env = { ...inherited, DOCKER_HOST: engine.host };
  const [port, stackPort, hostPort] = engine.ports;
  const docker = (args: readonly string[]) => run(command, args, env);
  const ok = async (...args: string[]) => {
    const { code, out, err } = await docker(args);
    expect(code, `docker ${args.join(" ")}\n${out}${err}`).toBe(0);
    return out;
  };
  const replacements: Replacements = [
    ...engine.replacements,
    [engine.node, "node1"],
    [String(port), "8080"],
    [String(stackPort), "8081"],
    [String(hostPort), "8090"],
  ];
  const transcript = async (lines: readonly (readonly string[])[]): Promise<string> => {
    const parts: string[] = [];
    for (const args of lines) {
      const { code, out, err } = await docker(args);
      const shown = maskedOutput(out + err, replacements);
      const line = maskedOutput(args.map(quoted).join(" "), replacements);
      parts.push(`$ docker ${line}\n${shown}${code === 0 ? "" : `\n(exit code ${code})`}\n`);
    }
    return parts.join("\n");
  };
  const golden = async (name: string, lines: readonly (readonly string[])[]) =>
    expect(await transcript(lines)).toMatchFileSnapshot(
      `../golden/docker/${version}/${engine.name}/${name}.txt`,
    );
  const create = (...args: string[]) => ["service", "create", "--no-resolve-image", ...args];
  const folder = mkdtempSync(join(tmpdir(), "waggle-stack-"));
  // The events of an earlier run may be of this second.
  const beganAtSeconds = Math.ceil(Date.now() / 1_000);
  await until("the next second", () => Date.now() >= beganAtSeconds * 1_000);

  try {
    writeFileSync(join(folder, "stack.yml"), stackFile(stackPort));
    const jobs = [
      [...create("-d", "--name", "job", "--mode", "replicated-job", "busybox", "true")],
      [...create("-d", "--name", "failing", "--restart-condition", "none", "busybox", "sh", "-c", "exit 3")],
      [...create("-d", "--name", "missing", "--restart-condition", "none", "no/such:image")],
      [...create("-d", "--name", "nowhere", "--constraint", "node.labels.x==y", "busybox")],
      [
        ...create("-d", "--name", "everywhere", "--mode", "global"),
        ...["-p", `mode=host,published=${hostPort},target=80`, "nginx"],
      ],
      ["stack", "deploy", "--resolve-image", "never", "-c", join(folder, "stack.yml"), "demo"],
    ];
    for (const args of jobs) await ok(...args);
    await golden("create", [
      [
        ...create("--name", "web", "--replicas", "2", "-p", `${port}:80`, "--label", "tier=front"),
        ...["--env", "A=1", "--constraint", "node.platform.os==linux", "--stop-grace-period", "3s", "nginx"],
      ],
      ["service", "scale", "-d", "web=3"],
      ["service", "update", "-d", "--label-add", "x=y", "web"],
      ["service", "rollback", "-d", "web"],
    ]);
    await until(
      "tasks in lasting states",
      async () => {
        const names = [
          "web",
          "everywhere",
          "job",
          "failing",
          "missing",
          "nowhere",
          "demo_front",
          "demo_once",
        ];
        const format = ["--format", "{{.Name}} {{.CurrentState}}"];
        const states = (await Promise.all(names.map((name) => ok("service", "ps", ...format, name)))).join(
          "",
        );
        const lasting = [
          /web\.3 Running/,
          /everywhere\.\w+ Running/,
          /job\.\w+ Complete/,
          /failing\.1 Failed/,
          /missing\.1 Rejected/,
          /nowhere\.1 Pending/,
          /demo_front\.1 Running/,
          /demo_front\.2 Running/,
          /demo_once\.1 Complete/,
        ];
        const rollback = await ok("service", "inspect", "--format", "{{.UpdateStatus.State}}", "web");
        if (!rollback.includes("rollback_completed")) throw new Error(rollback);
        if (!lasting.every((pattern) => pattern.test(states))) throw new Error(states);
        return true;
      },
      { withinMs: 60_000, everyMs: 200 },
    );
    await golden("nodes", [
      ["node", "ls"],
      ["node", "inspect", "--pretty", engine.node],
      ["node", "ls", "--filter", "role=worker", "--format", "{{.Hostname}} {{.Availability}}"],
    ]);
    await golden("services", [
      ["service", "ls"],
      ["service", "ls", "--filter", "mode=global", "--format", "{{.Name}} {{.Replicas}}"],
      ["service", "inspect", "--pretty", "web"],
      ["service", "inspect", "--pretty", "job"],
    ]);
    await golden(
      "tasks",
      ["web", "everywhere", "job", "failing", "missing", "nowhere"].map((name) => [
        "service",
        "ps",
        "--no-trunc",
        name,
      ]),
    );
    await golden("stack", [
      ["stack", "ls"],
      ["stack", "services", "demo"],
      ["stack", "ps", "demo"],
    ]);
    await golden("containers", [
      ["ps", "--filter", "name=everywhere"],
      ["ps", "-a", "--filter", "name=failing", "--format", "{{.Image}} {{.State}} {{.Status}}"],
    ]);
    await golden("system", [
      ["version"],
      ["info"],
      ["network", "ls"],
      ["volume", "ls"],
      ["secret", "ls"],
      ["config", "ls"],
      ["swarm", "join-token", "worker"],
      ["swarm", "unlock-key"],
    ]);
    await golden("mistakes", [
      create("--name", "web", "nginx"),
      create("--name", "taken", "-p", `${port}:80`, "nginx"),
      create("--name", "no_name!", "nginx"),
      create("--name", "x", "-p", "published=8080", "nginx"),
      create("--name", "x", "--limit-memory", "1m", "nginx"),
      create("--name", "x", "--mode", "global", "--replicas", "2", "nginx"),
      create("--name", "x", "UPPER/case"),
      ["service", "ps", "nosuch"],
      ["service", "inspect", "nosuch"],
      ["service", "scale", "everywhere=3"],
      ["service", "rollback", "everywhere"],
      ["service", "rm", "nosuch"],
      ["service", "ls", "--filter", "bogus=x"],
      ["node", "inspect", "nosuch"],
      ["node", "update", "--availability", "bogus", engine.node],
      ["stack", "services", "nosuch"],
      ["stack", "rm", "nosuch"],
      ["inspect", "nosuch"],
      ["logs", "nosuch"],
      ["swarm", "init"],
    ]);
    const nowSeconds = String(Math.floor(Date.now() / 1_000));
    const replay = ["events", "--since", String(beganAtSeconds), "--until", nowSeconds];
    const ofFailing = ["--filter", "label=com.docker.swarm.service.name=failing", "--filter", "event=die"];
    const container = "{{.Type}} {{.Action}} {{.Actor.Attributes.exitCode}} {{.Actor.Attributes.image}}";
    await golden("events", [
      [...replay, "--filter", "type=service", "--filter", "service=everywhere"],
      [...replay, "--filter", "type=container", ...ofFailing, "--format", container],
    ]);
  } finally {
    const services = (await ok("service", "ls", "-q")).split("\n").filter(Boolean);
    await ok("service", "rm", ...services);
    await until("no container to run", async () => (await ok("ps", "-q")) === "", {
      withinMs: 30_000,
      everyMs: 100,
    });
    rmSync(folder, { recursive: true, force: true });
  }
}

/** An argument as a shell takes it. */
function quoted(argument: string): string {
  return /^[\w.,:=/!@-]+$/.test(argument) ? argument : `'${argument}'`;
}
