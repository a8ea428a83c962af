// The command as a whole: its help, and bin/waggle as a process.

import { execFile, spawnSync } from "node:child_process";
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { programVersion, versionText } from "../../../src/package/program-files.ts";
import { everyCommand, fakeMesh, runCli, runOn } from "./support.ts";

const bin = fileURLToPath(new URL("../../../bin/waggle", import.meta.url));
/** The verbs, such as `service create`, without the commands that only group them. */
const verbs = everyCommand()
  .filter(({ command }) => command.commands.length === 0)
  .map(({ path }) => path.join(" "));

describe("[L14] help", () => {
  test("[L14] waggle alone prints it, with the verbs in groups, the exit codes and first steps", async () => {
    const alone = await runCli([]);
    expect(alone).toMatchObject({ code: 0, err: "" });
    expect(await runCli(["--help"])).toEqual(alone);
    await expect(alone.out).toMatchFileSnapshot("../../golden/cli/help.txt");
  });

  test.each(verbs)("[L14] waggle %s --help has a description, the usage and an example", async (verb) => {
    const { code, out } = await runCli([...verb.split(" "), "--help"]);
    expect(code).toBe(0);
    expect(out).toContain(`Usage: waggle ${verb}`);
    if (verb !== "version") expect(out).toMatch(/\nExamples?:\n {2}\S/);
    expect(await runCli(["help", ...verb.split(" ").slice(0, 1)])).toMatchObject({ code: 0 });
  });

  test("[L61] every verb is in the table of docs/cli.md", async () => {
    const text = await readFile(new URL("../../../docs/cli.md", import.meta.url), "utf8");
    // A row has one verb, or several in one group: `node ls\|inspect`.
    const documented = [...text.matchAll(/^\| `([^`]+)`/gm)].flatMap(([, words = ""]) => {
      const [verb = "", subs = ""] = words.split(" ");
      return [verb, ...subs.split("\\|").map((sub) => `${verb} ${sub}`)];
    });
    expect(verbs.filter((verb) => !documented.includes(verb))).toEqual([]);
  });

  test("[L14] waggle service create --help explains publishing and the labels of the mesh", async () => {
    const { out } = await runCli(["service", "create", "--help"]);
    await expect(out).toMatchFileSnapshot("../../golden/cli/help-service-create.txt");
    const update = await runCli(["service", "update", "--help"]);
    expect(update.out.replace(/^ +--state .*$/m, "")).not.toContain("default");
  });
});

describe("[L14] versions", () => {
  test("[L14] --version prints the version of the command", async () => {
    expect(await runCli(["--version"])).toEqual({ code: 0, out: `${versionText()}\n`, err: "" });
  });

  test("[L14] version prints the version of the mesh, or why it is unreachable", async () => {
    await using mesh = await fakeMesh({ "GET /version": { json: { Version: "9.9", ApiVersion: "1.44" } } });
    expect((await runOn(mesh, ["version"])).out).toContain("mesh 9.9 (Engine API 1.44)\n");
    const { code, out } = await runCli(["version", "--host", "http://127.0.0.1:1"]);
    expect(code).toBe(0);
    expect(out).toContain("mesh: cannot reach the mesh at http://127.0.0.1:1");
  });
});

test("[L102] a fault of the command is one sentence, and a stack trace on demand", async () => {
  const broken = () => {
    throw new TypeError("cannot read x");
  };
  await using mesh = await fakeMesh({ "GET /nodes": { json: [] } });
  const faulty = async (env: Record<string, string>) => {
    const out = { write: broken };
    return runOn(mesh, ["node", "ls"], { out, env });
  };
  expect(await faulty({})).toMatchObject({
    code: 70,
    err: "waggle: internal error: cannot read x\nthis is a fault of waggle; with WAGGLE_DEBUG=1 it prints where it happened\n",
  });
  expect((await faulty({ WAGGLE_DEBUG: "1" })).err).toMatch(
    /internal error: cannot read x\nTypeError: cannot read x\n +at /,
  );
});

/** A copy of bin/waggle in a package of its own. */
async function copiedBin(hasPackages: boolean): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "waggle-bin-"));
  await mkdir(join(dir, "bin"));
  await copyFile(bin, join(dir, "bin", "waggle"));
  if (hasPackages) {
    await mkdir(join(dir, "node_modules", "commander"), { recursive: true });
    await writeFile(join(dir, "node_modules", "commander", "package.json"), "{}");
  }
  return dir;
}

describe("[L15] bin/waggle", () => {
  test("[L15] runs from any folder and through symbolic links, with the Node of its package", async () => {
    const dir = await mkdtemp(join(tmpdir(), "waggle-bin-"));
    await symlink(bin, join(dir, "one"));
    await symlink("one", join(dir, "two"));
    const { stdout } = await promisify(execFile)(join(dir, "two"), ["version", "--json", "--state", dir], {
      cwd: dir,
    });
    await rm(dir, { recursive: true });
    expect(JSON.parse(stdout)).toMatchObject({
      client: { version: programVersion(), node: process.versions.node },
      server: null,
    });
  });

  test("[L15] without a recent Node it prints the required version", async () => {
    const dir = await copiedBin(true);
    const old = '#!/bin/sh\n[ "$1" = --version ] && echo v20.19.0\nexit 1\n';
    await writeFile(join(dir, "bin", "node"), old, { mode: 0o755 });
    const env = { PATH: `${join(dir, "bin")}:/usr/bin:/bin` };
    const { status, stderr } = spawnSync(join(dir, "bin", "waggle"), [], { env, encoding: "utf8" });
    await rm(dir, { recursive: true });
    expect({ status, stderr }).toEqual({
      status: 127,
      stderr: `waggle: needs Node 22.18 or newer (this is v20.19.0); run "npm ci" in ${dir}, which installs one\n`,
    });
  });

  test("[U449] npm start without installed packages is one sentence", async () => {
    const dir = await copiedBin(false);
    const project = await readFile(new URL("../../../package.json", import.meta.url), "utf8");
    const { scripts } = JSON.parse(project) as { scripts: { start: string } };
    await writeFile(join(dir, "package.json"), JSON.stringify({ scripts: { start: scripts.start } }));
    const { status, stdout, stderr } = spawnSync("npm", ["start", "--silent"], {
      cwd: dir,
      encoding: "utf8",
    });
    await rm(dir, { recursive: true });
    expect({ status, stdout, stderr }).toEqual({
      status: 127,
      stdout: "",
      stderr: `waggle: its packages are not installed; run "npm ci" in ${dir}\n`,
    });
  });

  test("[L15] passes on the exit code, and prints errors on standard error", () => {
    const { status, stdout, stderr } = spawnSync(bin, ["servcie"], { encoding: "utf8" });
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toContain("Did you mean service?");
  });

  test("[U590] Node takes no flag from the line, such as --env-file of a service's arguments", async () => {
    const folder = await mkdtemp(join(tmpdir(), "waggle-env-"));
    const file = join(folder, "app.env");
    await writeFile(file, "WAGGLE_HOST=http://127.0.0.1:9/from-the-file\n");
    const args = [
      "service",
      "create",
      "waggle/whoami",
      "node",
      `--env-file=${file}`,
      "--env-file",
      "/nonexistent",
    ];
    const env = { PATH: process.env.PATH, HOME: folder, XDG_CONFIG_HOME: folder };
    const { status, stderr } = spawnSync(bin, args, { encoding: "utf8", cwd: folder, env });
    expect({ status, stderr }).toEqual({ status: 3, stderr: expect.stringContaining("no mesh found") });
    await rm(folder, { recursive: true });
  });

  test("[L15] ends without an error when the reader closes the pipe", async () => {
    const { stderr } = await promisify(execFile)("sh", ["-c", `'${bin}' --help | true`]);
    expect(stderr).toBe("");
  });
});
