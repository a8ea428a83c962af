// Nodes that run containers: a mesh on a real dockerd, with the Docker CLI and curl as its clients.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { DockerMesh } from "../support/docker-mesh.ts";
import { dockerdProblem, type PrivateDockerd } from "../support/dockerd.ts";
import { imageRegistryProgram, imageRegistryUser } from "../support/image-registry.ts";
import { type MeshProcess, waggleProgram } from "../support/mesh-process.ts";
import { until } from "../support/until.ts";

const problem = dockerdProblem();
const title = problem === null ? "nodes with Docker" : `nodes with Docker (skipped: ${problem})`;
const slow = { withinMs: 60_000, everyMs: 100 };

describe.skipIf(problem !== null)(title, () => {
  let started: DockerMesh;
  let dockerd: PrivateDockerd;
  let mesh: MeshProcess;
  let docker: DockerMesh["docker"];
  let ok: DockerMesh["ok"];
  let nextPort = 20_000;

  beforeAll(async () => {
    started = await DockerMesh.start();
    ({ dockerd, mesh, docker, ok } = started);
  }, 120_000);

  afterAll(async () => {
    await started?.remove();
  }, 60_000);

  afterEach(async () => {
    const names = (await ok("service", "ls", "-q")).split("\n").filter(Boolean);
    if (names.length > 0) await ok("service", "rm", ...names);
    await until("no containers to run", async () => (await dockerd.docker("ps", "-q")) === "", slow);
  }, 60_000);

  const create = (...args: string[]) => ok("service", "create", "-q", "--no-resolve-image", ...args);
  const createDetached = (...args: string[]) => create("-d", ...args);

  /** The body of the response to a request from the daemon's network; empty without a response. */
  async function get(port: number, host = "127.0.0.2"): Promise<string> {
    const { out } = await dockerd.run(["curl", "-s", "-m", "10", `http://${host}:${port}/`]);
    return out.trim();
  }

  /** True if requests in turn are answered by two tasks. */
  async function twoAnswer(port: number): Promise<boolean> {
    const [one, other] = [await get(port), await get(port)];
    return one !== "" && other !== "" && one !== other;
  }

  /** The only container of a service, or the newest. */
  async function containerOf(service: string) {
    const ids = await dockerd.docker(
      "ps",
      "-aq",
      "--filter",
      `label=com.docker.swarm.service.name=${service}`,
    );
    const [newest = ""] = ids.split("\n");
    const [info] = JSON.parse(await dockerd.docker("inspect", newest));
    return info;
  }

  const tasks = async (service: string) =>
    (await ok("service", "ps", "--no-trunc", "--format", "{{.CurrentState}} | {{.Error}}", service)).split(
      "\n",
    );

  const taskWith = (service: string, pattern: RegExp) =>
    until(
      `a task of ${service} with ${pattern}`,
      async () => {
        const lines = await tasks(service);
        if (!lines.some((line) => pattern.test(line))) throw new Error(lines.join("\n"));
        return lines;
      },
      slow,
    );

  test("[N120] a service of nginx runs in containers, and the mesh reaches them without published ports", async () => {
    const port = nextPort++;
    await create("--name", "web", "--replicas", "2", "-p", `${port}:80`, "nginx");
    const hosts = new Set<string>();
    await until("both tasks to answer", async () => hosts.add(await get(port)).size === 2, slow);
    const container = await containerOf("web");
    expect(hosts).toContain(container.Config.Hostname);
    expect(container.HostConfig.PortBindings ?? {}).toEqual({});
    const id = (await ok("service", "ps", "-q", "--filter", `name=web.1`, "web")).split("\n")[0] ?? "";
    expect(container.Config.Labels).toMatchObject({
      "com.docker.swarm.service.name": "web",
      "com.docker.swarm.task": "",
      "com.docker.swarm.task.name": expect.stringMatching(/^web\.[12]\./),
    });
    const [task] = JSON.parse(await ok("inspect", "--type", "task", id));
    const shown = await dockerd.docker(
      "inspect",
      "--format",
      "{{.Name}}",
      task.Status.ContainerStatus.ContainerID,
    );
    expect(shown).toMatch(/^\/web\.1\./);
  }, 120_000);

  test("[N121] the container has what the service asks for", async () => {
    const flags = [
      ["--hostname", "{{.Node.Hostname}}-{{.Task.Slot}}"],
      ["--env", "TASK={{.Task.Name}}", "--user", "nobody", "--group", "staff", "--workdir", "/tmp"],
      ["--host", "db:10.9.8.7", "--dns", "9.9.9.9", "--dns-search", "a.test"],
      ["--mount", "type=tmpfs,target=/scratch,tmpfs-size=1048576", "--mount", "type=volume,target=/data"],
      ["--sysctl", "net.core.somaxconn=1234", "--ulimit", "nofile=1000:2000", "--init", "--read-only"],
      ["--limit-memory", "64m", "--limit-pids", "50", "--container-label", "my=label"],
    ];
    await create("--name", "full", ...flags.flat(), "busybox", "sleep", "1000");
    const { Id, HostConfig, Config } = await containerOf("full");
    const inside = (command: string) => dockerd.docker("exec", Id, "sh", "-c", command);
    expect(await inside("hostname; id; pwd; ulimit -n; cat /proc/sys/net/core/somaxconn")).toMatch(
      /^node[12]-1\nuid=65534\(nobody\).*50\(staff\).*\n\/tmp\n1000\n1234$/,
    );
    expect(await inside("env")).toContain("TASK=full.1.");
    expect(await inside("cat /etc/hosts /etc/resolv.conf")).toMatch(/10\.9\.8\.7\tdb\n[\s\S]*9\.9\.9\.9/);
    expect(await inside("mount")).toMatch(/tmpfs on \/scratch .*size=1024k/);
    expect(await inside("touch /x 2>&1; true")).toContain("Read-only file system");
    expect(await inside("ps")).toContain("/sbin/docker-init");
    expect(HostConfig).toMatchObject({ Memory: 64 << 20, PidsLimit: 50 });
    expect(Config.Labels).toMatchObject({ my: "label" });
  }, 120_000);

  test("[N100] an update of a part that only containers have replaces the task", async () => {
    await create("--name", "limited", "busybox", "sleep", "1000");
    const before = await containerOf("limited");
    await ok("service", "update", "-q", "--limit-memory", "32m", "limited");
    const after = await containerOf("limited");
    expect(after.Id).not.toBe(before.Id);
    expect(after.HostConfig.Memory).toBe(32 << 20);
  }, 120_000);

  test("[N120] a rolling update fails no request", async () => {
    const port = nextPort++;
    const flags = ["--replicas", "2", "--stop-signal", "SIGQUIT", "--update-order", "start-first"];
    await create("--name", "rolling", ...flags, "-p", `${port}:80`, "nginx");
    await until("an answer", () => get(port), slow);
    const load = loadOn(port);
    await ok("service", "update", "-q", "--env-add", "A=1", "rolling");
    expect(await load.end()).toMatchObject({ failed: 0 });
  }, 120_000);

  test("[N123] a host-mode port is open on the machine, and a taken one fails the task with the reason", async () => {
    const port = nextPort++;
    const publish = `mode=host,published=${port},target=80`;
    await create("--name", "host", "--mode", "global", "-p", publish, "nginx");
    await until(
      "both nodes to answer",
      async () => (await get(port)) !== (await get(port, "127.0.0.3")),
      slow,
    );
    expect((await containerOf("host")).HostConfig.PortBindings["80/tcp"][0].HostPort).toBe(String(port));
    const taken = nextPort++;
    const addresses = ["127.0.0.2", "127.0.0.3"].flatMap((ip) => ["-p", `${ip}:${taken}:80`]);
    await dockerd.docker("run", "-d", "--name", "holder", ...addresses, "nginx");
    await createDetached("--name", "taken", "-p", `mode=host,published=${taken},target=80`, "nginx");
    await taskWith("taken", /Failed .*(address already in use|port is already allocated)/);
    await dockerd.docker("rm", "-f", "holder");
  }, 120_000);

  test("[N122] without a registry a local image runs, and a missing one is a clear reason", async () => {
    const missing = "127.0.0.1:9/team/app:1";
    await createDetached("--name", "missing", missing);
    await taskWith("missing", /Rejected .*cannot pull 127\.0\.0\.1:9\/team\/app:1: .*connection refused/);
    await create("--name", "local", "busybox", "sleep", "1000");
    expect(mesh.logs()).toContain("cannot pull busybox:latest, so the local image is used");
  }, 120_000);

  describe("a registry that wants credentials", () => {
    const registryPort = 5_000;
    const image = (name: string) => `127.0.0.1:${registryPort}/${name}:1`;
    let registry: ChildProcess;
    let config: string;

    beforeAll(async () => {
      const archive = join(dockerd.dir, "image.tar");
      const [name, ...args] = dockerd.command([
        process.execPath,
        imageRegistryProgram,
        String(registryPort),
        archive,
      ]);
      registry = spawn(name, args, { stdio: ["ignore", "pipe", "inherit"] });
      await once(registry.stdout ?? registry, "data");
      config = mkdtempSync(join(tmpdir(), "waggle-docker-config-"));
    });

    afterAll(() => {
      registry.kill("SIGKILL");
      rmSync(config, { recursive: true });
    });

    /** Creates a service with the credentials of a `docker login`. */
    async function createWith(password: string, name: string, reference: string): Promise<void> {
      const auth = Buffer.from(`${imageRegistryUser.name}:${password}`).toString("base64");
      const auths = { [`127.0.0.1:${registryPort}`]: { auth } };
      writeFileSync(join(config, "config.json"), JSON.stringify({ auths }));
      const flags = ["-d", "-q", "--no-resolve-image", "--with-registry-auth", "--name", name, reference];
      const { code, out } = await docker("--config", config, "service", "create", ...flags);
      expect(code, out).toBe(0);
    }

    test("[N130] gives the image for the service's credentials, which no file of the mesh has", async () => {
      await createWith(imageRegistryUser.password, "private", image("app"));
      await taskWith("private", /^Running/);
      const auth = Buffer.from(`${imageRegistryUser.name}:${imageRegistryUser.password}`).toString("base64");
      for (const secret of [imageRegistryUser.password, auth]) {
        const { out } = await dockerd.run(["grep", "-rlaF", secret, mesh.stateDir]);
        expect(out).toBe("");
      }
      await dockerd.docker("rmi", "-f", image("app"));
    }, 60_000);

    test("[N122] refuses wrong credentials, and has no image of another name: both are reasons", async () => {
      await createWith("wrong", "refused", image("app"));
      await taskWith("refused", /Rejected .*the registry refused access to .*--with-registry-auth/);
      await createWith(imageRegistryUser.password, "unknown", image("nothing"));
      await taskWith("unknown", /Rejected .*No such image: 127\.0\.0\.1:5000\/nothing:1/);
    }, 60_000);

    test("[N122] shows the progress of a pull, which ends with the last task that waits for it", async () => {
      await createWith(imageRegistryUser.password, "slow", image("slow"));
      const [id = ""] = (await ok("service", "ps", "-q", "slow")).split("\n");
      const message = () => ok("inspect", "--type", "task", "--format", "{{.Status.Message}}", id);
      await until("progress", async () => /^pulling .*slow:1: \d+ %$/.test(await message()), slow);
      await ok("service", "rm", "slow");
      await until(
        "the task to end",
        async () => (await docker("inspect", "--type", "task", id)).code !== 0,
        slow,
      );
      await until("the pull to end", () => countOf(registry) === 0, slow);
    }, 120_000);

    /** Connections to the registry. */
    function countOf({ pid }: ChildProcess): number {
      const { stdout } = spawnSync("nsenter", [
        "-t",
        String(pid),
        "--net",
        "ss",
        "-Htn",
        "state",
        "established",
      ]);
      return String(stdout)
        .split("\n")
        .filter((line) => line.includes(`:${registryPort} `)).length;
    }
  });

  test("[N125] a container that ends at once is started again later, with its last output as the reason", async () => {
    await createDetached("--name", "crash", "busybox", "sh", "-c", "echo starting; echo boom; exit 3");
    const lines = await taskWith("crash", /restarting in \d+ s after [2-9] failures/);
    expect(lines[1]).toMatch(/Failed .*task: non-zero exit \(3\): starting \| boom/);
    await createDetached("--name", "nocommand", "busybox", "nosuchprogram");
    await taskWith(
      "nocommand",
      /Failed .*\| "starting container failed: .*"nosuchprogram": executable file not found/,
    );
  }, 120_000);

  test("[N129] the logs of a service are its containers' output, also of ended ones, and follow running ones", async () => {
    const script = "echo out; echo err >&2; read -r line < /pipe/go; echo woken; sleep 1000";
    const mount = ["--mount", "type=volume,source=pipe,target=/pipe"];
    await createDetached("--name", "talk", "--restart-condition", "none", "busybox", "sh", "-c", "echo only");
    await taskWith("talk", /Complete/);
    expect(await ok("service", "logs", "--raw", "talk")).toBe("only");
    const makePipe = "mkfifo /pipe/go 2>/dev/null; ";
    await createDetached("--name", "follow", ...mount, "busybox", "sh", "-c", makePipe + script);
    await taskWith("follow", /Running/);
    const following = docker("service", "logs", "-f", "--raw", "follow");
    const both = (await ok("service", "logs", "--raw", "--timestamps", "follow")).split("\n");
    expect(both.map((line) => line.replace(/^\S+Z /, "")).sort()).toEqual(["err", "out"]);
    await dockerd.docker("exec", (await containerOf("follow")).Id, "sh", "-c", "echo go > /pipe/go");
    await until(
      "the new line",
      async () => (await ok("service", "logs", "--raw", "--tail", "1", "follow")) === "woken",
      slow,
    );
    await ok("service", "rm", "follow");
    expect((await following).out.split("\n").sort()).toEqual(["", "err", "out", "woken"]);
  }, 120_000);

  test("[N125] a container that runs out of memory says so, with its limit", async () => {
    const hog = "exec dd if=/dev/zero of=/dev/null bs=64M";
    await createDetached("--name", "oom", "--limit-memory", "16m", "busybox", "sh", "-c", hog);
    await taskWith("oom", /Failed .*non-zero exit \(137\): out of memory \(its limit is 16 MiB\)/);
  }, 120_000);

  test("[N105] a health check that never passes keeps the task from running, and is the reason of its end", async () => {
    const check = [
      "--health-cmd",
      "echo no answer; false",
      "--health-interval",
      "200ms",
      "--health-retries",
      "2",
    ];
    await createDetached("--name", "sick", ...check, "busybox", "sleep", "1000");
    const lines = await taskWith("sick", /Failed .*task: unhealthy: exit 1: no answer/);
    expect(lines.join("\n")).not.toMatch(/^Running/m);
  }, 120_000);

  test.each([
    [
      "a mount",
      ["--mount", "type=bind,source=/nowhere,target=/x"],
      "bind source path does not exist: /nowhere",
    ],
    ["a signal", ["--stop-signal", "FOO"], "Invalid signal: FOO"],
    ["a capability", ["--cap-add", "FLY"], /invalid (CapAdd|capability)/],
  ])(
    "[N121] %s that the daemon refuses rejects the task with its words",
    async (_what, flags, reason) => {
      await createDetached("--name", "refused", ...flags, "busybox", "sleep", "1000");
      await taskWith(
        "refused",
        new RegExp(`Rejected .*${typeof reason === "string" ? reason : reason.source}`),
      );
    },
    60_000,
  );

  test("[N126] an agent that was killed finds its containers, and restarts none", async () => {
    const port = nextPort++;
    await create("--name", "kept", "--replicas", "2", "-p", `${port}:80`, "nginx");
    await until("an answer", () => get(port), slow);
    const before = await dockerd.docker("ps", "-q");
    const killed = mesh.agentPid("node1");
    process.kill(killed, "SIGKILL");
    await until("another agent", () => mesh.agentPid("node1") !== killed, slow);
    await until("its task", () => mesh.logs().includes("found running, container"), slow);
    await until("both tasks to answer", () => twoAnswer(port), slow);
    expect(await dockerd.docker("ps", "-q")).toBe(before);
  }, 120_000);

  test("[N126] an agent whose state folder was lost removes its containers, and no others", async () => {
    await create("--name", "lost", "--mode", "global", "busybox", "sleep", "1000");
    await dockerd.docker(
      "run",
      "-d",
      "--name",
      "other",
      "--label",
      "com.docker.swarm.task.id=x",
      "busybox",
      "sleep",
      "1000",
    );
    const filter = ["--filter", "label=com.docker.swarm.service.name=lost"];
    const before = (await dockerd.docker("ps", "-q", ...filter)).split("\n");
    const killed = mesh.agentPid("node1");
    rmSync(join(mesh.stateDir, "nodes", "node1"), { recursive: true });
    process.kill(killed, "SIGKILL");
    await until(
      "another container for one of them",
      async () => {
        const now = (await dockerd.docker("ps", "-q", ...filter)).split("\n");
        return now.length === 2 && now.filter((id) => before.includes(id)).length === 1;
      },
      slow,
    );
    expect(await dockerd.docker("ps", "-q", "--filter", "name=other")).not.toBe("");
    await dockerd.docker("rm", "-f", "other");
  }, 120_000);

  test("[N127] a daemon that restarts ends its containers, which are replaced once it responds", async () => {
    const port = nextPort++;
    await create("--name", "restarted", "--replicas", "2", "-p", `${port}:80`, "nginx");
    const before = await dockerd.docker("ps", "-q");
    await dockerd.stopDaemon("KILL");
    // The containers go on without the daemon, and so does the mesh.
    expect(await get(port)).not.toBe("");
    await dockerd.startDaemon();
    const areOthers = async () => {
      const ids = (await dockerd.docker("ps", "-q")).split("\n").filter(Boolean);
      return ids.length === 2 && ids.every((id) => !before.includes(id));
    };
    await until("two other containers", areOthers, slow);
    await until("both tasks to answer", () => twoAnswer(port), slow);
  }, 120_000);

  test("[N124] a socket that the agent's user may not use is refused at the start", async () => {
    const state = mkdtempSync(join(tmpdir(), "waggle-agent-"));
    const user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    const agent = [...waggleProgram, "agent", "--runtime", "docker", "--state", state, mesh.control];
    const { code, out } = await dockerd.run([...user, ...agent]);
    expect([code, out]).toEqual([1, expect.stringContaining("add its user to the group docker")]);
    rmSync(state, { recursive: true });
  }, 60_000);

  /** Requests one after the other until `end`; counts those without a 200. */
  function loadOn(port: number) {
    let isOver = false;
    const counts = { sent: 0, failed: 0 };
    const url = `http://127.0.0.2:${port}/`;
    const done = (async () => {
      while (!isOver) {
        const burst = ["curl", "-s", "-o", "/dev/null", "-m", "10", "-w", "%{http_code}\\n", `${url}?[1-20]`];
        const { out } = await dockerd.run(burst);
        const codes = out.trim().split("\n");
        counts.sent += codes.length;
        counts.failed += codes.filter((code) => !code.includes("200")).length;
      }
    })();
    return {
      end: async () => {
        isOver = true;
        await done;
        return counts;
      },
    };
  }
});
