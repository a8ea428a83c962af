// Secrets and configs with the unmodified Docker CLI: on nodes of processes, and on nodes with Docker.

import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DockerMesh } from "../support/docker-mesh.ts";
import { dockerdProblem, type PrivateDockerd } from "../support/dockerd.ts";
import { type CommandResult, MeshProcess } from "../support/mesh-process.ts";
import { until } from "../support/until.ts";

const hasDocker = spawnSync("docker", ["--version"]).status === 0;
const secretText = "hunter2-of-the-e2e-test";
const slow = { withinMs: 60_000, everyMs: 100 };

/** All files below a folder in which a text is found, also as base64. */
function filesWith(text: string, dir: string): string[] {
  const wanted = [text, Buffer.from(text).toString("base64"), Buffer.from(text).toString("base64url")];
  const found: string[] = [];
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && wanted.some((each) => readFileSync(path).includes(each))) found.push(path);
  }
  return found;
}

type Docker = (...args: string[]) => Promise<CommandResult>;

/** Runs the Docker CLI, which must succeed. */
const succeeding =
  (docker: Docker) =>
  async (...args: string[]): Promise<string> => {
    const { code, out, err } = await docker(...args);
    expect(code, `docker ${args.join(" ")}\n${out}${err}`).toBe(0);
    return out.trim();
  };

describe.skipIf(!hasDocker)(
  hasDocker
    ? "nodes of processes"
    : "nodes of processes (skipped: no docker command; apt-get install docker.io)",
  () => {
    let mesh: MeshProcess;
    let dir: string;
    const docker: Docker = (...args) => mesh.docker(...args);
    const ok = succeeding(docker);

    beforeAll(async () => {
      mesh = await MeshProcess.start(["--empty", "--nodes", "2"]);
      dir = mkdtempSync(join(tmpdir(), "waggle-secrets-"));
      writeFileSync(join(dir, "secret"), secretText);
      writeFileSync(join(dir, "config"), "level = 3\n");
    }, 60_000);

    afterAll(async () => {
      await mesh?.remove();
      rmSync(dir, { recursive: true, force: true });
    }, 60_000);

    /** Where a task of the service has its secrets, as the task itself wrote it into its log. */
    const foldersOf = (service: string): Promise<string[]> =>
      until(`the folder of ${service}`, async () => {
        const ids = (await ok("service", "ps", "-q", "--no-trunc", "-f", "desired-state=running", service))
          .split("\n")
          .filter(Boolean);
        const logs = ["node1", "node2"].flatMap((node) =>
          ids.map((id) => join(mesh.stateDir, "nodes", node, "tasks", id, "log")),
        );
        const folders = logs.flatMap((log) =>
          existsSync(log)
            ? [...readFileSync(log, "utf8").matchAll(/DIR=(\S+)/g)].map(([, path]) => path ?? "")
            : [],
        );
        return folders.length > 0 && folders;
      });

    const sleeping = (...flags: string[]) => [
      ...["service", "create", "-q", ...flags, "--entrypoint", "sh", "waggle/whoami", "-c"],
      "env | grep -E 'WAGGLE_(SECRETS|CONFIGS)_DIR'; exec sleep 1000",
    ];

    test("[D60] secrets and configs are created, listed, inspected and removed, several at once", async () => {
      for (const kind of ["secret", "config"]) {
        for (const name of ["one", "two"]) await ok(kind, "create", "-l", "a=b", name, join(dir, kind));
        expect((await ok(kind, "ls", "--format", "{{.Name}} {{.Labels}}")).split("\n").sort()).toEqual([
          "one a=b",
          "two a=b",
        ]);
        expect(await ok(kind, "inspect", "--pretty", "one")).toMatch(/Name:\s+one\nLabels:\n - a=b/);
        const again = await docker(kind, "create", "one", join(dir, kind));
        expect(again.err).toContain(`code = AlreadyExists desc = ${kind} one already exists`);
        const removed = await docker(kind, "rm", "one", "none", "two");
        expect([removed.code, removed.out, removed.err]).toEqual([
          1,
          "one\ntwo\n",
          `Error response from daemon: ${kind} none not found\n`,
        ]);
      }
    });

    test("[N220] a process reads its secrets and configs in folders of its own, which end with it", async () => {
      await ok("secret", "create", "password", join(dir, "secret"));
      await ok("config", "create", "settings", join(dir, "config"));
      await ok(
        ...sleeping("--name", "web", "--secret", "source=password,target=db/pw", "--config", "settings"),
      );
      const [first = "", second = ""] = (await foldersOf("web")).sort();
      expect(readFileSync(join(second, "db/pw"), "utf8")).toBe(secretText);
      expect(readFileSync(join(first, "settings"), "utf8")).toBe("level = 3\n");
      expect([statSync(second).mode & 0o777, statSync(join(second, "db/pw")).mode & 0o777]).toEqual([
        0o700, 0o600,
      ]);
      expect((await docker("secret", "rm", "password")).err).toContain(
        "secret 'password' is in use by the following service: web",
      );
      await ok("service", "rm", "web");
      await until("the folder to be removed", () => !existsSync(dirname(first)), slow);
    }, 60_000);

    test("[N222] a task keeps its files when its agent is killed, and an update replaces the task", async () => {
      await ok(...sleeping("--name", "kept", "--secret", "password"));
      const [folder = ""] = await foldersOf("kept");
      const node = await ok("service", "ps", "--format", "{{.Node}}", "kept");
      const log = join(mesh.stateDir, "log", `${node}.log`);
      process.kill(mesh.agentPid(node), "SIGKILL");
      await mesh.waitForOutput(`the agent of ${node} is running again`, 20_000);
      await until("node to be ready", async () => (await ok("node", "ls")).includes(node), slow);
      expect(readFileSync(join(folder, "password"), "utf8")).toBe(secretText);
      writeFileSync(join(dir, "next"), "the next one");
      await ok("secret", "create", "next", join(dir, "next"));
      const change = ["--secret-rm", "password", "--secret-add", "source=next,target=password"];
      await ok("service", "update", "-q", ...change, "kept");
      const [replaced = ""] = await foldersOf("kept");
      expect(readFileSync(join(replaced, "password"), "utf8")).toBe("the next one");
      await until("the old folder to be removed", () => !existsSync(folder), slow);
      await ok("service", "rm", "kept");
      expect(existsSync(log) ? readFileSync(log, "utf8") : "").not.toContain(secretText);
    }, 60_000);

    test("[N225] a process cannot have an absolute path or another owner, and the task says what would work", async () => {
      for (const [name, target, reason] of [
        ["absolute", "target=/etc/password", "cannot have secret password at /etc/password"],
        ["owned", "target=password,uid=101", "cannot belong to 101:0"],
      ] as const) {
        await ok(...sleeping("-d", "--name", name, "--secret", `source=password,${target}`));
        await until(`the reason of ${name}`, async () =>
          (await ok("service", "ps", "--no-trunc", "--format", "{{.Error}}", name)).includes(reason),
        );
        await ok("service", "rm", name);
      }
    });

    test("[D61] a stack creates its secrets and configs, uses external ones, and removes its own", async () => {
      const file = join(dir, "stack.yml");
      writeFileSync(
        file,
        `services:
  app:
    image: waggle/whoami
    entrypoint: ["sh", "-c", "env | grep -E 'WAGGLE_(SECRETS|CONFIGS)_DIR'; exec sleep 1000"]
    secrets: [mine, {source: theirs, target: other}]
    configs: [{source: settings, target: app.conf}]
secrets:
  mine: {file: ./secret}
  theirs: {external: true, name: next}
configs:
  settings: {file: ./config, name: named}
`,
      );
      await ok("stack", "deploy", "-d", "-c", file, "demo");
      const [configs = "", secrets = ""] = (await foldersOf("demo_app")).sort();
      expect(readFileSync(join(secrets, "mine"), "utf8")).toBe(secretText);
      expect(readFileSync(join(secrets, "other"), "utf8")).toBe("the next one");
      expect(readFileSync(join(configs, "app.conf"), "utf8")).toBe("level = 3\n");
      expect(await ok("secret", "ls", "--format", "{{.Name}}")).toContain("demo_mine");
      await ok("stack", "deploy", "-d", "-c", file, "demo");
      expect(await ok("stack", "ps", "demo", "--format", "{{.Name}}")).toBe("demo_app.1");
      await ok("stack", "rm", "demo");
      expect((await ok("secret", "ls", "--format", "{{.Name}}")).split("\n").sort()).toEqual([
        "next",
        "password",
      ]);
      expect(await ok("config", "ls", "--format", "{{.Name}}")).toBe("settings");
    }, 60_000);

    test("[N226] the data is in no file of the mesh: not of the registry, its nodes or their logs", () => {
      expect(filesWith(secretText, mesh.stateDir)).toEqual([]);
      expect(mesh.output).not.toContain(secretText);
    });
  },
);

const problem = dockerdProblem();

describe.skipIf(problem !== null)(
  problem === null ? "nodes with Docker" : `nodes with Docker (skipped: ${problem})`,
  () => {
    let started: DockerMesh;
    let dockerd: PrivateDockerd;
    let mesh: MeshProcess;
    let ok: DockerMesh["ok"];
    let dir: string;

    beforeAll(async () => {
      started = await DockerMesh.start();
      ({ dockerd, mesh, ok } = started);
      dir = mkdtempSync(join(tmpdir(), "waggle-secrets-"));
      writeFileSync(join(dir, "secret"), secretText);
    }, 120_000);

    afterAll(async () => {
      await started?.remove();
      if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
    }, 60_000);

    test("[N221] a container has files at the paths, of the owners and modes of its service, on no disk", async () => {
      await ok("secret", "create", "password", join(dir, "secret"));
      await ok("config", "create", "settings", join(dir, "secret"));
      await ok(
        ...["service", "create", "-q", "--no-resolve-image", "--name", "db", "--secret", "password"],
        ...["--secret", "source=password,target=/etc/pw,uid=101,gid=102,mode=0400"],
        ...["--config", "source=settings,target=/etc/app/settings.conf", "--config", "settings"],
        ...["busybox", "sleep", "1000"],
      );
      const id = await dockerd.docker("ps", "-q", "--filter", "label=com.docker.swarm.service.name=db");
      const inside = (command: string) => dockerd.docker("exec", id, "sh", "-c", command);
      const paths = ["/run/secrets/password", "/etc/pw", "/etc/app/settings.conf", "/settings"];
      expect(await inside(`cat ${paths.join(" ")}`)).toBe(secretText.repeat(4));
      expect(await inside(`stat -c '%u %g %a' ${paths.join(" ")}`)).toBe(
        "0 0 444\n101 102 400\n0 0 444\n0 0 444",
      );
      expect(await inside("echo x > /etc/pw 2>&1; true")).toContain("Read-only file system");
      expect(await inside("grep ' /run/secrets/password ' /proc/mounts")).toMatch(/^tmpfs /);
      expect(filesWith(secretText, mesh.stateDir)).toEqual([]);
      expect(spawnSync("grep", ["-rl", secretText, join(dockerd.dir, "data")]).stdout.toString()).toBe("");
      await ok("service", "rm", "db");
      await ok("secret", "rm", "password");
    }, 120_000);
  },
);
