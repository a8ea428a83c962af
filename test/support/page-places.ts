// The machines on which the commands of pages run: each has a network and a folder of its own, so that pages use the
// ports and files that they name.

import { execFileSync, spawnSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { dockerdProblem, PrivateDockerd } from "./dockerd.ts";
import { namespaceProblem } from "./namespaces.ts";
import { PageShell } from "./page-shell.ts";
import type { PlaceName } from "./pages.ts";
import { missingPrograms } from "./program.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Why pages cannot be run; null if they can. */
export function pageProblem(place: PlaceName): string | null {
  const programs = [
    "bash",
    "curl",
    "docker",
    "npm",
    "openssl",
    "pkill",
    "redis-server",
    "prometheus-haproxy-exporter",
  ];
  const missing = missingPrograms(programs);
  if (missing.length > 0) return `no ${missing.join(", ")}; .ci/run installs them`;
  return needsEngine(place) ? dockerdProblem() : namespaceProblem();
}

/** What the mesh of a page prints when it runs. */
const meshIsReady = "Ctrl-C stops the mesh";

/** Images of the documents that this machine makes of its own programs. */
const imageNames = ["nginx:1.27", "postgres:17", "my/web:latest"];

/** Images of the documents for nodes that run processes, as scripts. */
const processImages = {
  redis: 'exec redis-server --bind $HOST --protected-mode no --port $PORT --save "" --dir .',
  broken: 'echo starting; echo "fatal: no config file" >&2; exit 4',
};

export class PagePlace {
  readonly shell: PageShell;
  readonly #folder: string;
  readonly #namespace: string;
  readonly #engine: PrivateDockerd | null;

  private constructor(folder: string, namespace: string, engine: PrivateDockerd | null) {
    this.#folder = folder;
    this.#namespace = namespace;
    this.#engine = engine;
    const enter =
      engine === null
        ? ["ip", "netns", "exec", namespace, "bash", "--norc"]
        : engine.command(["bash", "--norc"]);
    this.shell = new PageShell(enter as [string, ...string[]], join(folder, "waggle"), environment(folder));
  }

  static async start(name: PlaceName): Promise<PagePlace> {
    const folder = mkdtempSync(join(tmpdir(), "waggle-page-"));
    linkRepository(folder);
    const engine = needsEngine(name) ? await PrivateDockerd.start() : null;
    const namespace = engine?.namespace ?? `waggle-${process.pid}-${folder.slice(-6)}`;
    if (engine === null) {
      execFileSync("ip", ["netns", "add", namespace]);
      execFileSync("ip", ["-n", namespace, "link", "set", "lo", "up"]);
    }
    const place = new PagePlace(folder, namespace, engine);
    try {
      await place.#prepare(name);
      return place;
    } catch (error) {
      await place.remove();
      throw error;
    }
  }

  /** A command as it is here: the token of the mesh, and the host names of the documents. */
  here(text: string): string {
    // A mesh that `waggle up` has started; the token of any other one is in the page.
    const state = join(this.#folder, "waggle/.waggle/mesh.json");
    const token = () => (JSON.parse(readFileSync(state, "utf8")) as { token: string }).token;
    return text
      .replaceAll("npm ci && ", "")
      .replaceAll("https://mesh.example.com", "http://127.0.0.1:8787")
      .replaceAll(/\bnode\d\.example\.com\b/g, "127.0.0.1")
      .replaceAll(/(?<![\w-])(?:OPERATOR_)?TOKEN\b(?![=:])/g, token);
  }

  async remove(): Promise<void> {
    await this.shell.end();
    const pids = spawnSync("ip", ["netns", "pids", this.#namespace], { encoding: "utf8" }).stdout;
    // A dockerd and its containers have process ids of their own, and end with it.
    const own = pids.split("\n").filter((pid) => pid !== "" && hasProcessIdsOfThisMachine(pid));
    spawnSync("kill", ["-9", ...own]);
    if (this.#engine === null) execFileSync("ip", ["netns", "del", this.#namespace]);
    else await this.#engine.remove();
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }

  async #prepare(name: PlaceName): Promise<void> {
    if (this.#engine !== null) {
      await this.#engine.importImages();
      for (const image of imageNames) await this.#engine.docker("tag", "nginx:latest", image);
    }
    if (name === "a mesh" || name === "a mesh with Docker") {
      // Pages with containers publish the ports of their own.
      const flags = name === "a mesh" ? "--images images.json" : "--runtime docker --empty";
      await this.shell.start(`waggle up ${flags}`, meshIsReady);
      await this.shell.run('export ENGINE_HOST="$DOCKER_HOST" DOCKER_HOST=tcp://127.0.0.1:8787');
      await this.shell.run(this.here('export DOCKER_CUSTOM_HEADERS="Authorization=Bearer TOKEN"'));
    }
  }
}

function hasProcessIdsOfThisMachine(pid: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`) === readlinkSync("/proc/self/ns/pid");
  } catch {
    return false;
  }
}

function needsEngine(name: PlaceName): boolean {
  return name === "a mesh with Docker" || name === "a Docker Engine";
}

/** A folder that looks like a clone, in which commands may write files. */
function linkRepository(folder: string): void {
  const clone = join(folder, "waggle");
  mkdirSync(clone);
  for (const name of readdirSync(root)) {
    if (name === ".waggle" || name === ".git") continue;
    symlinkSync(join(root, name), join(clone, name));
  }
  const entries = Object.entries(processImages).map(([name, script]) => [
    name,
    { command: ["sh", "-c", script] },
  ]);
  writeFileSync(join(clone, "images.json"), JSON.stringify(Object.fromEntries(entries)));
  const programs = join(folder, "bin");
  mkdirSync(programs);
  symlinkSync(join(root, "bin/waggle"), join(programs, "waggle"));
}

/** The environment of a user who has set nothing for Docker or Waggle. */
function environment(folder: string): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(?:DOCKER|WAGGLE|VITEST|npm_)/.test(name));
  return {
    ...Object.fromEntries(kept),
    HOME: folder,
    XDG_CONFIG_HOME: join(folder, ".config"),
    PATH: `${join(folder, "bin")}:${process.env.PATH}:/usr/sbin:/sbin`,
    NO_COLOR: "1",
    npm_config_update_notifier: "false",
  };
}
