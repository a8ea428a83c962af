// A dockerd of its own for tests: in a network namespace with its own bridge, data and socket, so that it shares
// nothing with a daemon of this machine. It needs root.

import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { namespaceProblem } from "./namespaces.ts";
import { missingPrograms } from "./program.ts";
import { until } from "./until.ts";

export type Ran = { readonly code: number; readonly out: string };

/** Connects the machines of two daemons by a cable with an address at each end. */
export function joinMachines(ends: readonly [[PrivateDockerd, string], [PrivateDockerd, string]]): void {
  const [[one], [other]] = ends;
  const peer = ["type", "veth", "peer", "name", "eth1", "netns", other.namespace];
  ip(["-n", one.namespace, "link", "add", "eth1", ...peer]);
  for (const [{ namespace }, address] of ends) {
    ip(["-n", namespace, "addr", "add", `${address}/24`, "dev", "eth1"]);
    ip(["-n", namespace, "link", "set", "eth1", "up"]);
  }
}

/** Why there can be no dockerd; null if there can. */
export function dockerdProblem(): string | null {
  const missing = missingPrograms(["dockerd", "docker", "nsenter", "unshare", "busybox", "nginx", "curl"]);
  if (missing.length > 0)
    return `no ${missing.join(", ")}; apt-get install docker.io busybox-static nginx curl util-linux`;
  return namespaceProblem();
}

/**
 * The first process of the namespaces. A sysfs of the network namespace keeps the cgroups; a /run of its own keeps
 * the daemon's files apart, except those that agents bind into containers.
 */
const init = `
mount --make-rprivate /
mkdir -p "$0/cgroup" && mount --rbind /sys/fs/cgroup "$0/cgroup"
mount -t sysfs sysfs /sys && mount --rbind "$0/cgroup" /sys/fs/cgroup
mkdir -p -m 700 /run/waggle "$0/waggle" && mount --rbind /run/waggle "$0/waggle"
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -m 700 /run/waggle && mount --rbind "$0/waggle" /run/waggle
echo 1 > /proc/sys/net/ipv4/ip_forward
touch "$0/ready"
while :; do sleep 1 & wait; done`;

export class PrivateDockerd {
  readonly dir: string;
  readonly namespace: string;
  readonly #flags: readonly string[];
  readonly #init: ChildProcess;
  /** Process id of the namespaces' first process. */
  #initPid = 0;

  private constructor(dir: string, namespace: string, flags: readonly string[]) {
    this.dir = dir;
    this.namespace = namespace;
    this.#flags = flags;
    ip(["netns", "add", namespace]);
    ip(["-n", namespace, "link", "set", "lo", "up"]);
    const unshare = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
    const args = [`--net=/run/netns/${namespace}`, ...unshare, "sh", "-c", init, dir];
    this.#init = spawn("nsenter", args, { stdio: "ignore" });
  }

  /** Starts a daemon. @param flags of dockerd: `--live-restore` */
  static async start(flags: readonly string[] = []): Promise<PrivateDockerd> {
    const dir = mkdtempSync(join(tmpdir(), "waggle-dockerd-"));
    const dockerd = new PrivateDockerd(dir, `waggle-${process.pid}-${dir.slice(-6)}`, flags);
    await until("the namespaces", () => existsSync(join(dir, "ready")));
    const { pid } = dockerd.#init;
    dockerd.#initPid = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ")[0]);
    await dockerd.startDaemon();
    return dockerd;
  }

  get socket(): string {
    return join(this.dir, "docker.sock");
  }

  /** The command line that runs a program in the daemon's network, with `DOCKER_HOST` set to its socket. */
  readonly command = (program: readonly string[]): readonly [string, ...string[]] => [
    "nsenter",
    `--net=/run/netns/${this.namespace}`,
    "env",
    `DOCKER_HOST=unix://${this.socket}`,
    ...program,
  ];

  /** Runs a program in the daemon's network until it ends. */
  run(program: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ran> {
    const [name, ...args] = this.command(program);
    return new Promise((resolve) => {
      const child = spawn(name, args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
      let out = "";
      for (const stream of [child.stdout, child.stderr]) {
        stream.on("data", (bytes) => {
          out += bytes;
        });
      }
      child.once("close", (code) => resolve({ code: code ?? -1, out }));
    });
  }

  /** Runs the Docker CLI against this daemon. @returns what it printed; throws if it fails */
  async docker(...args: string[]): Promise<string> {
    const { code, out } = await this.run(["docker", ...args]);
    if (code !== 0) throw new Error(`docker ${args.join(" ")} exited with ${code}: ${out}`);
    return out.trim();
  }

  async startDaemon(): Promise<void> {
    const files = [
      "--data-root",
      join(this.dir, "data"),
      "--exec-root",
      "/run/docker",
      "--pidfile",
      "/run/dockerd.pid",
    ];
    const args = ["-H", `unix://${this.socket}`, ...files, ...this.#cgroup(), ...this.#flags];
    const log = join(this.dir, "dockerd.log");
    const program = ["sh", "-c", 'log=$0; exec dockerd "$@" >>"$log" 2>&1', log, ...args];
    const enter = ["-t", String(this.#initPid), "--net", "--mount", "--pid", "--", ...program];
    spawn("nsenter", enter, { stdio: "ignore", env: withSystemPath(), detached: true }).unref();
    await until(
      "dockerd to answer",
      async () => {
        const { code, out } = await this.run(["docker", "version", "--format", "{{.Server.Version}}"]);
        if (code !== 0)
          throw new Error(`${out}\n${existsSync(log) ? readFileSync(log, "utf8").slice(-2_000) : ""}`);
        return true;
      },
      { withinMs: 60_000, everyMs: 100 },
    );
  }

  /** Ends the daemon; its containers keep running if it was killed, or started with `--live-restore`. */
  async stopDaemon(signal: "KILL" | "TERM"): Promise<void> {
    const script = `kill -${signal} $(cat /run/dockerd.pid)`;
    const enter = ["-t", String(this.#initPid), "--mount", "--pid", "--", "sh", "-c", script];
    execFileSync("nsenter", enter);
    await until("dockerd to end", async () => (await this.run(["docker", "version"])).code !== 0, {
      withinMs: 60_000,
      everyMs: 50,
    });
    const isRunning = ["-t", String(this.#initPid), "--mount", "--pid", "--", "pidof", "dockerd"];
    await until("dockerd to exit", () => spawnSync("nsenter", isRunning).status !== 0, { withinMs: 60_000 });
  }

  /** Makes the images `nginx:latest` and `busybox:latest` of the programs of this machine. */
  async importImages(): Promise<void> {
    const folder = join(this.dir, "image");
    makeRootFolder(folder);
    const nginx = 'CMD ["nginx","-g","daemon off; error_log /dev/stderr;"]';
    await this.import(folder, "nginx:latest", [nginx, "EXPOSE 80"]);
    await this.import(folder, "busybox:latest", ['CMD ["sh"]']);
  }

  /**
   * Makes an image of programs of this machine, beside busybox.
   *
   * @param prepare adds further files to its root folder
   */
  async importPrograms(
    name: string,
    programs: readonly string[],
    changes: readonly string[],
    prepare: (folder: string) => void = () => undefined,
  ): Promise<void> {
    const folder = mkdtempSync(join(this.dir, "programs-"));
    chmodSync(folder, 0o755);
    makeRootFolder(folder, programs);
    prepare(folder);
    await this.import(folder, name, changes);
    rmSync(folder, { recursive: true });
  }

  /** Makes an image of a folder. */
  async import(folder: string, name: string, changes: readonly string[]): Promise<void> {
    const archive = `${folder}.tar`;
    execFileSync("tar", ["-C", folder, "-cf", archive, "."]);
    await this.docker("import", ...changes.flatMap((change) => ["--change", change]), archive, name);
  }

  /** Ends the daemon with all containers, and removes its files. */
  async remove(): Promise<void> {
    // The end of the first process ends all others of its process namespace.
    if (this.#initPid > 0) process.kill(this.#initPid, "SIGKILL");
    await new Promise((resolve) =>
      this.#init.exitCode !== null ? resolve(0) : this.#init.once("exit", resolve),
    );
    ip(["netns", "del", this.namespace]);
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
    const folders = spawnSync("find", [
      "/sys/fs/cgroup",
      "-depth",
      "-type",
      "d",
      "-path",
      `*/${this.namespace}*`,
    ]);
    for (const folder of String(folders.stdout).split("\n").filter(Boolean)) spawnSync("rmdir", [folder]);
  }

  #cgroup(): readonly string[] {
    return ["--cgroup-parent", `/${this.namespace}`];
  }
}

/** A root folder with some programs, and with busybox for everything else. */
function makeRootFolder(folder: string, programs: readonly string[] = ["nginx", "curl"]): void {
  for (const name of [
    "bin",
    "dev",
    "proc",
    "sys",
    "tmp",
    "run",
    "etc/nginx",
    "var/log/nginx",
    "var/lib/nginx",
    "www",
  ])
    mkdirSync(join(folder, name), { recursive: true });
  copyFileSync(programPath("busybox"), join(folder, "bin/busybox"));
  const applets =
    "sh cat sleep touch rm kill true false wget id hostname env httpd nc nslookup sed grep wc mount ulimit dd head ps timeout".split(
      " ",
    );
  for (const applet of applets) spawnSync("ln", ["-s", "busybox", join(folder, "bin", applet)]);
  // busybox without shared libraries cannot resolve names.
  for (const name of programs) copyProgram(folder, name);
  writeFileSync(
    join(folder, "etc/passwd"),
    "root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\nwww-data:x:33:33::/:/bin/sh\n",
  );
  writeFileSync(join(folder, "etc/group"), "root:x:0:\nnogroup:x:65534:\nwww-data:x:33:\nstaff:x:50:\n");
  writeFileSync(
    join(folder, "etc/nginx/nginx.conf"),
    'worker_processes 1;\npid /run/nginx.pid;\nevents {}\nhttp { access_log off; server { listen 80; root /www; location / { default_type text/plain; return 200 "$hostname\\n"; } } }\n',
  );
}

/** Copies a program with its shared libraries into `/bin` of a root folder. @param name a path, or found by PATH */
function copyProgram(folder: string, name: string): void {
  const path = programPath(name);
  copyFileSync(path, join(folder, "bin", basename(name)));
  for (const library of String(execFileSync("ldd", [path])).match(/\/\S+/g) ?? []) {
    mkdirSync(join(folder, dirname(library)), { recursive: true });
    copyFileSync(library, join(folder, library));
  }
}

function programPath(name: string): string {
  return String(execFileSync("sh", ["-c", `command -v ${name}`], { env: withSystemPath() })).trim();
}

function withSystemPath(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
}

function ip(args: readonly string[]): void {
  execFileSync("ip", [...args], { stdio: ["ignore", "ignore", "pipe"] });
}
