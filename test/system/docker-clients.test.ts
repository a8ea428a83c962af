// Docker's clients besides the CLI's usual way: a Unix socket, TLS with certificates, events, dockerode, docker-py.

import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import Docker from "dockerode";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Certificates, makeCertificates } from "../support/client-certificates.ts";
import { dockerOk } from "../support/docker-ok.ts";
import { type CommandResult, freePort, MeshProcess, run } from "../support/mesh-process.ts";
import { until } from "../support/until.ts";

const hasDocker = spawnSync("docker", ["--version"]).status === 0;
const title = hasDocker
  ? "Docker's clients"
  : "Docker's clients (skipped: no docker command; apt-get install docker.io)";

/** Debian's Python has the packages of apt; another one may have docker-py from pip. */
const python = ["/usr/bin/python3", "python3"].find(
  (command) => spawnSync(command, ["-c", "import docker"]).status === 0,
);
const pythonTitle =
  python === undefined ? "docker-py (skipped: not installed; apt-get install python3-docker)" : "docker-py";

describe.skipIf(!hasDocker)(title, () => {
  let mesh: MeshProcess;
  let folder: string;
  let socketPath: string;
  let tlsPort: number;
  let certificates: Certificates;
  const watchers: ChildProcess[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "waggle-clients-"));
    socketPath = join(folder, "mesh.sock");
    certificates = makeCertificates(folder);
    tlsPort = await freePort();
    const { server, ca } = certificates;
    const tls = ["--tls-cert", server.cert, "--tls-key", server.key, "--tls-client-ca", ca];
    mesh = await MeshProcess.start([
      ...["--empty", "--nodes", "2", "--socket", socketPath, "--tls-port", String(tlsPort)],
      ...tls,
    ]);
  });

  afterAll(async () => {
    for (const watcher of watchers) watcher.kill();
    await mesh?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Runs the Docker CLI without a token. */
  function plainDocker(...args: string[]): Promise<CommandResult> {
    const { DOCKER_HOST: _host, DOCKER_CUSTOM_HEADERS: _headers, ...env } = process.env;
    return new Promise((resolve) => {
      execFile("docker", args, { env }, (error, out, err) => {
        resolve({ code: typeof error?.code === "number" ? error.code : 0, out, err });
      });
    });
  }

  const ok = (...args: string[]) => dockerOk(mesh, ...args);

  /** Runs the CLI of one API version. */
  const dockerAt = (version: string, ...args: string[]) =>
    run("docker", ["-H", `unix://${socketPath}`, ...args], { ...process.env, DOCKER_API_VERSION: version });

  test("[A86] a Unix socket of mode 0600 makes its owner an operator", async () => {
    expect(statSync(socketPath).mode & 0o777).toBe(0o600);
    const host = `unix://${socketPath}`;
    const created = await plainDocker(
      "-H",
      host,
      "service",
      "create",
      "-q",
      "--name",
      "web",
      "waggle/whoami",
    );
    expect([created.code, created.err]).toEqual([0, ""]);
    expect((await plainDocker("-H", host, "service", "ls")).out).toMatch(/web +replicated +1\/1/);
  });

  test("[A87] over TLS a client with the authority's certificate is an operator, and others get no response", async () => {
    const host = ["-H", `tcp://127.0.0.1:${tlsPort}`, "--tlscacert", certificates.ca];
    const asClient = ({ cert, key }: Certificates["client"]) =>
      plainDocker(...host, "--tlsverify", "--tlscert", cert, "--tlskey", key, "service", "ls", "-q");
    expect((await asClient(certificates.client)).out).toMatch(/^\w+\n$/);
    for (const { code, err } of [
      await asClient(certificates.foreign),
      await plainDocker(...host, "--tls", "service", "ls"),
    ]) {
      expect(code).not.toBe(0);
      expect(err).toContain("tls:");
    }
  });

  test("[D13] docker ps lists the running tasks, and docker inspect finds a service, a task and a container by name or id", async () => {
    const [task = ""] = (await ok("service", "ps", "-q", "--no-trunc", "web")).trim().split("\n");
    expect(await ok("ps", "--format", "{{.Names}} {{.Image}} {{.State}}")).toBe(
      `web.1.${task} waggle/whoami:latest running\n`,
    );
    const container = (await ok("ps", "-q")).trim();
    expect(await ok("inspect", "-f", "{{.Spec.Name}}", "web")).toBe("web\n");
    expect(await ok("inspect", "-f", "{{.DesiredState}}", task)).toBe("running\n");
    expect(await ok("inspect", "-f", "{{.State.Status}}", container)).toBe("running\n");
    expect(await ok("inspect", "-f", "{{.Description.Hostname}}", "node1")).toBe("node1\n");
    for (const args of [
      ["images", "-q"],
      ["volume", "ls", "-q"],
      ["plugin", "ls", "-q"],
    ])
      expect(await ok(...args)).toBe("");
    expect((await mesh.docker("swarm", "unlock-key")).err).toBe("no unlock key is set\n");
  });

  test("[D14] service inspect --pretty and templates show the update and rollback settings that apply", async () => {
    const pretty = await ok("service", "inspect", "--pretty", "web");
    expect(pretty).toMatch(/UpdateConfig:\n Parallelism:\t1\n On failure:\tpause/);
    expect(pretty).toContain("RollbackConfig:");
    const format = "{{.Spec.UpdateConfig.Parallelism}} {{.Spec.TaskTemplate.RestartPolicy.Condition}}";
    expect(await ok("service", "inspect", "-f", format, "web")).toBe("1 any\n");
  });

  test.each(["1.24", "1.41", "1.44", "1.47", "1.50"])(
    "[D15] the Docker CLI works with API version %s",
    async (version) => {
      for (const args of [["service", "ls"], ["node", "ls"], ["service", "ps", "web"], ["ps"]]) {
        const { code, out, err } = await dockerAt(version, ...args);
        expect([args, code, err]).toEqual([args, 0, ""]);
        expect(out.trim().split("\n").length).toBeGreaterThan(1);
      }
    },
  );

  test("[D16] docker events follows what happens, and replays what happened", async () => {
    const format = "{{.Type}} {{.Action}} {{.Actor.Attributes.name}}";
    const env = {
      ...process.env,
      DOCKER_HOST: mesh.control.replace("http", "tcp"),
      DOCKER_CUSTOM_HEADERS: `Authorization=Bearer ${mesh.token}`,
    };
    const watcher = spawn("docker", ["events", "--filter", "type=service", "--format", format], { env });
    watchers.push(watcher);
    let seen = "";
    watcher.stdout.on("data", (bytes) => {
      seen += bytes;
    });
    // Only later events are sent, and the CLI does not say when it listens.
    let labels = 0;
    await until("an event of the service", async () => {
      labels += 1;
      await ok("service", "update", "-d", "--label-add", `n=${labels}`, "web");
      return seen.includes("service update web\n");
    });
    const replayed = await ok("events", "--since", "1h", "--until", "0s", "--format", format);
    expect(replayed).toContain("service create web\n");
    expect(replayed).toMatch(/container start web\.1\.\w+\n/);
  });

  test("[D17] dockerode creates, lists, inspects and watches", async () => {
    const docker = new Docker({ socketPath });
    const events = await docker.getEvents({ filters: { type: ["service"], service: ["ode"] } });
    let seen = "";
    events.on("data", (bytes) => {
      seen += bytes;
    });
    const { id } = await docker.createService({
      Name: "ode",
      TaskTemplate: { ContainerSpec: { Image: "waggle/whoami" } },
    });
    await until("the event", () => seen.includes('"Action":"create"'));
    (events as Readable).destroy();
    expect((await docker.getService(id).inspect()).Spec.Name).toBe("ode");
    await until("its task", async () =>
      (await docker.listContainers()).some(({ Names }) => Names[0]?.startsWith("/ode.1.")),
    );
    expect([
      await docker.listImages(),
      (await docker.listVolumes()).Volumes,
      (await docker.df()).Images,
    ]).toEqual([[], [], []]);
    await docker.getService("ode").remove();
  });

  const versions = ["1.41", "1.44", "1.47", "1.50"];

  test.each(versions)("[D101] the Docker CLI changes a service with API version %s", async (version) => {
    const docker = async (...args: string[]) => {
      const { code, out, err } = await dockerAt(version, ...args);
      expect([args, code, err]).toEqual([args, 0, ""]);
      return out.trim();
    };
    await docker(
      "service",
      "create",
      "-d",
      "-q",
      "--name",
      "cli",
      "--replicas",
      "2",
      "--env",
      "A=1",
      "waggle/whoami",
    );
    await docker("service", "update", "-d", "-q", "--env-add", "B=2", "--label-add", "x=y", "cli");
    await docker("service", "scale", "-d", "cli=1");
    await docker("service", "rollback", "-d", "-q", "cli");
    const format =
      "{{.Spec.TaskTemplate.ContainerSpec.Env}} {{.Spec.Mode.Replicated.Replicas}} {{.Spec.Labels.x}}";
    // The CLI sends the variables in the order of a Go map, which is random.
    expect(await docker("service", "inspect", "--format", format, "cli")).toMatch(
      /^\[(A=1 B=2|B=2 A=1)\] 2 y$/,
    );
    expect(await docker("service", "ls", "--filter", "name=cli", "--format", "{{.Mode}} {{.Image}}")).toBe(
      "replicated waggle/whoami:latest",
    );
    expect(await docker("node", "update", "--label-add", "seen=yes", "node2")).toBe("node2");
    expect(await docker("node", "inspect", "--format", "{{.Spec.Labels.seen}}", "node2")).toBe("yes");
    await docker("node", "update", "--label-rm", "seen", "node2");
    const events = ["--since", "1h", "--until", "0s", "--filter", "service=cli", "--format", "{{.Action}}"];
    expect(await docker("events", ...events)).toContain("create");
    expect(await docker("service", "rm", "cli")).toBe("cli");
  });

  test.each(versions)("[D101] dockerode changes a service with API version %s", async (version) => {
    const docker = new Docker({ socketPath, version: `v${version}` });
    const { id } = await docker.createService({
      Name: "ode-version",
      TaskTemplate: { ContainerSpec: { Image: "waggle/whoami" } },
      Mode: { Replicated: { Replicas: 2 } },
    });
    const service = docker.getService(id);
    const { Spec, Version } = await service.inspect();
    await service.update({ ...Spec, version: Number(Version.Index), Labels: { x: "y" } });
    expect((await service.inspect()).Spec.Labels).toEqual({ x: "y" });
    const filters = JSON.stringify({ service: ["ode-version"] });
    await until("its tasks", async () => (await docker.listTasks({ filters })).length === 2);
    const [task] = await docker.listTasks({ filters });
    expect((await docker.getTask(task?.ID).inspect()).ServiceID).toBe(id);
    expect((await docker.listNodes()).length).toBe(3);
    expect((await docker.info()).Swarm.LocalNodeState).toBe("active");
    await service.remove();
    await expect(service.inspect()).rejects.toMatchObject({ statusCode: 404 });
  });

  test("[D102] a version before the lowest or after the newest is refused in dockerd's words", async () => {
    expect((await dockerAt("1.23", "ps")).err).toContain(
      "client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version",
    );
    expect((await dockerAt("1.52", "service", "ls")).err).toContain(
      "client version 1.52 is too new. Maximum supported API version is 1.51",
    );
    for (const version of ["1.24", "1.51"])
      expect(await dockerAt(version, "service", "ls")).toMatchObject({ code: 0, err: "" });
  });

  describe.skipIf(python === undefined)(pythonTitle, () => {
    const script = `
import docker, sys, threading
from docker.types import ServiceMode
client = docker.DockerClient(base_url="unix://" + sys.argv[1])
seen = threading.Event()
def watch():
    for event in client.events(decode=True, filters={"type": "service"}):
        if event["Actor"]["Attributes"]["name"] == "py-global": seen.set()
threading.Thread(target=watch, daemon=True).start()
web = client.services.create("waggle/whoami", name="py", mode=ServiceMode("replicated", 4))
print(web.attrs["Spec"]["Mode"])
web.scale(5); web.reload()
print(web.attrs["Spec"]["Mode"])
everywhere = client.services.create("waggle/whoami", name="py-global", mode="global"); everywhere.reload()
print(everywhere.attrs["Spec"]["Mode"])
print(seen.wait(20), client.swarm.get_unlock_key())
print(client.images.list(), client.volumes.list(), len(client.containers.list()) > 0)
web.remove(); everywhere.remove()
`;

    test("[D18] docker-py sets the mode and the number of tasks, follows events and lists", () => {
      const { stdout, stderr } = spawnSync(python ?? "", ["-c", script, socketPath], { encoding: "utf8" });
      expect(stdout, stderr).toBe(
        [
          "{'Replicated': {'Replicas': 4}}",
          "{'Replicated': {'Replicas': 5}}",
          "{'Global': {}}",
          "True {'UnlockKey': ''}",
          "[] [] True",
          "",
        ].join("\n"),
      );
    });

    const versionScript = `
import docker, sys
from docker.types import EndpointSpec, ServiceMode
client = docker.DockerClient(base_url="unix://" + sys.argv[1], version=sys.argv[2])
web = client.services.create("waggle/whoami", name="py-version", mode=ServiceMode("replicated", 2), env=["A=1"],
    endpoint_spec=EndpointSpec(ports={18090: 80}), labels={"x": "y"})
web.update(labels={"x": "z"}); web.reload()
print(client.api._version, web.attrs["Spec"]["Labels"], web.attrs["Endpoint"]["Ports"][0]["PublishedPort"])
web.scale(3); web.reload()
print(web.attrs["Spec"]["Mode"], [s.name for s in client.services.list(filters={"name": "py-version"})])
print(client.info()["Swarm"]["LocalNodeState"], len(client.nodes.list()), client.version()["ApiVersion"])
web.remove()
try: client.services.get("py-version")
except docker.errors.NotFound as error: print(error.explanation)
`;

    test.each(versions)("[D101] docker-py changes a service with API version %s", async (version) => {
      const port = String(await freePort());
      const script = versionScript.replace("18090", port);
      const { out, err } = await run(python ?? "", ["-c", script, socketPath, version]);
      expect(out, err).toBe(
        [
          `${version} {'x': 'z'} ${port}`,
          "{'Replicated': {'Replicas': 3}} ['py-version']",
          "active 3 1.51",
          "service py-version not found",
          "",
        ].join("\n"),
      );
    });
  });
});
