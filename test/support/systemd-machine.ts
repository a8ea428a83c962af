// A machine with a live systemd, in a container of systemd-nspawn: this machine's programs (/usr, read-only, except
// /usr/local/bin) and a file system, a network, processes and a journal of its own. It needs root.

import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { namespaceProblem } from "./namespaces.ts";
import { PageShell, type ShellResult } from "./page-shell.ts";
import { missingPrograms } from "./program.ts";
import { until } from "./until.ts";

/** Why there can be no such machine; null if there can. */
export function systemdProblem(): string | null {
  const missing = missingPrograms(["systemd-nspawn", "dbus-daemon", "nsenter", "openssl"]);
  if (missing.length > 0)
    return `no ${missing.join(", ")}; apt-get install systemd-container dbus util-linux openssl`;
  return namespaceProblem();
}

export class SystemdMachine {
  /** Its file system, as seen from here. */
  readonly root: string;
  readonly #name: string;
  readonly #cgroups: readonly string[];
  #container: ChildProcess;
  #console = "";
  #isRemoved = false;
  #shell: PageShell | null = null;
  #lastLine: Promise<unknown> = Promise.resolve();

  /** @param folder of the test; gets the file system */
  private constructor(folder: string, hosts: string) {
    this.root = join(folder, "root");
    this.#name = `waggle-${process.pid}-${basename(folder).slice(-6)}`;
    this.#cgroups = cgroupParents().map((parent) => join(parent, this.#name));
    makeRoot(this.root, hosts);
    this.#container = this.#start();
  }

  /** @param hosts the lines of its /etc/hosts */
  static async boot(folder: string, hosts: string): Promise<SystemdMachine> {
    const machine = new SystemdMachine(folder, hosts);
    try {
      await machine.#isUp();
      return machine;
    } catch (error) {
      await machine.remove();
      throw error;
    }
  }

  /** Runs a line in the shell of its root user, which stays open until the machine ends. */
  run(line: string, timeoutMs?: number): Promise<ShellResult> {
    const shell = this.#shell;
    if (shell === null) throw new Error("the machine does not run");
    // A shell has one output.
    const result = this.#lastLine.then(() => shell.run(line, timeoutMs));
    this.#lastLine = result.catch(() => undefined);
    return result;
  }

  /** The same for a line that has to end with 0. @returns what it printed */
  async out(line: string, timeoutMs?: number): Promise<string> {
    const { code, out } = await this.run(line, timeoutMs);
    if (code !== 0) throw new Error(`${line} exited with ${code}: ${out}`);
    return out;
  }

  /** Runs a program of this machine in its network. @returns its standard output */
  inNetwork(program: string, ...args: string[]): Promise<string> {
    const command = this.#enter(["--net"], [program, ...args]);
    return new Promise((resolve, reject) => {
      execFile("nsenter", command, { maxBuffer: 64 * 1024 ** 2 }, (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new Error(`${program}: ${error.message}\n${stderr}`));
      });
    });
  }

  /** Starts a program of this machine in its network. */
  startInNetwork(program: string, ...args: string[]): ChildProcess {
    return spawn("nsenter", this.#enter(["--net"], [program, ...args]), {
      stdio: ["ignore", "pipe", "inherit"],
    });
  }

  /** Restarts it by `reboot`, and waits until all of its units are started. */
  async reboot(): Promise<void> {
    const ended = once(this.#container, "exit");
    // The end of the machine stops its processes before it kills them, and nsenter would stop with the shell.
    await this.#shell?.end();
    spawnSync("nsenter", this.#enter(["--all"], ["systemctl", "reboot"]), { stdio: "ignore" });
    await ended;
    if (this.#isRemoved) return;
    // systemd-nspawn leaves the restart to the unit that it keeps.
    this.#container = this.#start();
    await this.#isUp();
  }

  /** Ends all of its processes, and removes its cgroups. Its files are the folder's. */
  async remove(): Promise<void> {
    this.#isRemoved = true;
    await this.#shell?.end();
    if (this.#container.exitCode === null && this.#container.signalCode === null) {
      const init = this.#initPid();
      this.#container.kill("SIGKILL");
      if (init !== null) spawnSync("kill", ["-9", String(init)]);
      await once(this.#container, "exit");
    }
    for (const group of this.#cgroups)
      await until(
        "its cgroups to be empty",
        () => {
          spawnSync("find", [group, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"], {
            stdio: "ignore",
          });
          return !existsSync(group);
        },
        { withinMs: 20_000, everyMs: 100 },
      );
  }

  #start(): ChildProcess {
    const enterGroups = this.#cgroups.map(
      (group) => `mkdir -p "${group}" && echo $$ > "${group}/cgroup.procs"`,
    );
    const nspawn = "exec systemd-nspawn --quiet --keep-unit --register=no --private-network --boot";
    const programs = ["--bind-ro=/usr", '--bind="$0/srv/bin:/usr/local/bin"'];
    const files = [
      '--directory="$0"',
      ...programs,
      "--resolv-conf=off",
      "--timezone=off",
      "--link-journal=no",
    ];
    const script = [
      ...enterGroups,
      [nspawn, ...files, "--console=pipe", `--machine=${this.#name}`].join(" "),
    ];
    const container = spawn("sh", ["-c", script.join("\n"), this.root], {
      // As on a machine of today; the one of the tests may have both hierarchies.
      env: { ...process.env, SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: "1" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [container.stdout, container.stderr])
      stream?.on("data", (bytes) => {
        this.#console += bytes;
      });
    return container;
  }

  async #isUp(): Promise<void> {
    const isListening = (): boolean => existsSync(`/proc/${this.#initPid()}/root/run/systemd/private`);
    await until("systemd", () => this.#container.exitCode !== null || isListening(), {
      withinMs: 40_000,
      everyMs: 50,
    });
    if (!isListening()) throw new Error(`the machine has ended; its console:\n${this.#console}`);
    await this.#shell?.end();
    this.#lastLine = Promise.resolve();
    const env = ["env", "-i", "HOME=/root", `PATH=${systemPath}`, "LC_ALL=C", "SYSTEMD_COLORS=0"];
    // In a session of its own: a signal to its process group must not reach the tests.
    const enter = ["nsenter", ...this.#enter(["--all"], [...env, "setsid", "bash", "--norc"])];
    this.#shell = new PageShell(enter as [string, ...string[]], "/", process.env);
    await this.#shell.run("cd /root; export SYSTEMD_PAGER=");
    // The lines of pages wait for each unit by themselves; after a reboot no line does.
    await this.#shell.run("systemctl is-system-running --wait", 180_000);
  }

  #enter(namespaces: readonly string[], command: readonly string[]): string[] {
    return [`--target=${this.#initPid()}`, ...namespaces, ...command];
  }

  /** The process id of its systemd here; null if it does not run. */
  #initPid(): number | null {
    const { pid } = this.#container;
    try {
      const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
      return children === "" ? null : Number(children.split(" ")[0]);
    } catch {
      return null;
    }
  }
}

const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** A file system with the users of Debian, and no unit that is enabled. */
function makeRoot(root: string, hosts: string): void {
  for (const folder of [
    "usr/lib",
    "srv/bin",
    "etc/ssl",
    "etc/systemd/system",
    "opt",
    "root",
    "tmp",
    "var/lib",
    // So that the journal outlives a reboot.
    "var/log/journal",
  ])
    mkdirSync(join(root, folder), { recursive: true });
  for (const folder of ["bin", "sbin", "lib", "lib64"]) symlinkSync(`usr/${folder}`, join(root, folder));
  const file = (path: string, text: string): void => writeFileSync(join(root, path), text);
  // By this file nspawn recognizes a system; the one in /usr is not there yet.
  file("usr/lib/os-release", "ID=debian\n");
  // With an id it is no first boot, which would enable units of this machine.
  file("etc/machine-id", `${randomUUID().replaceAll("-", "")}\n`);
  file("etc/hostname", "machine1\n");
  file("etc/hosts", hosts);
  file("etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files\n");
  symlinkSync("/usr/lib/systemd/system/multi-user.target", join(root, "etc/systemd/system/default.target"));
  for (const name of ["passwd", "group"])
    cpSync(`/usr/share/base-passwd/${name}.master`, join(root, "etc", name));
  cpSync("/etc/ssl/certs", join(root, "etc/ssl/certs"), { recursive: true, verbatimSymlinks: true });
}

/** The cgroup hierarchies in which systemd-nspawn makes groups: that of version 2, and the named one beside it. */
function cgroupParents(): readonly string[] {
  const root = "/sys/fs/cgroup";
  const folders = [root, join(root, "unified"), join(root, "systemd")];
  return folders.filter((folder) => existsSync(join(folder, "cgroup.procs")));
}
