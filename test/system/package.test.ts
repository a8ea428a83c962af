// The package from `npm pack`, installed and started as docs/install.md says, with the Node of this machine. The mesh
// has a network namespace of its own, because a user starts it on its default ports.

import { type ChildProcess, execFileSync, type SpawnSyncReturns, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { builtinModules } from "node:module";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { pack, pretendNode, repository, userEnvironment } from "../support/installed-package.ts";
import { namespaceProblem } from "../support/namespaces.ts";
import { missingPrograms } from "../support/program.ts";
import { until } from "../support/until.ts";

/** The largest size of the installed package with workerd, megabytes. */
const maxInstalledMb = 200;
/** A command that hangs fails its test. */
const ends = { encoding: "utf8", timeout: 60_000 } as const;
/** A user who cannot write to what root installs. */
const reader = 65_534;

const problem = namespaceProblem() ?? missingProblem();
const title = problem === null ? "the installed package" : `the installed package (skipped: ${problem})`;

describe.skipIf(problem !== null)(title, () => {
  const namespace = `waggle-${process.pid}-package`;
  const home = mkdtempSync(join(tmpdir(), "waggle-package-"));
  const env = userEnvironment(home);
  const project = join(home, "a folder");
  const installed = join(project, "node_modules/waggle");
  let file: string;
  /** Of the repository; empty if it has none. */
  let commit: string;
  let installOutput: string;
  let mesh: ChildProcess | null = null;

  /** Runs a line of docs/install.md by a shell. */
  const shell = (line: string, cwd = project, variables: NodeJS.ProcessEnv = {}): SpawnSyncReturns<string> =>
    spawnSync("sh", ["-c", line], { ...ends, cwd, env: { ...env, ...variables } });

  /** The same as the reader, in the network of the mesh. */
  const inMesh = (line: string, variables: NodeJS.ProcessEnv = {}): SpawnSyncReturns<string> => {
    const [program, ...args] = asReader(namespace, line);
    return spawnSync(program, args, { ...ends, cwd: project, env: { ...env, ...variables } });
  };

  beforeAll(() => {
    execFileSync("ip", ["netns", "add", namespace]);
    execFileSync("ip", ["-n", namespace, "link", "set", "lo", "up"]);
    const describe = ["describe", "--always", "--exclude=*", "--abbrev=12", "--dirty"];
    commit = spawnSync("git", describe, { cwd: repository, encoding: "utf8" }).stdout.trim();
    file = pack(home);
    mkdirSync(project);
    copyFileSync(file, join(project, basename(file)));
    const { status, stdout, stderr } = shell("npm install ./waggle-0.1.0.tgz");
    installOutput = stdout + stderr;
    if (status !== 0) throw new Error(installOutput);
    // The reader has the folder for its state, and npm's for the cache of npx; the rest belongs to root.
    chmodSync(home, 0o755);
    for (const folder of [project, join(home, "npm-cache")]) chownSync(folder, reader, reader);
    for (const entry of readdirSync(join(home, "npm-cache"))) {
      execFileSync("chown", ["-R", `${reader}`, join(home, "npm-cache", entry)]);
    }
  }, 120_000);

  afterAll(() => {
    spawnSync("kill", ["-9", ...pidsIn(namespace).map(String)]);
    execFileSync("ip", ["netns", "del", namespace]);
    rmSync(home, { recursive: true, force: true });
  });

  test("[U470] it installs itself and workerd, asks for no script, and has a bounded size", () => {
    expect(installOutput).toContain("added 2 packages");
    expect(installOutput).not.toMatch(/warn|script/);
    expect(readdirSync(join(project, "node_modules")).filter((name) => !name.startsWith("."))).toEqual([
      "@cloudflare",
      "waggle",
    ]);
    const size = String(execFileSync("du", ["-sm", join(project, "node_modules")]));
    expect(Number.parseInt(size, 10)).toBeLessThan(maxInstalledMb);
  });

  test("[U473] it knows the version and commit of its build", () => {
    expect(shell("npx waggle --version").stdout).toBe(
      commit === "" ? `${manifest.version}\n` : `${manifest.version} (commit ${commit})\n`,
    );
  });

  test("[L156] it has no Worker to deploy, and says so before it does anything", () => {
    const { status, stdout, stderr } = shell("npx waggle deploy --yes");
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toContain("waggle: an installed package has no sources of the Worker to deploy");
  });

  test("[U474] it has no sources and no tests, and each import leads somewhere", () => {
    const files = readdirSync(installed, { recursive: true, encoding: "utf8" });
    expect(files.filter((path) => /\.tsx?$|^(src|test|workers)\b/.test(path))).toEqual([]);
    const optional = ["bufferutil", "utf-8-validate", "kerberos", "pnpapi", "../pkg"];
    const lost = files
      .filter((path) => /^dist\/.*\.(mjs|cjs)$/.test(path) && !path.includes("miniflare/workers/"))
      .flatMap((path) =>
        importsOf(readFileSync(join(installed, path), "utf8"))
          .filter((target) => !leadsSomewhere(join(installed, path), target) && !optional.includes(target))
          .map((target) => `${path}: ${target}`),
      );
    expect(lost).toEqual([]);
  });

  test("[U472] in a Node older than 20 each program prints one sentence", () => {
    for (const program of ["waggle", "agent-child", "runtime-child", "ingress-child", "whoami"]) {
      const args = [pretendNode("18.19.1"), join(installed, `dist/${program}.mjs`)];
      const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
      expect({ status, stdout, stderr }).toEqual({
        status: 127,
        stdout: "",
        stderr: "waggle: needs Node 20 or newer (this is v18.19.1)\n",
      });
    }
  });

  test("[U471] npx waggle up runs a mesh for a user who cannot write to the package", async () => {
    const [program, ...args] = asReader(namespace, "npx waggle up");
    mesh = spawn(program, args, { cwd: project, env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [mesh.stdout, mesh.stderr])
      stream?.on("data", (bytes) => {
        output += bytes;
      });
    await until(
      "the mesh to run",
      () => {
        if (mesh?.exitCode !== null) throw new Error(output);
        return output.includes("Ctrl-C stops the mesh");
      },
      { withinMs: 60_000, everyMs: 50 },
    );
    expect(output).toContain("npx waggle status");
    const created = inMesh(
      "npx waggle service create --name api --publish published=9090,target=80 waggle/whoami",
    );
    expect(created.stderr + created.stdout).toContain("Service api converged");
    expect(inMesh("curl 127.0.0.2:9090").stdout).toContain("service: api");
    // Older releases of Node have no choice of upgrades; curl asks for HTTP/2 by one.
    expect(inMesh("curl --http2 127.0.0.2:9090").stdout).toContain("service: api");
    expect(inMesh("npx waggle status").stdout).toContain("3 of 3 nodes ready");
    const [exportHost = "", exportHeaders = ""] = output.match(/export DOCKER_.*/g) ?? [];
    expect(inMesh(`${exportHost}; ${exportHeaders}; docker service ls`).stdout).toContain("*:9090->80/tcp");
    // As a terminal does on Ctrl-C.
    process.kill(-(mesh.pid ?? 0), "SIGINT");
    await once(mesh, "exit");
    expect(output).toContain("Stopped. The next start with this state folder restores the services.");
    await until("the processes to end", () => pidsIn(namespace).length === 0);
  }, 90_000);

  test("[U475] npm install -g puts the command into the prefix, and npx runs it from the file", () => {
    // Without another copy of workerd, which the command can do without.
    const small = { npm_config_omit: "optional" };
    const global = { npm_config_prefix: join(home, "global"), ...small };
    const version = shell("npx waggle --version").stdout;
    expect(shell("npm install -g ./waggle-0.1.0.tgz", project, global).status).toBe(0);
    const PATH = `${join(home, "global/bin")}:${env.PATH}`;
    expect(shell("waggle --version", home, { PATH }).stdout).toBe(version);
    const local = 'npm install -g --prefix "$HOME/.local" ./waggle-0.1.0.tgz';
    expect(shell(local, project, small).status).toBe(0);
    expect(shell('"$HOME/.local/bin/waggle" --version', home).stdout).toBe(version);
    const empty = join(home, "empty");
    mkdirSync(empty);
    copyFileSync(file, join(empty, basename(file)));
    const npx = shell("npx --yes ./waggle-0.1.0.tgz --version", empty, small);
    expect(npx.stdout).toBe(version);
    expect(shell("npm uninstall -g waggle", project, global).status).toBe(0);
    expect(existsSync(join(home, "global/bin/waggle"))).toBe(false);
  }, 90_000);
});

function missingProblem(): string | null {
  const missing = missingPrograms(["npm", "docker", "setpriv"]);
  return missing.length === 0 ? null : `no ${missing.join(", ")}; apt-get install npm docker.io util-linux`;
}

/** The command line of a shell's line, as a user without rights in a network namespace. */
function asReader(namespace: string, line: string): readonly [string, ...string[]] {
  const user = ["setpriv", `--reuid=${reader}`, `--regid=${reader}`, "--clear-groups"];
  return ["ip", "netns", "exec", namespace, ...user, "sh", "-c", line];
}

function pidsIn(namespace: string): readonly number[] {
  const { stdout } = spawnSync("ip", ["netns", "pids", namespace], { encoding: "utf8" });
  return stdout.split("\n").filter(Boolean).map(Number);
}

/** The targets of imports and calls of `require` with a plain text. */
function importsOf(text: string): readonly string[] {
  const found = text.matchAll(
    /^(?:import|export) (?:[^"'\n]* from )?"([^"\n]+)";$|(?<![\w.$'"`])(?:import|require)\("([^"\n]+)"\)/gm,
  );
  return [...found].map(([, statement, call]) => statement ?? call ?? "");
}

function leadsSomewhere(file: string, target: string): boolean {
  if (target.startsWith(".")) return existsSync(join(dirname(file), target));
  return target.startsWith("node:") || builtinModules.includes(target);
}
