// The agent as a container: its image built by a real dockerd, as a global service of a Swarm, and beside the
// containers of a Compose project.

import { cpSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dockerdProblem, PrivateDockerd } from "../support/dockerd.ts";
import { buildAgent, repository } from "../support/installed-package.ts";
import { MeshProcess, newStateDir } from "../support/mesh-process.ts";
import { missingPrograms } from "../support/program.ts";
import { until } from "../support/until.ts";

const problem = dockerdProblem() ?? composeProblem();
const title = problem === null ? "the agent's image" : `the agent's image (skipped: ${problem})`;
const slow = { withinMs: 60_000, everyMs: 100 };
const address = "10.77.0.1";

describe.skipIf(problem !== null)(title, () => {
  let dockerd: PrivateDockerd;
  let mesh: MeshProcess;
  let project: string;

  beforeAll(async () => {
    // The daemon's own /run has the socket, as on a real machine.
    dockerd = await PrivateDockerd.start(["-H", "unix:///run/docker.sock"]);
    await dockerd.run(["ip", "addr", "add", `${address}/24`, "dev", "lo"]);
    await dockerd.importImages();
    // No registry is reachable here: a base image with the Node of the tests.
    await dockerd.importPrograms("node-of-tests", [process.execPath], ["ENV PATH=/bin"], (folder) => {
      for (const applet of ["mkdir", "chown", "["]) symlinkSync("busybox", join(folder, "bin", applet));
    });
    project = mkdtempSync(join(dockerd.dir, "project-"));
    cpSync(join(repository, "infra/agent"), join(project, "infra/agent"), { recursive: true });
    mkdirSync(join(project, "build"));
    buildAgent(join(project, "build"));
    const place = { address, command: dockerd.command };
    mesh = await MeshProcess.startAt(place, ["--nodes", "0"], newStateDir());
  }, 240_000);

  afterAll(async () => {
    await mesh?.remove();
    await dockerd?.remove();
  }, 60_000);

  /** Runs a line of docs/install.md on the daemon's machine, in the project. */
  const shell = async (line: string, env: NodeJS.ProcessEnv = {}): Promise<string> => {
    const { code, out } = await dockerd.run(["sh", "-c", `cd "$0" && ${line}`, project], env);
    if (code !== 0) throw new Error(`${line} exited with ${code}: ${out}`);
    return out.trim();
  };

  const joined = async () => ({
    WAGGLE_CONTROL: mesh.control,
    WAGGLE_ADDRESS: address,
    WAGGLE_JOIN_TOKEN: await cli("join-token", "-q"),
  });

  async function cli(...args: string[]): Promise<string> {
    const env = { WAGGLE_HOST: mesh.control, WAGGLE_TOKEN: mesh.token };
    const program = [process.execPath, join(repository, "src/cli/main.ts"), ...args];
    return (await dockerd.run(program, env)).out.trim();
  }

  const get = async (port: number) =>
    (await dockerd.run(["curl", "-s", "-m", "5", `http://${address}:${port}/`])).out.trim();

  test("[U478] a global service of the image makes the machine a node that runs containers", async () => {
    const base = "docker build -f infra/agent/Dockerfile -t waggle-agent build";
    await shell(base.replace("build -f", "build --build-arg NODE_IMAGE=node-of-tests -f"));
    await dockerd.docker("swarm", "init", "--advertise-addr", address);
    const create =
      'docker service create --name waggle-agent --mode global --network host --user root --init --stop-grace-period 30s --env WAGGLE_JOIN_TOKEN="$WAGGLE_JOIN_TOKEN" --mount type=bind,src=/run,dst=/run --mount type=volume,src=waggle-agent,dst=/var/lib/waggle-agent waggle-agent "$WAGGLE_CONTROL" --runtime docker --gateway-port 7947';
    const detached = create.replace("service create", "service create --detach --no-resolve-image");
    await shell(`${detached} --address ${address}`, await joined());
    // The registry is in the list, too, as a node without tasks.
    const isReady = async () => /Ready +Active/.test(await cli("node", "ls"));
    await until("the node", isReady, slow);
    const web = ["service", "create", "--name", "web", "--publish", "8080:80", "nginx"];
    expect(await cli(...web)).toContain("Service web converged");
    const [container] = (await dockerd.docker("ps", "-q", "--filter", "name=web.1")).split("\n");
    expect(await get(8080)).toBe(container);
    // The node leaves the mesh in order.
    await dockerd.docker("service", "rm", "waggle-agent");
    await until("the node to leave", async () => !(await isReady()), slow);
    await cli("service", "rm", "web");
    await dockerd.docker("swarm", "leave", "--force");
  }, 240_000);

  test("[U479] Compose takes the file, and the agent reports the project's containers", async () => {
    const [compose, , ...rest] = "docker compose -f compose.yaml -f waggle-agent.yml up -d".split(" ");
    const up = [`${compose}-compose`, ...rest].join(" ");
    cpSync(join(repository, "infra/agent/compose.yml"), join(project, "waggle-agent.yml"));
    const labels = `{ waggle.service: shop, waggle.publish: "8090:80" }`;
    writeFileSync(
      join(project, "compose.yaml"),
      `services:\n  shop:\n    image: nginx\n    labels: ${labels}\n`,
    );
    const { WAGGLE_CONTROL: _, ...incomplete } = await joined();
    await expect(shell(up, incomplete)).rejects.toThrow("the control URL of the mesh");
    await shell(up, await joined());
    const shop = () => dockerd.docker("ps", "-q", "--filter", "name=shop");
    await until("the project's container", async () => (await get(8090)) === (await shop()), slow);
    await shell(up.replace("up -d", "down"), await joined());
  }, 240_000);
});

function composeProblem(): string | null {
  return missingPrograms(["docker-compose"]).length > 0
    ? "no docker-compose; apt-get install docker-compose"
    : null;
}
