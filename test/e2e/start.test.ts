// A mesh on this machine as a newcomer meets it: its start, a second terminal, the commands of docs/cli.md, its end.

import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type CommandResult, freePort, MeshProcess, newStateDir } from "../support/mesh-process.ts";
import { until } from "../support/until.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const bin = join(root, "bin/waggle");

/** A shell in another folder than the project's, with `waggle` in its PATH and the contexts of a mesh. */
class Terminal {
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;

  constructor({ stateDir, configHome, control }: MeshProcess) {
    this.folder = join(stateDir, "terminal");
    const programs = join(this.folder, "bin");
    mkdirSync(programs, { recursive: true });
    symlinkSync(bin, join(programs, "waggle"));
    const { WAGGLE_HOST: _, WAGGLE_URL: __, WAGGLE_TOKEN: ___, ...env } = process.env;
    this.env = {
      ...env,
      PATH: `${programs}:${process.env.PATH}`,
      XDG_CONFIG_HOME: configHome,
      WAGGLE_MESH: control,
    };
  }

  run(line: string): Promise<CommandResult> {
    const child = spawn("sh", ["-c", line], {
      cwd: this.folder,
      env: this.env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let [out, err] = ["", ""];
    child.stdout.on("data", (bytes) => {
      out += bytes;
    });
    child.stderr.on("data", (bytes) => {
      err += bytes;
    });
    return new Promise((resolve) => child.once("close", (code) => resolve({ code: code ?? 1, out, err })));
  }
}

/** Runs the line of an agent until its node is ready and `use` has ended. */
async function withAgent(
  terminal: Terminal,
  line: string,
  cwd: string,
  name: string,
  use: () => Promise<unknown> = async () => {},
): Promise<void> {
  const agent = spawn("sh", ["-c", `exec ${line}`], { cwd, env: terminal.env, stdio: "ignore" });
  const ended = new Promise((resolve) => agent.once("exit", resolve));
  try {
    const isReady = async () => {
      const { out: nodes } = await terminal.run("waggle node ls --format '{{.Hostname}} {{.Status}}'");
      return nodes.includes(`${name} Ready\n`);
    };
    await until(`the node ${name}`, isReady, { withinMs: 30_000 });
    await use();
  } finally {
    agent.kill("SIGINT");
    await ended;
  }
}

/** The commands of the code blocks of docs/cli.md, in order. */
function documentedCommands(): readonly string[] {
  const text = readFileSync(new URL("../../docs/cli.md", import.meta.url), "utf8");
  const blocks = [...text.matchAll(/^```(\w*)\n(.*?)^```/gms)];
  return blocks.flatMap(([, language, block = ""]) => {
    const lines = block.trim().split("\n");
    if (language === "sh") return lines;
    // In a transcript the commands follow a prompt.
    return lines.filter((line) => line.startsWith("$ ")).map((line) => line.slice(2));
  });
}

describe("a running mesh", () => {
  let mesh: MeshProcess;
  let terminal: Terminal;
  let port = 0;

  beforeAll(async () => {
    mesh = await MeshProcess.start(["--empty"]);
    terminal = new Terminal(mesh);
    port = await freePort();
    const service = ["--name", "my-web", "-p", `${port}:80`, "--replicas", "2", "waggle/whoami"];
    const created = await mesh.waggle("service", "create", ...service);
    expect(created, created.err).toMatchObject({ code: 0 });
  });
  afterAll(() => mesh?.remove());

  test("[U447] a second terminal finds the mesh from any folder, by a context without a token", async () => {
    expect(await terminal.run("waggle node ls --format '{{.Hostname}}'")).toEqual({
      code: 0,
      out: "node1\nnode2\nnode3\nwaggle\n",
      err: "",
    });
    expect((await terminal.run("waggle context ls")).out).toMatch(/^default \* +from context local +http/m);
    expect(readFileSync(join(mesh.configHome, "waggle/contexts.json"), "utf8")).not.toContain(mesh.token);
  });

  test("[U446] the dashboard's link, the URL and the token come before anything that the mesh waits for", () => {
    // Under the platform's rules, these are the first line.
    const lines = mesh.output.split("\n").filter((line) => !line.startsWith("Cloudflare's rules:"));
    expect(lines[1]).toMatch(/^Dashboard: http:\/\/control\.localhost:\d+\/dashboard\/sign-in\?code=/);
    expect(lines[2]).toBe(`Control API: ${mesh.control}   token: ${mesh.token}`);
    expect(lines[3]).toMatch(/^nodes: /);
  });

  const commands = documentedCommands();

  test("[L113] docs/cli.md has commands in code blocks", () => {
    expect(commands.length).toBeGreaterThan(20);
  });

  test("[L113] the commands of docs/cli.md work, one after the other", async () => {
    writeFileSync(join(terminal.folder, ".waggle-token"), mesh.token);
    const failed: string[] = [];
    for (const command of commands) {
      const { code, err } = await terminal.run(command.replaceAll(":8080/", `:${port}/`));
      if (code !== 0) failed.push(`${command}: ${code} ${err}`);
    }
    expect(failed).toEqual([]);
  }, 120_000);

  test("[U450] the line of join-token adds a node as it is printed", async () => {
    const { out } = await terminal.run(`${bin} join-token`);
    const line =
      out
        .split("\n")
        .find((text) => text.includes("agent --join"))
        ?.trim() ?? "";
    expect(line).toMatch(/^\/\S+\/bin\/waggle agent --join SWMTKN-1-\S+ http:/);
    expect((await terminal.run("waggle join-token")).out).toContain("\n    waggle agent --join SWMTKN-1-");
    // Another mesh of this machine may have the default port.
    await withAgent(terminal, `${line} --gateway-port 0 --name fourth`, terminal.folder, "fourth");
  });

  test("[U530] the line of the start for another node adds one as it is printed, and its ports respond", async () => {
    const [line = ""] = /bin\/waggle agent --join .*/.exec(mesh.output) ?? [];
    try {
      await withAgent(terminal, line, root, "node4", () =>
        until("its published port", async () => (await fetch(`http://127.0.0.5:${port}/`)).ok),
      );
    } finally {
      rmSync(`${mesh.stateDir}-node4`, { recursive: true, force: true });
    }
  });

  test("[L111] down stops it from another terminal, says what it stopped, and then that nothing runs", async () => {
    expect(await terminal.run("waggle down")).toMatchObject({
      code: 0,
      out: expect.stringMatching(
        new RegExp(
          `^Stopped the mesh in ${mesh.stateDir} \\(process ${mesh.pid}\\): 5 nodes, 2 tasks, services my-web\\n$`,
        ),
      ),
    });
    expect(await mesh.ended()).toBe(0);
    expect(mesh.allPids()).toEqual([]);
    const again = await terminal.run(`waggle down --state ${mesh.stateDir}`);
    expect(again).toMatchObject({ code: 0, out: expect.stringContaining("nothing to stop") });
    const { code, err } = await terminal.run("waggle status");
    expect([code, err]).toEqual([
      3,
      expect.stringContaining(`"waggle up --state ${mesh.stateDir}" starts it`),
    ]);
  });
});

describe("a mesh that is started again", () => {
  const stateDir = newStateDir();
  let started: MeshProcess | null = null;
  afterAll(() => started?.remove());

  test("[U448] has its tasks where they were, and [U446] does not wait for a service that cannot run", async () => {
    const placements = async (mesh: MeshProcess) =>
      (await mesh.waggle("task", "ls", "-f", "desired-state=running", "--format", "{{.Name}} {{.Node}}")).out;
    const mesh = await MeshProcess.start(["--empty"], stateDir);
    let before = "";
    try {
      const create = (...args: string[]) =>
        mesh.waggle("service", "create", "--name", ...args, "waggle/whoami");
      expect(await create("web", "--replicas", "6")).toMatchObject({ code: 0 });
      expect(await create("stuck", "--detach", "--constraint", "node.labels.none==x")).toMatchObject({
        code: 0,
      });
      before = await placements(mesh);
      expect(new Set(before.match(/node\d/g)).size).toBe(3);
    } finally {
      await mesh.stop();
    }
    const again = await MeshProcess.start([], stateDir);
    started = again;
    try {
      expect(await placements(again)).toBe(before);
      const { output } = again;
      expect(output).toContain('stuck: not all of its tasks run yet; "waggle status" shows the reason');
      expect(output.indexOf("Dashboard: ")).toBeLessThan(output.indexOf("nodes: "));
    } finally {
      await again.stop();
    }
  }, 150_000);
});
